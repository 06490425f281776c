//! Scaled dot-product attention over packed sequences.

use super::elements::{binary, of_rows, scaled, unary};
use super::{Cpu, SLICE_FLOPS};
use crate::base::Result;
use crate::device::{AttentionShape, Segments, Tensor};
use candle_core::Tensor as Candle;
use candle_core::op::{Add, Div, Exp, Sub};

impl Cpu {
    /// See [`crate::device::Device::attention`].
    pub async fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, segments: &Segments, shape: AttentionShape) -> Result<Tensor> {
        let AttentionShape { heads, kv_heads, head_dim, causal } = shape;
        let cached = segments.tokens().saturating_sub(q.rows);
        q.expect("the queries", if segments.len() == 1 { q.rows } else { segments.tokens() }, heads * head_dim)?;
        k.expect_rows("the keys", segments.tokens(), kv_heads * head_dim)?;
        v.expect_rows("the values", segments.tokens(), kv_heads * head_dim)?;
        if heads == 0 || q.rows == 0 {
            return self.zeros(q.rows, q.cols).await;
        }
        let (q, k, v) = (q.cpu()?.get(), k.cpu()?.get(), v.cpu()?.get());
        let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
        let mut contexts = Vec::with_capacity(segments.len());
        for rows in segments.ranges() {
            self.pace().await?;
            let length = rows.len();
            if length == 0 {
                continue;
            }
            // [heads, length, head_dim]; query heads of one KV group read the same keys and values.
            let by_head = |tensor: &Candle, heads: usize, length: usize| -> Result<Candle> {
                Ok(tensor.narrow(0, rows.start, length)?.reshape((length, heads, head_dim))?.transpose(0, 1)?.contiguous()?)
            };
            let queries = length - cached;
            let repeat = |tensor: Candle| -> Result<Candle> {
                let group = heads / kv_heads;
                if group == 1 {
                    return Ok(tensor);
                }
                let spread = tensor.unsqueeze(1)?.expand((kv_heads, group, length, head_dim))?;
                Ok(spread.reshape((heads, length, head_dim))?)
            };
            let (qs, ks, vs) =
                (by_head(&q, heads, queries)?, repeat(by_head(&k, kv_heads, length)?)?, repeat(by_head(&v, kv_heads, length)?)?);
            // By slices of queries: scores of long sequences are large, and take long.
            let step = (SLICE_FLOPS / (4 * heads * length * head_dim).max(1)).clamp(1, queries);
            for first in (0..queries).step_by(step) {
                self.pace().await?;
                let count = step.min(queries - first);
                let part = qs.narrow(1, first, count)?.contiguous()?;
                let mut scores = scaled(&part.matmul(&ks.transpose(1, 2)?)?, scale)?;
                if causal {
                    scores = binary::<Add>(&scores, &causal_mask(first + length - queries, count, length)?)?;
                }
                let largest = of_rows(&scores, |row| row.iter().copied().fold(f32::NEG_INFINITY, f32::max))?;
                let shifted = unary::<Exp>(&binary::<Sub>(&scores, &largest)?)?;
                let sums = of_rows(&shifted, |row| row.iter().map(|&value| f64::from(value)).sum::<f64>() as f32)?;
                let weights = binary::<Div>(&shifted, &sums)?;
                contexts.push(weights.matmul(&vs)?.transpose(0, 1)?.reshape((count, heads * head_dim))?);
            }
        }
        self.wrap(Candle::cat(&contexts, 0)?)
    }
}

/// [queries, length] of 0 where a key may be seen and -infinity where it lies ahead; query i is row `first` + i of the sequence.
pub(super) fn causal_mask(first: usize, queries: usize, length: usize) -> Result<Candle> {
    let values: Vec<f32> =
        (0..queries).flat_map(|query| (0..length).map(move |key| if key > first + query { f32::NEG_INFINITY } else { 0.0 })).collect();
    Ok(Candle::from_vec(values, (queries, length), &candle_core::Device::Cpu)?)
}
