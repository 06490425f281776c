//! The logits themselves, for comparisons with another implementation.

use super::{Measured, batch_tokens, last_states};
use crate::base::{Phase, Result, Run};
use crate::device::Device;
use crate::forward::{Decoder, batches};

/// Next-token logits of every token of the windows, row-major [tokens, vocabulary], and the vocabulary. All of them are in memory
/// at once, so the windows are to be few.
///
/// # Errors
/// The model is not a causal language model.
pub async fn next_token_logits(
    device: &Device,
    run: &Run,
    phase: Phase,
    model: Measured<'_>,
    windows: &[Vec<u32>],
) -> Result<(Vec<f32>, usize)> {
    let (decoder, vocabulary) = (Decoder::read(device, model.checkpoint, model.architecture).await?, model.architecture.vocabulary);
    let batches = batches(windows, batch_tokens(device));
    let mut states = last_states(device, run, phase, model.checkpoint, model.architecture, &batches).await?;
    for state in &mut states {
        *state = decoder.normalise(state).await?;
    }
    let tokens: usize = states.iter().map(|state| state.rows()).sum();
    let mut logits = vec![0.0; tokens * vocabulary];
    for index in 0..decoder.tiles() {
        let (first, tile) = decoder.tile(index).await?;
        let mut rows = logits.chunks_exact_mut(vocabulary.max(1));
        for state in &states {
            let part = decoder.logits(state, &tile).await?;
            for (row, values) in rows.by_ref().zip(device.read(&part).await?.chunks_exact(part.cols().max(1))) {
                row[first..first + values.len()].copy_from_slice(values);
            }
        }
    }
    Ok((logits, vocabulary))
}
