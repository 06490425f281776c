//! The projection to the vocabulary, in tiles of rows: a whole one may be larger than any buffer.

use super::DeviceNorm;
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Activation, Device, Tensor, Weight};
use crate::model::{Architecture, Head};

/// A next-token head: the last normalisation and the decoder's tiles, read one at a time.
pub struct Decoder<'a> {
    device: &'a Device,
    checkpoint: &'a Checkpoint,
    weight: &'a str,
    vocabulary: usize,
    norm: Option<DeviceNorm>,
}

impl Decoder<'_> {
    /// Rows of the vocabulary in one tile.
    pub const TILE: usize = 8192;
}

impl<'a> Decoder<'a> {
    /// The head of a checkpoint.
    ///
    /// # Errors
    /// It is not a causal language model.
    pub async fn read(device: &'a Device, checkpoint: &'a Checkpoint, architecture: &'a Architecture) -> Result<Self> {
        let Head::CausalLm { decoder } = &architecture.head else {
            return Err(Error::recipe(format!(
                "Perplexity needs a causal language model, and this checkpoint is {}; use the task classify or features.",
                architecture.class
            )));
        };
        let norm = match &architecture.final_norm {
            Some(norm) => Some(DeviceNorm::read(device, checkpoint, norm, architecture.norm_eps).await?),
            None => None,
        };
        Ok(Self { device, checkpoint, weight: &decoder.weight, vocabulary: decoder.outputs, norm })
    }

    /// States as the decoder reads them.
    pub async fn normalise(&self, states: &Tensor) -> Result<Tensor> {
        match &self.norm {
            Some(norm) => norm.apply(self.device, states).await,
            None => Ok(states.clone()),
        }
    }

    /// The gradient with respect to states, from that with respect to what [`Decoder::normalise`] makes of them.
    pub async fn normalise_backward(&self, states: &Tensor, upstream: &Tensor) -> Result<Tensor> {
        match &self.norm {
            Some(norm) => norm.backward(self.device, states, upstream).await,
            None => Ok(upstream.clone()),
        }
    }

    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.vocabulary.div_ceil(Self::TILE)
    }

    /// First vocabulary row of a tile, and its weights.
    pub async fn tile(&self, index: usize) -> Result<(usize, Weight)> {
        let first = index * Self::TILE;
        let rows: Vec<u32> = (first as u32..(first + Self::TILE).min(self.vocabulary) as u32).collect();
        Ok((first, self.device.upload_weight(&self.checkpoint.rows(self.weight, &rows).await?).await?))
    }

    /// Logits of normalised states over a tile.
    pub async fn logits(&self, states: &Tensor, tile: &Weight) -> Result<Tensor> {
        self.device.linear(states, tile, None, Activation::Identity).await
    }
}
