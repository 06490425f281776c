//! Sums of tensors, and the dot product of two.

use super::pool::Fill;
use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, step, width};
use crate::base::Result;
use crate::device::Tensor;
use crate::device::tensor::Data;

/// Threads of a workgroup of these kernels.
const GROUP: usize = 64;
/// Elements (or quadruples) that one thread of dot.wgsl adds up.
const STEPS: usize = 64;

impl Gpu {
    /// See [`super::super::Device::add`].
    pub async fn add(&self, a: &Tensor, b: &Tensor, scale: f32) -> Result<Tensor> {
        b.expect("second operand of add", a.rows, a.cols)?;
        let out = self.tensor(a.rows, a.cols)?;
        let row_cost = 4.0 * a.cols as f64;
        for span in self.spans(a.rows, a.cols as u64 * 4, row_cost) {
            let count = span.len() * a.cols / step(a.cols);
            let (groups, per_row) = grid(count.div_ceil(GROUP));
            self.launch(Launch {
                kernel: Kernel::new("add.wgsl").with("WIDTH", width(a.cols)),
                storage: &[self.window(a, span.clone())?, self.window(b, span.clone())?, self.window(&out, span.clone())?],
                params: &[count as u32, (per_row * GROUP) as u32, scale.to_bits()],
                groups,
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::dot`].
    pub async fn dot(&self, a: &Tensor, b: &Tensor) -> Result<f64> {
        b.expect("second operand of dot", a.rows, a.cols)?;
        let row_cost = 4.0 * a.cols as f64;
        let mut sum = 0.0;
        for span in self.spans(a.rows, a.cols as u64 * 4, row_cost) {
            let count = span.len() * a.cols / step(a.cols);
            let groups_needed = count.div_ceil(GROUP * STEPS);
            let (groups, per_row) = grid(groups_needed);
            let partial = Tensor {
                rows: groups_needed,
                cols: GROUP,
                data: Data::Gpu(self.context.pool.take((groups_needed * GROUP * 4) as u64, Fill::Commands)?),
            };
            self.launch(Launch {
                kernel: Kernel::new("dot.wgsl").with("WIDTH", width(a.cols)),
                storage: &[self.window(a, span.clone())?, self.window(b, span.clone())?, self.whole(&partial)?],
                params: &[count as u32, per_row as u32],
                groups,
                cost: row_cost * span.len() as f64,
            })
            .await?;
            sum += self.read(&partial).await?.iter().map(|&part| f64::from(part)).sum::<f64>();
        }
        Ok(sum)
    }
}

/// Workgroups in two dimensions, since one may have 65,535 at most, and how many are in a row.
pub(super) fn grid(groups: usize) -> ([usize; 2], usize) {
    let per_row = groups.clamp(1, 1 << 15);
    ([per_row, groups.div_ceil(per_row)], per_row)
}
