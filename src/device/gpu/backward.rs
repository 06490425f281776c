//! Gradients with respect to the inputs of operations.

use super::elementwise::grid;
use super::gemm::{Gemm, Operand, code};
use super::record::Launch;
use super::shader::Kernel;
use super::span::GRANULE;
use super::{Gpu, step, width};
use crate::base::{Error, Result};
use crate::device::{Activation, Op, Segments, Tensor, Weight};
use std::ops::Range;

/// Threads of a workgroup of these kernels.
const GROUP: usize = 64;

impl Gpu {
    /// See [`super::super::Device::linear_backward`].
    pub async fn linear_backward(&self, upstream: &Tensor, weight: &Weight) -> Result<Tensor> {
        upstream.expect("upstream of linear_backward", upstream.rows, weight.outputs)?;
        let packed = weight.gpu()?;
        let out = self.tensor(upstream.rows, weight.inputs)?;
        let (stride, op) = if packed.rows_are_outputs { (weight.inputs, Op::N) } else { (weight.outputs, Op::T) };
        let a = Operand::new(upstream.gpu()?, upstream.cols, Op::N);
        let b = Operand { packed: packed.dtype, ..Operand::new(&packed.buffer, stride, op) };
        let c = Operand::new(out.gpu()?, out.cols, Op::N);
        self.gemm(&Gemm::new(a, b, c, [upstream.rows, weight.inputs, weight.outputs])).await?;
        Ok(out)
    }

    /// See [`super::super::Device::activate`].
    pub async fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.elements("activate.wgsl", &[x], activation).await
    }

    /// See [`super::super::Device::activate_backward`].
    pub async fn activate_backward(&self, x: &Tensor, upstream: &Tensor, activation: Activation) -> Result<Tensor> {
        upstream.expect("upstream of activate_backward", x.rows, x.cols)?;
        self.elements("activate_backward.wgsl", &[x, upstream], activation).await
    }

    /// A kernel from tensors of one shape to another of that shape, an element a thread.
    async fn elements(&self, file: &'static str, inputs: &[&Tensor], activation: Activation) -> Result<Tensor> {
        let (rows, cols) = (inputs[0].rows, inputs[0].cols);
        let out = self.tensor(rows, cols)?;
        let row_cost = 20.0 * cols as f64;
        for span in self.spans(rows, cols as u64 * 4, row_cost) {
            let count = span.len() * cols;
            let (groups, per_row) = grid(count.div_ceil(GROUP));
            let mut storage = Vec::with_capacity(inputs.len() + 1);
            for tensor in inputs.iter().copied().chain([&out]) {
                storage.push(self.window(tensor, span.clone())?);
            }
            self.launch(Launch {
                kernel: Kernel::new(file),
                storage: &storage,
                params: &[count as u32, (per_row * GROUP) as u32, code(activation)],
                groups,
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::layer_norm_backward`].
    pub async fn layer_norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32) -> Result<Tensor> {
        self.norm_backward(x, gain, upstream, eps, true).await
    }

    /// See [`super::super::Device::rms_norm_backward`].
    pub async fn rms_norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32) -> Result<Tensor> {
        self.norm_backward(x, gain, upstream, eps, false).await
    }

    async fn norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32, centred: bool) -> Result<Tensor> {
        gain.expect("gain of norm_backward", 1, x.cols)?;
        upstream.expect("upstream of norm_backward", x.rows, x.cols)?;
        let out = self.tensor(x.rows, x.cols)?;
        let row_cost = 30.0 * x.cols as f64;
        for span in self.spans(x.rows, x.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("norm_backward.wgsl").with("WIDTH", width(x.cols)),
                storage: &[
                    self.window(x, span.clone())?,
                    self.whole(gain)?,
                    self.window(upstream, span.clone())?,
                    self.window(&out, span.clone())?,
                ],
                params: &[span.len() as u32, x.cols as u32, u32::from(centred), eps.to_bits()],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::segment_dots`].
    pub async fn segment_dots(&self, a: &Tensor, b: &Tensor, segments: &Segments) -> Result<Tensor> {
        a.expect("first operand of segment_dots", segments.tokens(), a.cols)?;
        b.expect("second operand of segment_dots", a.rows, a.cols)?;
        let out = self.zeros(segments.len(), a.cols).await?;
        let (length, row_cost) = (a.cols / step(a.cols), 4.0 * a.cols as f64);
        for span in self.spans(a.rows, a.cols as u64 * 4, row_cost) {
            // The segments from the first to the last that reach into the span, with the part of each that lies in it.
            let inside = |rows: &Range<usize>| rows.start < span.end && rows.end > span.start;
            let first = segments.ranges().take_while(|rows| !inside(rows)).count();
            let count = segments.ranges().skip(first).take_while(|rows| rows.start < span.end).count();
            let bounds: Vec<u32> = segments
                .ranges()
                .skip(first)
                .take(count)
                .flat_map(|rows| [rows.start, rows.end])
                .map(|row| (row.clamp(span.start, span.end) - span.start) as u32)
                .collect();
            let list = self.upload_indices(&bounds).await?;
            let begin = first / GRANULE * GRANULE;
            self.launch(Launch {
                kernel: Kernel::new("segment_dots.wgsl").with("WIDTH", width(a.cols)),
                storage: &[
                    self.window(a, span.clone())?,
                    self.window(b, span.clone())?,
                    self.part(&list, 0, bounds.len() as u64 * 4)?,
                    self.window(&out, begin..first + count)?,
                ],
                params: &[length as u32, (first - begin) as u32],
                groups: [length.div_ceil(GROUP), count],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::sample_tile`].
    pub async fn sample_tile(&self, logits: &Tensor, first: usize, norms: &Tensor, state: &Tensor) -> Result<()> {
        norms.expect("norms of sample_tile", logits.rows, 1)?;
        state.expect("state of sample_tile", logits.rows, 2)?;
        let row_cost = 10.0 * logits.cols as f64;
        for span in self.spans(logits.rows, logits.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("sample_tile.wgsl"),
                storage: &[self.window(logits, span.clone())?, self.window(norms, span.clone())?, self.window(state, span.clone())?],
                params: &[span.len() as u32, logits.cols as u32, first as u32],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(())
    }

    /// See [`super::super::Device::softmax_backward_tile`].
    pub async fn softmax_backward_tile(&self, logits: &Tensor, first: usize, targets: &[u32], rows: &Tensor) -> Result<Tensor> {
        rows.expect("rows of softmax_backward_tile", logits.rows, 2)?;
        if targets.len() != logits.rows {
            return Err(Error::internal("softmax_backward_tile with targets of another length"));
        }
        let list = self.upload_indices(targets).await?;
        let out = self.tensor(logits.rows, logits.cols)?;
        let row_cost = 10.0 * logits.cols as f64;
        for span in self.spans(logits.rows, logits.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("softmax_backward_tile.wgsl"),
                storage: &[
                    self.window(logits, span.clone())?,
                    self.part(&list, 0, targets.len() as u64 * 4)?,
                    self.window(rows, span.clone())?,
                    self.window(&out, span.clone())?,
                ],
                params: &[logits.cols as u32, first as u32, span.start as u32],
                groups: [logits.cols.div_ceil(GROUP), span.len()],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }
}
