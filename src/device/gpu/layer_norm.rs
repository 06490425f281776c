//! Layer normalisation.

use super::context::Tiling;
use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, width};
use crate::base::Result;
use crate::device::Tensor;

impl Gpu {
    /// See [`super::super::Device::layer_norm`].
    pub async fn layer_norm(&self, x: &Tensor, residual: Option<&Tensor>, gain: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
        gain.expect("gain of layer_norm", 1, x.cols)?;
        bias.expect("bias of layer_norm", 1, x.cols)?;
        if let Some(residual) = residual {
            residual.expect("residual of layer_norm", x.rows, x.cols)?;
        }
        let out = self.tensor(x.rows, x.cols)?;
        let row_cost = 20.0 * x.cols as f64;
        for span in self.spans(x.rows, x.cols as u64 * 4, row_cost) {
            let direct = self.context.tiling() == Tiling::Direct;
            let (file, rows) = if direct { ("layer_norm.wgsl", 64) } else { ("layer_norm_tiled.wgsl", 1) };
            self.launch(Launch {
                kernel: Kernel::new(file).with("WIDTH", width(x.cols)),
                storage: &[
                    self.window(x, span.clone())?,
                    self.window(residual.unwrap_or(x), span.clone())?,
                    self.whole(gain)?,
                    self.whole(bias)?,
                    self.window(&out, span.clone())?,
                ],
                params: &[span.len() as u32, x.cols as u32, u32::from(residual.is_some()), eps.to_bits()],
                groups: [span.len().div_ceil(rows), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }
}
