//! Tensors beside the blocks' linear layers in a narrower residual stream: embeddings, normalisations, heads.

use super::convert::{encoded, joined};
use crate::allocate::Plan;
use crate::base::{Result, yield_now};
use crate::checkpoint::{Checkpoint, Data, Dtype, Entry, Layout, Matrix, OutputTensor, Scratch};
use crate::model::{Architecture, Side, Sides};
use crate::score::pooled_outputs;
use std::collections::HashMap;

/// Bytes that are sliced at a time.
const PIECE: u64 = 4 << 20;

/// What stays of the residual stream.
pub(super) struct Narrowing {
    sides: Sides,
    hidden: Vec<u32>,
    pooled: Vec<u32>,
}

impl Narrowing {
    /// What a plan keeps; nothing where it keeps all channels.
    pub(super) async fn of(architecture: &Architecture, checkpoint: &Checkpoint, plan: &Plan) -> Result<Option<Self>> {
        let Some(hidden) = plan.kept_hidden(architecture).map(<[u32]>::to_vec) else { return Ok(None) };
        let pooled = pooled_outputs(checkpoint, architecture, hidden.len()).await?;
        Ok(Some(Self { sides: architecture.hidden_sides(checkpoint), hidden, pooled }))
    }

    /// A tensor of the input with the channels that stay, in `dtype`; nothing where it has no side of the residual stream.
    ///
    /// # Errors
    /// A value is out of the range of `dtype`, or reading or scratch fails.
    pub(super) async fn slice(&self, entry: &Entry, dtype: Dtype, scratch: &dyn Scratch) -> Result<Option<OutputTensor>> {
        let Some(&[rows, cols]) = self.sides.get(&entry.name) else { return Ok(None) };
        let (kept_rows, kept_cols) = (self.kept(rows), self.kept(cols));
        let (count, width) = (entry.shape.first().map_or(0, |&rows| rows as usize), entry.shape.get(1).map_or(1, |&cols| cols as usize));
        let row_bytes = (width * entry.dtype.size()) as u64;
        let step = (PIECE / row_bytes.max(1)).max(1) as usize;
        let mut pieces = Vec::new();
        for first in (0..count).step_by(step) {
            let last = count.min(first + step);
            let start = entry.range.start + first as u64 * row_bytes;
            let bytes = entry.source.read(start..start + (last - first) as u64 * row_bytes).await?;
            let mut part = Matrix { rows: last - first, cols: width, dtype: entry.dtype, layout: Layout::OutIn, bytes };
            if let Some(rows) = kept_rows {
                let here: Vec<u32> =
                    rows.iter().filter(|&&row| (first..last).contains(&(row as usize))).map(|row| row - first as u32).collect();
                part = part.keep_outputs(&here);
            }
            if let Some(cols) = kept_cols {
                part = part.keep_inputs(cols);
            }
            pieces.push(scratch.put(&entry.name, encoded(&entry.name, entry.dtype, dtype, part.bytes)?).await?);
            yield_now().await;
        }
        let lengths = [kept_rows.map_or(count, <[u32]>::len), kept_cols.map_or(width, <[u32]>::len)];
        let shape = lengths[..entry.shape.len().min(2)].iter().map(|&length| length as u64).collect();
        Ok(Some(OutputTensor { name: entry.name.clone(), dtype, shape, data: Data::Changed(joined(&entry.name, pieces)) }))
    }

    /// What stays along a side.
    fn kept(&self, side: Side) -> Option<&[u32]> {
        match side {
            Side::Whole => None,
            Side::Hidden => Some(&self.hidden),
            Side::Pooled => Some(&self.pooled),
        }
    }
}

/// Shapes of those tensors in a residual stream of width `hidden`, by name.
pub(super) fn shapes(architecture: &Architecture, checkpoint: &Checkpoint, hidden: usize) -> HashMap<String, Vec<u64>> {
    let shape = |(name, sides): (String, [Side; 2])| {
        let lengths = checkpoint.get(&name)?.shape.iter().zip(sides);
        let shape = lengths.map(|(&length, side)| if side == Side::Whole { length } else { hidden as u64 }).collect();
        Some((name, shape))
    };
    architecture.hidden_sides(checkpoint).into_iter().filter_map(shape).collect()
}
