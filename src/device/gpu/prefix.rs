//! What outputs lose while the weights of each row go one after another.

use super::Gpu;
use super::context::Tiling;
use super::record::Launch;
use super::shader::Kernel;
use super::{step, width};
use crate::base::Result;
use crate::device::{Op, Tensor};

/// Rows of a workgroup of prefix_sums_direct.wgsl.
const GROUP: usize = 64;

impl Gpu {
    /// See [`crate::device::Device::prefix_sums`].
    pub async fn prefix_sums(&self, weight: &Tensor, order: &[u32], tokens: &Tensor, every: usize) -> Result<Vec<[f64; 2]>> {
        let (rows, inputs, count) = (weight.rows, weight.cols, tokens.cols);
        let points = inputs.div_ceil(every);
        let outputs = self.matmul(weight, Op::N, tokens, Op::N).await?;
        let order = self.upload_indices(order).await?;
        let sums = self.tensor(rows, 2 * points)?;
        let direct = self.context.tiling() == Tiling::Direct;
        let file = if direct { "prefix_sums_direct.wgsl" } else { "prefix_sums.wgsl" };
        // Twice a product's, since the tokens come in no order.
        let row_cost = 4.0 * ((inputs + points) * count) as f64;
        for span in self.spans(rows, inputs.max(count).max(2 * points) as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new(file).with("WIDTH", width(count)),
                storage: &[
                    self.window(weight, span.clone())?,
                    self.part(&order, (span.start * inputs) as u64 * 4, (span.len() * inputs) as u64 * 4)?,
                    self.whole(tokens)?,
                    self.window(&outputs, span.clone())?,
                    self.window(&sums, span.clone())?,
                ],
                params: &[span.len(), inputs, count / step(count), every, points].map(|value| value as u32),
                groups: [if direct { span.len().div_ceil(GROUP) } else { span.len() }, 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(self.read(&sums).await?.chunks_exact(2).map(|pair| [f64::from(pair[0]), f64::from(pair[1])]).collect())
    }
}
