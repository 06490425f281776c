//! Covariance blocks from raw sums.

use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, check_indices};
use crate::base::Result;
use crate::device::Tensor;

impl Gpu {
    /// See [`super::super::Device::covariance`].
    pub async fn covariance(&self, gram: &Tensor, mean: &Tensor, count: f64, rows: &[u32], cols: &[u32], damp: f32) -> Result<Tensor> {
        gram.expect("gram of covariance", gram.cols, gram.cols)?;
        mean.expect("mean of covariance", 1, gram.cols)?;
        check_indices("the rows of covariance", rows, gram.cols)?;
        check_indices("the columns of covariance", cols, gram.cols)?;
        let row_list = self.upload_indices(rows).await?;
        let col_list = self.upload_indices(cols).await?;
        let out = self.tensor(rows.len(), cols.len())?;
        let row_cost = 6.0 * cols.len() as f64;
        for span in self.spans(rows.len(), cols.len() as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("covariance.wgsl"),
                storage: &[self.whole(gram)?, self.whole(mean)?, (&row_list).into(), (&col_list).into(), self.window(&out, span.clone())?],
                params: &[
                    span.len() as u32,
                    cols.len() as u32,
                    span.start as u32,
                    gram.cols as u32,
                    ((1.0 / count) as f32).to_bits(),
                    damp.to_bits(),
                ],
                groups: [cols.len().div_ceil(64), span.len()],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }
}
