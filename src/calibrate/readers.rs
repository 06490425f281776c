//! Sums over tokens of what the residual stream's readers read: its normalised channels, at every sublayer and under the head.

use super::{HostSums, KeptMoments, Moments, Store, Stream};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::{Batch, DeviceNorm};
use crate::model::{Architecture, Head};

/// Column sums of the inputs of all readers.
#[derive(Debug, Clone)]
pub struct Readers {
    /// Of each layer: what attention reads, then what the FFN reads, [hidden] each.
    pub layers: Vec<[HostSums; 2]>,
    /// What the head reads, [hidden]: of a classifier the first token of each sequence.
    pub head: HostSums,
}

/// Sums of a layer while they are taken.
pub(super) struct LayerReaders([Moments; 2]);

impl LayerReaders {
    pub(super) async fn new(device: &Device, hidden: usize, gram: bool) -> Result<Self> {
        Ok(Self([Moments::new(device, hidden, gram).await?, Moments::new(device, hidden, gram).await?]))
    }

    pub(super) fn of(&mut self, sublayer: usize) -> Result<&mut Moments> {
        self.0.get_mut(sublayer).ok_or_else(|| Error::internal("a third sublayer"))
    }

    pub(super) async fn keep(self, device: &Device, store: &Store) -> Result<[KeptMoments; 2]> {
        let [attention, ffn] = self.0;
        Ok([KeptMoments::keep(device, store, attention).await?, KeptMoments::keep(device, store, ffn).await?])
    }
}

/// Sums of what the head reads, from the states above the last block.
pub(super) async fn head_sums(
    device: &Device,
    store: &Store,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    states: &Stream,
    batches: &[Batch],
) -> Result<HostSums> {
    let norm = match &architecture.final_norm {
        Some(norm) => Some(DeviceNorm::read(device, checkpoint, norm, architecture.norm_eps).await?),
        None => None,
    };
    let mut sums = Moments::new(device, architecture.hidden, false).await?;
    for (number, batch) in batches.iter().enumerate() {
        let mut x = states.get(device, store, number).await?;
        if matches!(architecture.head, Head::Classifier { .. }) {
            x = device.select(&x, Some(&batch.firsts()), None).await?;
        }
        if let Some(norm) = &norm {
            x = norm.apply(device, &x).await?;
        }
        sums.add(device, &x).await?;
    }
    sums.read_sums(device).await
}
