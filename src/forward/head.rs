//! What sits on top of the blocks.

use super::loss::spread;
use super::{DeviceLinear, HostLinear};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Activation, Device, Segments, Tensor};
use crate::model::{Architecture, Head};

/// A classification head on a device.
pub struct HeadWeights {
    pooler: DeviceLinear,
    activation: Activation,
    classifier: DeviceLinear,
}

impl HeadWeights {
    /// Reads the classifier of a checkpoint.
    ///
    /// # Errors
    /// The checkpoint has no classification head.
    pub async fn read(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture) -> Result<Self> {
        let Head::Classifier { pooler, activation, classifier } = &architecture.head else {
            return Err(Error::recipe(format!(
                "Accuracy needs a classification head, and this checkpoint ({}) has none; leave the evaluation data out, or evaluate the task features.",
                architecture.class
            )));
        };
        Ok(Self {
            activation: *activation,
            pooler: DeviceLinear::upload(device, &HostLinear::read(checkpoint, pooler).await?).await?,
            classifier: DeviceLinear::upload(device, &HostLinear::read(checkpoint, classifier).await?).await?,
        })
    }

    /// Logits [sequences, labels] from the last hidden states, by the first token of each sequence.
    pub async fn logits(&self, device: &Device, states: &Tensor, segments: &Segments) -> Result<Tensor> {
        let first: Vec<u32> = segments.ranges().map(|rows| rows.start as u32).collect();
        let tokens = device.select(states, Some(&first), None).await?;
        let pooled = self.pooler.apply(device, &tokens, self.activation).await?;
        self.classifier.apply(device, &pooled, Activation::Identity).await
    }

    /// The gradient with respect to the last hidden states, [tokens, hidden], from that with respect to the logits.
    pub async fn backward(&self, device: &Device, states: &Tensor, segments: &Segments, upstream: &Tensor) -> Result<Tensor> {
        let first: Vec<u32> = segments.ranges().map(|rows| rows.start as u32).collect();
        let tokens = device.select(states, Some(&first), None).await?;
        let pooled = self.pooler.apply(device, &tokens, Activation::Identity).await?;
        let through = device.activate_backward(&pooled, &self.classifier.backward(device, upstream).await?, self.activation).await?;
        spread(device, &self.pooler.backward(device, &through).await?, &first, states.rows()).await
    }
}
