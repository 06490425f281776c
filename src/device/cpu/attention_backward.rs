//! Gradients of attention over packed sequences.

use super::attention::causal_mask;
use super::elements::{binary, of_rows, scaled, unary};
use super::{Cpu, SLICE_FLOPS};
use crate::base::Result;
use crate::device::{AttentionShape, Segments, Tensor};
use candle_core::Tensor as Candle;
use candle_core::op::{Add, Div, Exp, Mul, Sub};

impl Cpu {
    /// See [`crate::device::Device::attention_backward`].
    pub async fn attention_backward(
        &self,
        [q, k, v]: [&Tensor; 3],
        context: &Tensor,
        upstream: &Tensor,
        segments: &Segments,
        shape: AttentionShape,
    ) -> Result<[Tensor; 3]> {
        let AttentionShape { heads, kv_heads, head_dim, causal } = shape;
        let n = segments.tokens();
        for (what, tensor, heads) in [
            ("the queries", q, heads),
            ("the contexts", context, heads),
            ("the gradient of contexts", upstream, heads),
            ("the keys", k, kv_heads),
            ("the values", v, kv_heads),
        ] {
            tensor.expect(what, n, heads * head_dim)?;
        }
        if heads == 0 || n == 0 {
            return Ok([self.zeros(n, q.cols).await?, self.zeros(n, k.cols).await?, self.zeros(n, v.cols).await?]);
        }
        let group = heads / kv_heads;
        let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
        let [q, k, v, context, upstream] = [q.cpu()?.get(), k.cpu()?.get(), v.cpu()?.get(), context.cpu()?.get(), upstream.cpu()?.get()];
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for rows in segments.ranges().filter(|rows| !rows.is_empty()) {
            let length = rows.len();
            // [kv_heads, group * length, head_dim]: the query heads of one KV group follow one another, and read the same keys.
            let by_head = |tensor: &Candle, group: usize| -> Result<Candle> {
                let split = tensor.narrow(0, rows.start, length)?.reshape((length, kv_heads, group, head_dim))?;
                Ok(split.permute((1, 2, 0, 3))?.contiguous()?)
            };
            let back = |tensor: Candle, group: usize| -> Result<Candle> {
                let split = tensor.reshape((kv_heads, group, length, head_dim))?.permute((2, 0, 1, 3))?;
                Ok(split.reshape((length, kv_heads * group * head_dim))?)
            };
            let (qs, contexts, upstreams) = (by_head(&q, group)?, by_head(&context, group)?, by_head(&upstream, group)?);
            let (ks, vs) = (by_head(&k, 1)?.squeeze(1)?, by_head(&v, 1)?.squeeze(1)?);
            let (mut dk, mut dv) = (ks.zeros_like()?, vs.zeros_like()?);
            let mut dqs = Vec::new();
            // By slices of queries, as in the forward direction.
            let step = (SLICE_FLOPS / (10 * heads * length * head_dim).max(1)).clamp(1, length);
            for first in (0..length).step_by(step) {
                self.pace().await?;
                let count = step.min(length - first);
                let slice = |tensor: &Candle| -> Result<Candle> {
                    Ok(tensor.narrow(2, first, count)?.reshape((kv_heads, group * count, head_dim))?)
                };
                let (qs, contexts, upstreams) = (slice(&qs)?, slice(&contexts)?, slice(&upstreams)?);
                let mut scores = scaled(&qs.matmul(&ks.transpose(1, 2)?)?, scale)?;
                if causal {
                    let mask = causal_mask(first, count, length)?;
                    scores = binary::<Add>(&scores, &Candle::cat(&vec![mask; group], 0)?)?;
                }
                let sum_of = |row: &[f32]| row.iter().map(|&value| f64::from(value)).sum::<f64>() as f32;
                let largest = of_rows(&scores, |row| row.iter().copied().fold(f32::NEG_INFINITY, f32::max))?;
                let shifted = unary::<Exp>(&binary::<Sub>(&scores, &largest)?)?;
                let weights = binary::<Div>(&shifted, &of_rows(&shifted, sum_of)?)?;
                dv = binary::<Add>(&dv, &weights.transpose(1, 2)?.matmul(&upstreams)?)?;
                let mean = of_rows(&binary::<Mul>(&contexts, &upstreams)?, sum_of)?;
                let change = binary::<Sub>(&upstreams.matmul(&vs.transpose(1, 2)?)?, &mean)?;
                let shares = scaled(&binary::<Mul>(&weights, &change)?, scale)?;
                dk = binary::<Add>(&dk, &shares.transpose(1, 2)?.matmul(&qs)?)?;
                dqs.push(shares.matmul(&ks)?.reshape((kv_heads, group, count, head_dim))?);
            }
            parts[0].push(back(Candle::cat(&dqs, 2)?, group)?);
            parts[1].push(back(dk, 1)?);
            parts[2].push(back(dv, 1)?);
        }
        let [dq, dk, dv] = parts;
        Ok([self.wrap(Candle::cat(&dq, 0)?)?, self.wrap(Candle::cat(&dk, 0)?)?, self.wrap(Candle::cat(&dv, 0)?)?])
    }
}
