//! A causal language model whose weights all stay on the device, as generation needs them.

use super::{Batch, Block, Cache, DeviceNorm, HostLayer, embed};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Activation, Device, Tensor, Weight};
use crate::model::{Architecture, Head, Layer, Linear};

/// Bytes of the vocabulary's weights in one buffer.
const TILE: u64 = 128 << 20;

/// What a model takes on the device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// All weights but the embedding tables, of which only the rows that are used are read.
    pub weights: u64,
    /// Keys and values.
    pub cache: u64,
}

/// A model on a device.
pub struct Resident {
    blocks: Vec<Block>,
    norm: Option<DeviceNorm>,
    vocabulary: Vec<Weight>,
}

impl Resident {
    /// What the model would take with caches of `capacity` tokens.
    ///
    /// # Errors
    /// It is not a causal language model.
    pub fn footprint(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture, capacity: usize) -> Result<Footprint> {
        let weights = linear_bytes(device, checkpoint, decoder(architecture)?)? + block_bytes(device, checkpoint, architecture)?;
        let cache = architecture.layers.iter().map(|layer| 2 * 4 * (capacity * layer.kv_heads * layer.head_dim) as u64).sum();
        Ok(Footprint { weights, cache })
    }

    /// Reads all weights; `on_layer` is told the number of each layer before it is read.
    pub async fn upload(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture, on_layer: impl Fn(usize)) -> Result<Self> {
        let decoder = decoder(architecture)?;
        let blocks = upload_blocks(device, checkpoint, architecture, on_layer).await?;
        let norm = match &architecture.final_norm {
            Some(norm) => Some(DeviceNorm::read(device, checkpoint, norm, architecture.norm_eps).await?),
            None => None,
        };
        let row_bytes = decoder.inputs as u64 * element_bytes(device, checkpoint, &decoder.weight)?;
        let rows: Vec<u32> = (0..decoder.outputs as u32).collect();
        let mut vocabulary = Vec::new();
        for rows in rows.chunks((TILE / row_bytes.max(1)).max(1) as usize) {
            vocabulary.push(device.upload_weight(&checkpoint.rows(&decoder.weight, rows).await?).await?);
            device.finish().await?;
        }
        Ok(Self { blocks, norm, vocabulary })
    }

    /// Empty caches of `capacity` tokens, one a block.
    pub async fn caches(&self, device: &Device, capacity: usize) -> Result<Vec<Cache>> {
        let mut caches = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            caches.push(block.cache(device, capacity).await?);
        }
        Ok(caches)
    }

    /// Runs the next tokens of the sequence that the caches hold; gives the last one's state, [1, hidden].
    pub async fn advance(
        &self,
        device: &Device,
        checkpoint: &Checkpoint,
        architecture: &Architecture,
        ids: &[u32],
        caches: &mut [Cache],
    ) -> Result<Tensor> {
        let first = caches.first().map_or(0, Cache::rows);
        let batch = Batch::continued(ids, first as u32);
        let mut states = embed(device, checkpoint, architecture, std::slice::from_ref(&batch)).await?;
        let mut x = states.pop().ok_or_else(|| Error::internal("no states of a batch"))?;
        for (block, cache) in self.blocks.iter().zip(caches) {
            x = block.apply_cached(device, &x, &batch.positions, cache).await?;
        }
        let last = (ids.len() as u32).saturating_sub(1);
        device.select(&x, Some(&[last]), None).await
    }

    /// Logits over the vocabulary from a state [1, hidden].
    pub async fn logits(&self, device: &Device, state: &Tensor) -> Result<Vec<f32>> {
        let state = match &self.norm {
            Some(norm) => norm.apply(device, state).await?,
            None => state.clone(),
        };
        let mut logits = Vec::new();
        for weight in &self.vocabulary {
            logits.extend(device.read(&device.linear(&state, weight, None, Activation::Identity).await?).await?);
        }
        Ok(logits)
    }
}

/// Bytes that the linear layers of all blocks take on the device.
pub fn block_bytes(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture) -> Result<u64> {
    architecture.layers.iter().flat_map(Layer::linears).map(|linear| linear_bytes(device, checkpoint, linear)).sum()
}

/// Brings all blocks to the device; `on_layer` is told the number of each layer before it is read.
pub async fn upload_blocks(
    device: &Device,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    on_layer: impl Fn(usize),
) -> Result<Vec<Block>> {
    let mut blocks = Vec::with_capacity(architecture.layers.len());
    for (index, layer) in architecture.layers.iter().enumerate() {
        on_layer(index);
        let host = HostLayer::read(checkpoint, layer).await?;
        blocks.push(Block::upload(device, checkpoint, architecture, layer, &host).await?);
        device.finish().await?;
    }
    Ok(blocks)
}

fn linear_bytes(device: &Device, checkpoint: &Checkpoint, linear: &Linear) -> Result<u64> {
    let size = element_bytes(device, checkpoint, &linear.weight)?;
    let bias = if linear.bias.is_some() { 4 * linear.outputs as u64 } else { 0 };
    let (outputs, inputs) = (linear.outputs as u64, linear.inputs as u64);
    let weights = match &linear.factor {
        Some(factor) => {
            let inner = if factor.shared { 0 } else { inputs };
            factor.rank as u64 * (outputs + inner) + factor.singles.as_ref().map_or(0, |_| outputs * inputs)
        }
        None => outputs * inputs,
    };
    Ok(weights * size + bias)
}

/// Bytes of one weight on the device: the CPU computes with f32, the GPU unpacks what the file has.
fn element_bytes(device: &Device, checkpoint: &Checkpoint, name: &str) -> Result<u64> {
    Ok(match device {
        Device::Cpu(_) => 4,
        Device::Gpu(_) => checkpoint.require(name)?.dtype.size() as u64,
    })
}

/// The projection to the vocabulary.
fn decoder(architecture: &Architecture) -> Result<&Linear> {
    match &architecture.head {
        Head::CausalLm { decoder } => Ok(decoder),
        _ => Err(Error::recipe(format!(
            "Text is generated by causal language models, and this checkpoint is {}; choose one whose class ends in ForCausalLM or LMHeadModel.",
            architecture.class
        ))),
    }
}
