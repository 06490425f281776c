//! Embeddings: sums of table rows.

use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, check_indices};
use crate::base::{Error, Result};
use crate::device::{Tensor, Weight};

impl Gpu {
    /// See [`super::super::Device::embed`].
    pub async fn embed(&self, parts: &[(&Weight, &[u32])]) -> Result<Tensor> {
        let Some((first, ids)) = parts.first() else { return Err(Error::internal("embed without a table")) };
        let (rows, cols) = (ids.len(), first.inputs);
        let out = self.tensor(rows, cols)?;
        for (index, (table, ids)) in parts.iter().enumerate() {
            if table.inputs != cols || ids.len() != rows {
                return Err(Error::internal("embed with tables or ids that do not match"));
            }
            check_indices("an embedding", ids, table.outputs)?;
            let packed = table.gpu()?;
            let list = self.upload_indices(ids).await?;
            let (row_step, col_step) = if packed.rows_are_outputs { (cols, 1) } else { (1, table.outputs) };
            let row_cost = 4.0 * cols as f64;
            for span in self.spans(rows, cols as u64 * 4, row_cost) {
                self.launch(Launch {
                    kernel: Kernel::new("embed.wgsl").with("TABLE", format!("{}_scalar", packed.dtype.name())),
                    storage: &[
                        self.part(&packed.buffer, 0, (table.outputs * cols) as u64 * packed.dtype.size())?,
                        self.part(&list, 0, rows as u64 * 4)?,
                        self.window(&out, span.clone())?,
                    ],
                    params: &[span.len() as u32, cols as u32, span.start as u32, row_step as u32, col_step as u32, u32::from(index > 0)],
                    groups: [cols.div_ceil(64), span.len()],
                    cost: row_cost * span.len() as f64,
                })
                .await?;
            }
        }
        Ok(out)
    }
}
