//! One block on a device, in the four steps between which statistics are taken.

mod backward;

pub use backward::{BlockGradient, SublayerGradient};

use super::{Batch, Cache, DeviceLinear, HostLayer, HostNorm};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Activation, AttentionShape, Device, Tensor};
use crate::model::{Architecture, Layer, Norm, NormPlacement, Rotary, Unit};

/// A normalisation on a device: of layers, or of root mean squares where it has no bias.
#[derive(Debug, Clone)]
pub struct DeviceNorm {
    gain: Tensor,
    bias: Option<Tensor>,
    eps: f32,
}

impl DeviceNorm {
    /// Reads and uploads a normalisation.
    pub async fn read(device: &Device, checkpoint: &Checkpoint, norm: &Norm, eps: f32) -> Result<Self> {
        Self::upload(device, &HostNorm::read(checkpoint, norm).await?, eps).await
    }

    /// Uploads a normalisation.
    pub async fn upload(device: &Device, host: &HostNorm, eps: f32) -> Result<Self> {
        let gain = host.gains()?;
        let bias = match host.biases()? {
            Some(bias) => Some(device.upload(1, bias.len(), &bias).await?),
            None => None,
        };
        Ok(Self { gain: device.upload(1, gain.len(), &gain).await?, bias, eps })
    }

    /// Normalises x.
    pub async fn apply(&self, device: &Device, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => device.layer_norm(x, None, &self.gain, bias, self.eps).await,
            None => device.rms_norm(x, &self.gain, self.eps).await,
        }
    }

    /// Normalises x + residual.
    pub async fn apply_sum(&self, device: &Device, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => device.layer_norm(x, Some(residual), &self.gain, bias, self.eps).await,
            None => self.apply(device, &device.add(x, residual, 1.0).await?).await,
        }
    }
}

/// A block's weights on a device.
#[derive(Debug, Clone)]
pub struct Block {
    shape: AttentionShape,
    placement: NormPlacement,
    activation: Activation,
    query: DeviceLinear,
    key: DeviceLinear,
    value: DeviceLinear,
    attention_output: DeviceLinear,
    attention_norm: DeviceNorm,
    ffn_gate: Option<DeviceLinear>,
    ffn_input: DeviceLinear,
    ffn_output: DeviceLinear,
    ffn_norm: DeviceNorm,
    rotary: Option<Rotary>,
}

impl Block {
    /// Uploads a block. Head counts follow from the widths of `host`, so a pruned block is uploaded the same way.
    pub async fn upload(
        device: &Device,
        checkpoint: &Checkpoint,
        architecture: &Architecture,
        layer: &Layer,
        host: &HostLayer,
    ) -> Result<Self> {
        let shape = AttentionShape {
            heads: host.query.weight.outputs() / layer.head_dim,
            kv_heads: host.key.weight.outputs() / layer.head_dim,
            head_dim: layer.head_dim,
            causal: architecture.causal,
        };
        let mut attention = DeviceLinear::upload_all(device, &host.readers(Unit::Heads)).await?.into_iter();
        let mut ffn = DeviceLinear::upload_all(device, &host.readers(Unit::Neurons)).await?.into_iter();
        let missing = || Error::internal("a linear layer that was not uploaded");
        Ok(Self {
            shape,
            placement: architecture.placement,
            activation: architecture.activation,
            query: attention.next().ok_or_else(missing)?,
            key: attention.next().ok_or_else(missing)?,
            value: attention.next().ok_or_else(missing)?,
            attention_output: DeviceLinear::upload(device, &host.attention_output).await?,
            attention_norm: DeviceNorm::read(device, checkpoint, &layer.attention_norm, architecture.norm_eps).await?,
            ffn_gate: match &host.ffn_gate {
                Some(_) => Some(ffn.next().ok_or_else(missing)?),
                None => None,
            },
            ffn_input: ffn.next().ok_or_else(missing)?,
            ffn_output: DeviceLinear::upload(device, &host.ffn_output).await?,
            ffn_norm: DeviceNorm::read(device, checkpoint, &layer.ffn_norm, architecture.norm_eps).await?,
            rotary: architecture.rotary.clone(),
        })
    }

    /// The linear layer that reads the units.
    pub fn consumer(&self, unit: Unit) -> &DeviceLinear {
        match unit {
            Unit::Heads => &self.attention_output,
            Unit::Neurons => &self.ffn_output,
        }
    }

    /// Replaces the consumer of the units, after its repair.
    pub fn set_consumer(&mut self, unit: Unit, linear: DeviceLinear) {
        match unit {
            Unit::Heads => self.attention_output = linear,
            Unit::Neurons => self.ffn_output = linear,
        }
    }

    /// Replaces the normalisation of the sublayer of the units.
    pub fn set_norm(&mut self, unit: Unit, norm: DeviceNorm) {
        match unit {
            Unit::Heads => self.attention_norm = norm,
            Unit::Neurons => self.ffn_norm = norm,
        }
    }

    /// Replaces what the sublayer of the units reads its input with, in the order of [`HostLayer::readers`].
    pub fn set_readers(&mut self, unit: Unit, linears: Vec<DeviceLinear>) {
        let places = match unit {
            Unit::Heads => vec![&mut self.query, &mut self.key, &mut self.value],
            Unit::Neurons => self.ffn_gate.iter_mut().chain([&mut self.ffn_input]).collect(),
        };
        places.into_iter().zip(linears).for_each(|(place, linear)| *place = linear);
    }

    /// What the sublayer of the units reads, [tokens, hidden], from the residual stream before it.
    pub async fn read_by(&self, device: &Device, unit: Unit, x: &Tensor) -> Result<Tensor> {
        self.before(device, x, if unit == Unit::Heads { &self.attention_norm } else { &self.ffn_norm }).await
    }

    /// What the consumer of the units reads, [tokens, channels], from the residual stream before their sublayer.
    pub async fn consumed(&self, device: &Device, unit: Unit, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        match unit {
            Unit::Heads => self.contexts(device, x, batch).await,
            Unit::Neurons => self.neurons(device, x).await,
        }
    }

    /// The residual stream after the sublayer of the units, from its value before and what their consumer reads.
    pub async fn advance(&self, device: &Device, unit: Unit, x: &Tensor, inputs: &Tensor) -> Result<Tensor> {
        match unit {
            Unit::Heads => {
                let projected = self.project_contexts(device, inputs).await?;
                self.join_attention(device, x, &projected).await
            }
            Unit::Neurons => {
                let projected = self.project_neurons(device, inputs).await?;
                self.join_ffn(device, x, &projected).await
            }
        }
    }

    /// Concatenated head contexts, [tokens, heads * head_dim]: the input of the attention output projection.
    pub async fn contexts(&self, device: &Device, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let x = self.before(device, x, &self.attention_norm).await?;
        let [q, k, v] = self.queries_keys_values(device, &x, &batch.positions).await?;
        device.attention(&q, &k, &v, &batch.segments, self.shape).await
    }

    /// Queries, keys and values of normalised states at given positions.
    async fn queries_keys_values(&self, device: &Device, x: &Tensor, positions: &[u32]) -> Result<[Tensor; 3]> {
        let layers = [&self.query, &self.key, &self.value].map(|layer| (layer, Activation::Identity));
        let [mut q, mut k, v] = DeviceLinear::apply_all(device, x, layers).await?;
        if let Some(Rotary { frequencies }) = &self.rotary {
            q = device.rotary(&q, positions, frequencies, self.shape.head_dim).await?;
            k = device.rotary(&k, positions, frequencies, self.shape.head_dim).await?;
        }
        Ok([q, k, v])
    }

    /// The input of a sublayer: normalised where the family normalises first.
    async fn before(&self, device: &Device, x: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        match self.placement {
            NormPlacement::Pre => norm.apply(device, x).await,
            NormPlacement::Post => Ok(x.clone()),
        }
    }

    /// The residual stream after a sublayer.
    async fn join(&self, device: &Device, x: &Tensor, projected: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        match self.placement {
            NormPlacement::Pre => device.add(x, projected, 1.0).await,
            NormPlacement::Post => norm.apply_sum(device, projected, x).await,
        }
    }

    /// Output of the attention output projection, [tokens, hidden], before the residual sum.
    pub async fn project_contexts(&self, device: &Device, contexts: &Tensor) -> Result<Tensor> {
        self.attention_output.apply(device, contexts, Activation::Identity).await
    }

    /// The residual stream after attention, from its value before and the projected contexts.
    pub async fn join_attention(&self, device: &Device, x: &Tensor, projected: &Tensor) -> Result<Tensor> {
        self.join(device, x, projected, &self.attention_norm).await
    }

    /// The residual stream after the sublayer of the units, from the sum of its value before and of what the sublayer gives.
    pub async fn after_sum(&self, device: &Device, unit: Unit, sum: Tensor) -> Result<Tensor> {
        let norm = if unit == Unit::Heads { &self.attention_norm } else { &self.ffn_norm };
        match self.placement {
            NormPlacement::Pre => Ok(sum),
            NormPlacement::Post => norm.apply(device, &sum).await,
        }
    }

    /// Neurons after the activation, [tokens, neurons]: the input of the second FFN matrix.
    pub async fn neurons(&self, device: &Device, x: &Tensor) -> Result<Tensor> {
        let x = self.before(device, x, &self.ffn_norm).await?;
        match &self.ffn_gate {
            Some(gate) => {
                let layers = [(gate, self.activation), (&self.ffn_input, Activation::Identity)];
                let [gates, inputs] = DeviceLinear::apply_all(device, &x, layers).await?;
                device.multiply(&gates, &inputs).await
            }
            None => self.ffn_input.apply(device, &x, self.activation).await,
        }
    }

    /// Output of the second FFN matrix, [tokens, hidden], before the residual sum.
    pub async fn project_neurons(&self, device: &Device, neurons: &Tensor) -> Result<Tensor> {
        self.ffn_output.apply(device, neurons, Activation::Identity).await
    }

    /// The residual stream after the FFN.
    pub async fn join_ffn(&self, device: &Device, x: &Tensor, projected: &Tensor) -> Result<Tensor> {
        self.join(device, x, projected, &self.ffn_norm).await
    }

    /// The whole block: [tokens, hidden] to [tokens, hidden].
    pub async fn apply(&self, device: &Device, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let contexts = self.contexts(device, x, batch).await?;
        self.finish(device, x, &contexts).await
    }

    /// An empty cache of this block's keys and values, for `capacity` tokens.
    pub async fn cache(&self, device: &Device, capacity: usize) -> Result<Cache> {
        Cache::new(device, capacity, self.shape.kv_heads * self.shape.head_dim).await
    }

    /// The whole block for the next tokens of the sequence that `cache` holds, at the given positions: [new, hidden] to
    /// [new, hidden].
    pub async fn apply_cached(&self, device: &Device, x: &Tensor, positions: &[u32], cache: &mut Cache) -> Result<Tensor> {
        let input = self.before(device, x, &self.attention_norm).await?;
        let [q, k, v] = self.queries_keys_values(device, &input, positions).await?;
        let sequence = cache.append(device, &k, &v).await?;
        let contexts = device.attention(&q, cache.keys(), cache.values(), &sequence, self.shape).await?;
        self.finish(device, x, &contexts).await
    }

    /// The block from its contexts on.
    async fn finish(&self, device: &Device, x: &Tensor, contexts: &Tensor) -> Result<Tensor> {
        let projected = self.project_contexts(device, contexts).await?;
        let middle = self.join_attention(device, x, &projected).await?;
        let neurons = self.neurons(device, &middle).await?;
        let projected = self.project_neurons(device, &neurons).await?;
        self.join_ffn(device, &middle, &projected).await
    }
}
