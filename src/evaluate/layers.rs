//! All blocks over a set of batches, one layer at a time, so that only one layer's weights are on the device.

use crate::base::{Phase, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor};
use crate::forward::{Batch, Block, each_layer, embed};
use crate::model::Architecture;

/// Hidden states above the last block, one tensor [tokens, hidden] a batch.
pub async fn last_states(
    device: &Device,
    run: &Run,
    phase: Phase,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    batches: &[Batch],
) -> Result<Vec<Tensor>> {
    let depth = architecture.layers.len();
    run.report(phase, None, depth, 0.0);
    let mut states = embed(device, checkpoint, architecture, batches).await?;
    each_layer(checkpoint, architecture, async |index, layer, host| {
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        drop(host);
        for (number, batch) in batches.iter().enumerate() {
            run.report(phase, Some(index), depth, (index as f64 + number as f64 / batches.len() as f64) / depth as f64);
            states[number] = block.apply(device, &states[number], batch).await?;
        }
        device.finish().await
    })
    .await?;
    run.report(phase, None, depth, 1.0);
    Ok(states)
}

/// Tokens that go through a block together: enough to fill the device, few enough to stay responsive.
pub fn batch_tokens(device: &Device) -> usize {
    let info = device.info();
    if info.kind == "gpu" && !info.software { 4096 } else { 512 }
}
