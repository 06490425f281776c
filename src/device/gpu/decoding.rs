//! What decoders add: RMS norm, rotary positions, gates, a cache that grows, softmax over a tiled vocabulary.

use super::elementwise::grid;
use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, step, width};
use crate::base::{Error, Result};
use crate::device::Tensor;

/// Threads of a workgroup of these kernels.
const GROUP: usize = 64;

impl Gpu {
    /// See [`super::super::Device::rms_norm`].
    pub async fn rms_norm(&self, x: &Tensor, gain: &Tensor, eps: f32) -> Result<Tensor> {
        gain.expect("gain of rms_norm", 1, x.cols)?;
        let out = self.tensor(x.rows, x.cols)?;
        let row_cost = 10.0 * x.cols as f64;
        for span in self.spans(x.rows, x.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("rms_norm.wgsl").with("WIDTH", width(x.cols)),
                storage: &[self.window(x, span.clone())?, self.whole(gain)?, self.window(&out, span.clone())?],
                params: &[span.len() as u32, x.cols as u32, eps.to_bits()],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::rotary`]. Angles are computed on the CPU in f64: positions in the thousands lose digits in f32.
    pub async fn rotary(&self, x: &Tensor, positions: &[u32], frequencies: &[f32], head_dim: usize) -> Result<Tensor> {
        let half = head_dim / 2;
        if positions.len() != x.rows || frequencies.len() != half || head_dim == 0 || !x.cols.is_multiple_of(head_dim) {
            return Err(Error::internal("rotary positions of another shape"));
        }
        // Cosines and sines by distinct position, [positions, head_dim / 2] pairs.
        let mut distinct = positions.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let mut turns = Vec::with_capacity(distinct.len() * head_dim);
        for &position in &distinct {
            for &frequency in frequencies {
                let (sin, cos) = (f64::from(position) * f64::from(frequency)).sin_cos();
                turns.extend([cos as f32, sin as f32]);
            }
        }
        let turns = self.upload(distinct.len(), 2 * half, &turns).await?;
        let places: Vec<u32> = positions.iter().map(|position| distinct.binary_search(position).unwrap_or_default() as u32).collect();
        let list = self.upload_indices(&places).await?;
        let out = self.tensor(x.rows, x.cols)?;
        let row_cost = 6.0 * x.cols as f64;
        for span in self.spans(x.rows, x.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("rotary.wgsl"),
                storage: &[
                    self.window(x, span.clone())?,
                    self.whole(&turns)?,
                    self.part(&list, 0, places.len() as u64 * 4)?,
                    self.window(&out, span.clone())?,
                ],
                params: &[(x.cols / 2) as u32, half as u32, span.start as u32],
                groups: [(x.cols / 2).div_ceil(GROUP), span.len()],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::multiply`].
    pub async fn multiply(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        b.expect("second operand of multiply", a.rows, a.cols)?;
        let out = self.tensor(a.rows, a.cols)?;
        let row_cost = 4.0 * a.cols as f64;
        for span in self.spans(a.rows, a.cols as u64 * 4, row_cost) {
            let count = span.len() * a.cols / step(a.cols);
            let (groups, per_row) = grid(count.div_ceil(GROUP));
            self.launch(Launch {
                kernel: Kernel::new("multiply.wgsl").with("WIDTH", width(a.cols)),
                storage: &[self.window(a, span.clone())?, self.window(b, span.clone())?, self.window(&out, span.clone())?],
                params: &[count as u32, (per_row * GROUP) as u32],
                groups,
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::stack`].
    pub async fn stack(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        b.expect("rows to stack", b.rows, a.cols)?;
        let out = self.tensor(a.rows + b.rows, a.cols)?;
        let mut at = 0;
        for part in [a, b] {
            let bytes = (part.rows * part.cols * 4) as u64;
            if bytes > 0 {
                self.record_copy(part.gpu()?.raw()?, 0, out.gpu()?.raw()?, at, bytes);
            }
            at += bytes;
        }
        self.flush_if_due().await?;
        Ok(out)
    }

    /// See [`super::super::Device::place`].
    pub async fn place(&self, a: &Tensor, into: &Tensor, at: usize) -> Result<()> {
        into.expect_rows("rows to write over", at + a.rows, a.cols)?;
        let bytes = |rows: usize| (rows * a.cols) as u64 * 4;
        if bytes(a.rows) > 0 {
            self.record_copy(a.gpu()?.raw()?, 0, into.gpu()?.raw()?, bytes(at), bytes(a.rows));
        }
        self.flush_if_due().await
    }

    /// See [`super::super::Device::softmax_tile`].
    pub async fn softmax_tile(&self, logits: &Tensor, first: usize, targets: &[u32], state: &Tensor) -> Result<()> {
        state.expect("state of softmax_tile", logits.rows, 4)?;
        if targets.len() != logits.rows {
            return Err(Error::internal("softmax_tile with targets of another length"));
        }
        let list = self.upload_indices(targets).await?;
        let row_cost = 10.0 * logits.cols as f64;
        for span in self.spans(logits.rows, logits.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("softmax_tile.wgsl"),
                storage: &[
                    self.window(logits, span.clone())?,
                    self.part(&list, 0, targets.len() as u64 * 4)?,
                    self.window(state, span.clone())?,
                ],
                params: &[span.len() as u32, logits.cols as u32, first as u32, span.start as u32],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(())
    }

    /// See [`super::super::Device::divergence_tile`].
    pub async fn divergence_tile(
        &self,
        p_logits: &Tensor,
        p_norms: &Tensor,
        q_logits: &Tensor,
        q_norms: &Tensor,
        sums: &Tensor,
    ) -> Result<()> {
        q_logits.expect("second logits of divergence_tile", p_logits.rows, p_logits.cols)?;
        for (what, tensor) in [("first norms", p_norms), ("second norms", q_norms), ("sums", sums)] {
            tensor.expect(what, p_logits.rows, 1)?;
        }
        let row_cost = 10.0 * p_logits.cols as f64;
        for span in self.spans(p_logits.rows, p_logits.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("divergence_tile.wgsl"),
                storage: &[
                    self.window(p_logits, span.clone())?,
                    self.window(q_logits, span.clone())?,
                    self.window(p_norms, span.clone())?,
                    self.window(q_norms, span.clone())?,
                    self.window(sums, span.clone())?,
                ],
                params: &[span.len() as u32, p_logits.cols as u32],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(())
    }
}
