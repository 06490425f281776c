//! Gradients of attention within packed sequences.

use super::attention::{bounds, keys};
use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, step, width};
use crate::base::{Error, Result};
use crate::device::{AttentionShape, Segments, Tensor};

impl Gpu {
    /// See [`super::super::Device::attention_backward`].
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
        for (what, tensor, heads) in
            [("q", q, heads), ("context", context, heads), ("upstream", upstream, heads), ("k", k, kv_heads), ("v", v, kv_heads)]
        {
            tensor.expect(what, n, heads * head_dim)?;
        }
        if kv_heads == 0 || head_dim == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(Error::internal(format_args!("attention with {heads} query heads of {head_dim} and {kv_heads} key heads")));
        }
        let bounds = bounds(segments);
        let list = self.upload_indices(&bounds).await?;
        let list = self.part(&list, 0, bounds.len() as u64 * 4)?;
        let kernel = |file| Kernel::new(file).with("WIDTH", width(head_dim)).with("LENGTH", head_dim / step(head_dim));
        let params = |rows: usize, first: usize, others: usize| {
            let scale = 1.0 / (head_dim as f32).sqrt();
            [rows as u32, first as u32, others as u32, heads as u32, kv_heads as u32, u32::from(causal), scale.to_bits()]
        };
        let traces = self.tensor(n, 2 * heads)?;
        let [dq, dk, dv] = [self.tensor(n, q.cols)?, self.tensor(n, k.cols)?, self.tensor(n, v.cols)?];
        let longest = segments.ranges().map(|range| range.len()).max().unwrap_or(0);
        let row_cost = 12.0 * longest as f64 * q.cols as f64;
        for span in self.spans(n, q.cols as u64 * 4, row_cost) {
            let seen = keys(&bounds, &span);
            self.launch(Launch {
                kernel: kernel("attention_backward_queries.wgsl"),
                storage: &[
                    self.window(q, span.clone())?,
                    self.window(k, seen.clone())?,
                    self.window(v, seen.clone())?,
                    list,
                    self.window(context, span.clone())?,
                    self.window(upstream, span.clone())?,
                    self.window(&dq, span.clone())?,
                    self.window(&traces, span.clone())?,
                ],
                params: &params(span.len(), span.start, seen.start),
                groups: [span.len().div_ceil(64), heads],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        for span in self.spans(n, q.cols as u64 * 4, row_cost) {
            // The queries that see a key lie in its sequence, too.
            let seen = keys(&bounds, &span);
            self.launch(Launch {
                kernel: kernel("attention_backward_keys.wgsl"),
                storage: &[
                    self.window(q, seen.clone())?,
                    self.window(k, span.clone())?,
                    self.window(v, span.clone())?,
                    list,
                    self.window(upstream, seen.clone())?,
                    self.window(&traces, seen.clone())?,
                    self.window(&dk, span.clone())?,
                    self.window(&dv, span.clone())?,
                ],
                params: &params(span.len(), span.start, seen.start),
                groups: [span.len().div_ceil(64), kv_heads],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok([dq, dk, dv])
    }
}
