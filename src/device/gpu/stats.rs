//! Column sums and sums of squares; angles of rows.

use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, step, width};
use crate::base::Result;
use crate::device::Tensor;

/// Rows that one thread of column_stats.wgsl adds up.
const CHUNK: usize = 512;

impl Gpu {
    /// See [`super::super::Device::cosine_distances`].
    pub async fn cosine_distances(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        const GROUP: usize = 64;
        b.expect("second rows of cosine_distances", a.rows, a.cols)?;
        let out = self.tensor(a.rows, 1)?;
        let row_cost = 20.0 * a.cols as f64;
        for span in self.spans(a.rows, a.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("cosine_distance.wgsl").with("WIDTH", width(a.cols)),
                storage: &[self.window(a, span.clone())?, self.window(b, span.clone())?, self.window(&out, span.clone())?],
                params: &[span.len() as u32, a.cols as u32],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`super::super::Device::column_stats`].
    pub async fn column_stats(&self, x: &Tensor, sums: &Tensor) -> Result<()> {
        sums.expect("sums of column_stats", 2, x.cols)?;
        let row_cost = 8.0 * x.cols as f64;
        for span in self.spans(x.rows, x.cols as u64 * 4, row_cost) {
            let chunks = span.len().div_ceil(CHUNK);
            let length = x.cols / step(x.cols);
            let partial = self.tensor(2 * chunks, x.cols)?;
            self.launch(Launch {
                kernel: Kernel::new("column_stats.wgsl").with("WIDTH", width(x.cols)),
                storage: &[self.window(x, span.clone())?, self.whole(&partial)?],
                params: &[span.len() as u32, length as u32],
                groups: [length.div_ceil(64), chunks],
                cost: row_cost * span.len() as f64,
            })
            .await?;
            self.launch(Launch {
                kernel: Kernel::new("column_combine.wgsl"),
                storage: &[self.whole(&partial)?, self.whole(sums)?],
                params: &[chunks as u32, 2 * x.cols as u32],
                groups: [(2 * x.cols).div_ceil(64), 1],
                cost: (2 * chunks * x.cols) as f64,
            })
            .await?;
        }
        Ok(())
    }
}
