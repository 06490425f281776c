//! Submatrices.

use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, check_indices};
use crate::base::Result;
use crate::device::Tensor;

impl Gpu {
    /// See [`super::super::Device::select`].
    pub async fn select(&self, a: &Tensor, rows: Option<&[u32]>, cols: Option<&[u32]>) -> Result<Tensor> {
        check_indices("the rows of select", rows.unwrap_or(&[]), a.rows)?;
        check_indices("the columns of select", cols.unwrap_or(&[]), a.cols)?;
        let (n, m) = (rows.map_or(a.rows, <[u32]>::len), cols.map_or(a.cols, <[u32]>::len));
        let row_list = self.upload_indices(rows.unwrap_or(&[])).await?;
        let col_list = self.upload_indices(cols.unwrap_or(&[])).await?;
        let out = self.tensor(n, m)?;
        let row_cost = 4.0 * m as f64;
        for span in self.spans(n, m.max(a.cols) as u64 * 4, row_cost) {
            // Chosen rows may be anywhere; otherwise only those of the span are needed.
            let source = if rows.is_some() { self.whole(a)? } else { self.window(a, span.clone())? };
            self.launch(Launch {
                kernel: Kernel::new("select.wgsl"),
                storage: &[source, (&row_list).into(), (&col_list).into(), self.window(&out, span.clone())?],
                params: &[
                    span.len() as u32,
                    m as u32,
                    span.start as u32,
                    a.cols as u32,
                    u32::from(rows.is_some()),
                    u32::from(cols.is_some()),
                ],
                groups: [m.div_ceil(64), span.len()],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }
}
