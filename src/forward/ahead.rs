//! The layers of a checkpoint in order, read one ahead of the work.

use super::HostLayer;
use crate::base::Result;
use crate::checkpoint::Checkpoint;
use crate::model::{Architecture, Layer};
use futures_util::future::try_join;

/// Calls `work` with every layer and its weights. While it works on one layer, the next one is read; so two layers are on
/// the host at a time, unless `work` drops its own early.
pub async fn each_layer(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    mut work: impl AsyncFnMut(usize, &Layer, HostLayer) -> Result<()>,
) -> Result<()> {
    let read = async |index: usize| match architecture.layers.get(index) {
        Some(layer) => HostLayer::read(checkpoint, layer).await.map(Some),
        None => Ok(None),
    };
    let mut next = read(0).await?;
    for (index, layer) in architecture.layers.iter().enumerate() {
        let Some(host) = next.take() else { break };
        (next, ()) = try_join(read(index + 1), work(index, layer, host)).await?;
    }
    Ok(())
}
