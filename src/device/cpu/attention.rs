//! Scaled dot-product attention over packed sequences.

use super::Cpu;
use crate::base::Result;
use crate::device::{AttentionShape, Segments, Tensor};
use candle_core::Tensor as Candle;

impl Cpu {
    /// See [`crate::device::Device::attention`].
    pub async fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, segments: &Segments, shape: AttentionShape) -> Result<Tensor> {
        let AttentionShape { heads, kv_heads, head_dim, causal } = shape;
        let cached = segments.tokens().saturating_sub(q.rows);
        q.expect("the queries", if segments.len() == 1 { q.rows } else { segments.tokens() }, heads * head_dim)?;
        k.expect("the keys", segments.tokens(), kv_heads * head_dim)?;
        v.expect("the values", segments.tokens(), kv_heads * head_dim)?;
        if heads == 0 || q.rows == 0 {
            return self.zeros(q.rows, q.cols).await;
        }
        let (q, k, v) = (q.cpu()?.get(), k.cpu()?.get(), v.cpu()?.get());
        let scale = 1.0 / (head_dim as f64).sqrt();
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
            let mut scores = (qs.matmul(&ks.transpose(1, 2)?)? * scale)?;
            if causal {
                scores = scores.broadcast_add(&causal_mask(queries, length)?)?;
            }
            let shifted = scores.broadcast_sub(&scores.max_keepdim(2)?)?.exp()?;
            let weights = shifted.broadcast_div(&shifted.sum_keepdim(2)?)?;
            contexts.push(weights.matmul(&vs)?.transpose(0, 1)?.reshape((queries, heads * head_dim))?);
        }
        self.wrap(Candle::cat(&contexts, 0)?)
    }
}

/// [queries, length] of 0 where a key may be seen and -infinity where it lies ahead; the queries are the last rows.
fn causal_mask(queries: usize, length: usize) -> Result<Candle> {
    let ahead = |query: usize, key: usize| key > query + length - queries;
    let values: Vec<f32> =
        (0..queries).flat_map(|query| (0..length).map(move |key| if ahead(query, key) { f32::NEG_INFINITY } else { 0.0 })).collect();
    Ok(Candle::from_vec(values, (queries, length), &candle_core::Device::Cpu)?)
}
