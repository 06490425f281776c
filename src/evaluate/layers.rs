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

/// Tokens that go through the model together: as many as leave most of the budget to weights and activations, since each
/// group reads all layers again. `widths` is the number of values that are held a token.
pub(super) fn group_tokens(device: &Device, widths: usize) -> usize {
    let fit = device.budget() / 4 / (4 * widths.max(1) as u64);
    usize::try_from(fit).unwrap_or(usize::MAX).max(batch_tokens(device))
}

/// Consecutive sequences of at most `tokens` tokens in all, at least one.
pub(super) fn groups(sequences: &[Vec<u32>], tokens: usize) -> Vec<&[Vec<u32>]> {
    let (mut groups, mut start, mut filled) = (Vec::new(), 0, 0);
    for (index, sequence) in sequences.iter().enumerate() {
        if filled + sequence.len() > tokens && index > start {
            groups.push(&sequences[start..index]);
            (start, filled) = (index, 0);
        }
        filled += sequence.len();
    }
    if start < sequences.len() {
        groups.push(&sequences[start..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_keep_the_order_and_the_limit() {
        let sequences = vec![vec![1, 2, 3], vec![4], vec![5, 6, 7, 8, 9], vec![10, 11]];
        let lengths: Vec<usize> = groups(&sequences, 4).iter().map(|group| group.len()).collect();
        assert_eq!(lengths, [2, 1, 1]);
        assert_eq!(groups(&sequences, 4).concat(), sequences);
        assert!(groups(&[], 4).is_empty());
    }
}
