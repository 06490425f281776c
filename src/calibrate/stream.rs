//! Hidden states of the calibration set, between layers.

use super::store::{Kept, Store};
use crate::base::Result;
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor};
use crate::forward::{Batch, Embedding};
use crate::model::Architecture;

/// One tensor [tokens, hidden] a batch, each wherever the store has room.
#[derive(Clone)]
pub struct Stream(Vec<Kept>);

impl Stream {
    /// The states below the first block.
    pub async fn embed(
        device: &Device,
        store: &Store,
        checkpoint: &Checkpoint,
        architecture: &Architecture,
        batches: &[Batch],
    ) -> Result<Self> {
        Self::of(device, store, &Embedding::new(device, checkpoint, architecture, batches).await?, batches).await
    }

    /// The states that embedding tables give.
    pub async fn of(device: &Device, store: &Store, embedding: &Embedding, batches: &[Batch]) -> Result<Self> {
        let mut kept = Vec::with_capacity(batches.len());
        for batch in batches {
            kept.push(store.keep(device, embedding.states(device, batch).await?, false).await?);
        }
        Ok(Self(kept))
    }

    /// The states of a batch, on the device.
    pub async fn get(&self, device: &Device, store: &Store, batch: usize) -> Result<Tensor> {
        store.fetch(device, &self.0[batch]).await
    }

    /// Width of the states; 0 where there is no batch.
    pub fn width(&self) -> usize {
        self.0.first().map_or(0, Kept::cols)
    }

    /// Replaces the states of a batch.
    pub async fn set(&mut self, device: &Device, store: &Store, batch: usize, states: Tensor) -> Result<()> {
        // The old ones first, so that the new ones find their room.
        let old = self.0.remove(batch);
        drop(old);
        self.0.insert(batch, store.keep(device, states, false).await?);
        Ok(())
    }
}
