//! Last hidden states, which are the output of a model without a head.

use super::layers::{group_tokens, groups};
use super::{batch_tokens, last_states};
use crate::base::{Phase, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::{DeviceNorm, batches, cosine};
use crate::model::Architecture;
use crate::text::Tokenizer;

/// Hidden states above the last block.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Row-major [tokens, hidden], sequence after sequence.
    pub states: Vec<f32>,
    /// Tokens of each sequence.
    pub lengths: Vec<usize>,
    /// Width.
    pub hidden: usize,
}

/// Last hidden states of every token of every line.
pub async fn features(
    device: &Device,
    run: &Run,
    phase: Phase,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    tokenizer: &Tokenizer,
    lines: &[String],
) -> Result<Features> {
    let sequences = lines.iter().map(|line| tokenizer.encode_line_cut(line, architecture.positions)).collect::<Result<Vec<_>>>()?;
    let mut states = Vec::new();
    let norm = match &architecture.final_norm {
        Some(norm) => Some(DeviceNorm::read(device, checkpoint, norm, architecture.norm_eps).await?),
        None => None,
    };
    for group in groups(&sequences, group_tokens(device, architecture.hidden)) {
        let batches = batches(group, batch_tokens(device));
        for state in last_states(device, run, phase, checkpoint, architecture, &batches).await? {
            let state = match &norm {
                Some(norm) => norm.apply(device, &state).await?,
                None => state,
            };
            states.extend(device.read(&state).await?);
        }
    }
    Ok(Features { states, lengths: sequences.iter().map(Vec::len).collect(), hidden: architecture.hidden })
}

impl Features {
    /// 1 - the mean cosine similarity of token states to a reference's over the same lines: 0 for the same model.
    pub fn distance(&self, reference: &Self) -> f64 {
        let width = self.hidden.max(1);
        let pairs = self.states.chunks_exact(width).zip(reference.states.chunks_exact(width));
        let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (a, b)| (sum + cosine(a, b), count + 1.0));
        if count > 0.0 { 1.0 - sum / count } else { 0.0 }
    }
}
