//! Attention within packed sequences.

use super::record::Launch;
use super::shader::Kernel;
use super::span::GRANULE;
use super::{Gpu, step, width};
use crate::base::{Error, Result};
use crate::device::{AttentionShape, Segments, Tensor};
use std::ops::Range;

impl Gpu {
    /// See [`super::super::Device::attention`].
    pub async fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, segments: &Segments, shape: AttentionShape) -> Result<Tensor> {
        let AttentionShape { heads, kv_heads, head_dim, causal } = shape;
        let n = segments.tokens();
        // With a cache, the queries are the last rows of the one sequence.
        let cached = if segments.len() == 1 { n.saturating_sub(q.rows) } else { 0 };
        q.expect("q of attention", n - cached, heads * head_dim)?;
        k.expect_rows("k of attention", n, kv_heads * head_dim)?;
        v.expect_rows("v of attention", n, kv_heads * head_dim)?;
        if kv_heads == 0 || head_dim == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(Error::internal(format_args!("attention with {heads} query heads of {head_dim} and {kv_heads} key heads")));
        }
        let bounds = bounds(segments);
        let bound_buffer = self.upload_indices(&bounds).await?;
        let out = self.tensor(n - cached, q.cols)?;
        let longest = segments.ranges().map(|range| range.len()).max().unwrap_or(0);
        let row_cost = 6.0 * longest as f64 * q.cols as f64;
        for span in self.spans(n - cached, q.cols as u64 * 4, row_cost) {
            let keys = keys(&bounds, &(span.start + cached..span.end + cached));
            self.launch(Launch {
                kernel: Kernel::new("attention.wgsl").with("WIDTH", width(head_dim)).with("LENGTH", head_dim / step(head_dim)),
                storage: &[
                    self.window(q, span.clone())?,
                    self.window(k, keys.clone())?,
                    self.window(v, keys.clone())?,
                    self.part(&bound_buffer, 0, bounds.len() as u64 * 4)?,
                    self.window(&out, span.clone())?,
                ],
                params: &[
                    span.len() as u32,
                    (span.start + cached) as u32,
                    keys.start as u32,
                    heads as u32,
                    kv_heads as u32,
                    u32::from(causal),
                    (1.0 / (head_dim as f32).sqrt()).to_bits(),
                ],
                groups: [span.len().div_ceil(64), heads],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }
}

/// First row and end of the sequence of each row.
pub(super) fn bounds(segments: &Segments) -> Vec<u32> {
    segments.ranges().flat_map(|range| std::iter::repeat_n([range.start as u32, range.end as u32], range.len()).flatten()).collect()
}

/// The keys that the rows of `span` may see, from an aligned row on.
pub(super) fn keys(bounds: &[u32], span: &Range<usize>) -> Range<usize> {
    let start = bounds[2 * span.start] as usize;
    let end = bounds[2 * span.end - 1] as usize;
    start / GRANULE * GRANULE..end
}
