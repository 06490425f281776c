//! Matrix products: linear layers, general products, submatrices.

use super::elements::{binary, gathered, unary};
use super::{Cpu, SLICE_FLOPS};
use crate::base::{Error, Result};
use crate::device::{Activation, Op, Tensor, Weight};
use candle_core::Tensor as Candle;
use candle_core::op::{Add, Gelu, GeluErf, Relu, Silu, Tanh};

impl Cpu {
    /// a b in tiles, so that none takes long. Both sides of a tile are long where they can be: every tile packs its rows of `a`
    /// and its columns of `b` anew, which would cost more than the product itself if one side were short. `b` may be strided.
    pub(super) async fn sliced_product(&self, a: &Candle, b: &Candle) -> Result<Candle> {
        let (rows, inner) = a.dims2()?;
        let cols = b.dim(1)?;
        if rows == 0 || inner == 0 || cols == 0 {
            return Ok(Candle::zeros((rows, cols), candle_core::DType::F32, a.device())?);
        }
        let elements = (SLICE_FLOPS / (2 * inner)).max(1);
        let height = rows.min(elements.isqrt().max(1));
        let width = (elements / height).clamp(1, cols);
        let height = (elements / width).clamp(1, rows);
        let mut bands = Vec::new();
        for top in (0..rows).step_by(height) {
            let band = a.narrow(0, top, height.min(rows - top))?;
            let mut tiles = Vec::new();
            for left in (0..cols).step_by(width) {
                self.pace().await?;
                tiles.push(band.matmul(&b.narrow(1, left, width.min(cols - left))?)?);
            }
            bands.push(joined(tiles, 1)?);
        }
        joined(bands, 0)
    }

    /// See [`crate::device::Device::linear`].
    pub async fn linear(&self, x: &Tensor, weight: &Weight, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        x.expect("the input of a linear layer", x.rows, weight.inputs)?;
        let bias = match bias {
            Some(bias) => {
                bias.expect("the bias of a linear layer", 1, weight.outputs)?;
                Some(bias.cpu()?.get())
            }
            None => None,
        };
        let transposed = weight.cpu()?.get().t()?;
        let product = self.sliced_product(&x.cpu()?.get(), &transposed).await?;
        let sum = match &bias {
            Some(bias) => binary::<Add>(&product, bias)?,
            None => product,
        };
        self.wrap(activate(sum, activation)?)
    }

    /// See [`crate::device::Device::matmul`].
    pub async fn matmul(&self, a: &Tensor, op_a: Op, b: &Tensor, op_b: Op) -> Result<Tensor> {
        let (a, b) = (oriented(a, op_a)?, oriented(b, op_b)?);
        if a.dim(1)? != b.dim(0)? {
            return Err(Error::internal(format_args!("a product of {:?} and {:?}", a.dims(), b.dims())));
        }
        let product = self.sliced_product(&a, &b).await?;
        self.wrap(product)
    }

    /// See [`crate::device::Device::select`].
    pub async fn select(&self, a: &Tensor, rows: Option<&[u32]>, cols: Option<&[u32]>) -> Result<Tensor> {
        self.pace().await?;
        let mut tensor = a.cpu()?.get();
        for (dim, indices) in [(0, rows), (1, cols)] {
            if let Some(indices) = indices {
                tensor = gathered(&tensor, dim, indices)?;
            }
        }
        self.wrap(tensor.contiguous()?)
    }
}

/// Tiles side by side along a dimension.
fn joined(mut tiles: Vec<Candle>, dim: usize) -> Result<Candle> {
    match tiles.len() {
        1 => Ok(tiles.remove(0)),
        _ => Ok(Candle::cat(&tiles, dim)?),
    }
}

fn oriented(tensor: &Tensor, op: Op) -> Result<Candle> {
    let inner = tensor.cpu()?.get();
    Ok(match op {
        Op::N => inner,
        Op::T => inner.t()?,
    })
}

/// activation(x), elementwise.
pub(super) fn activate(x: Candle, activation: Activation) -> Result<Candle> {
    match activation {
        Activation::Identity => Ok(x),
        Activation::Gelu => unary::<GeluErf>(&x),
        Activation::GeluTanh => unary::<Gelu>(&x),
        Activation::Relu => unary::<Relu>(&x),
        Activation::Silu => unary::<Silu>(&x),
        Activation::Tanh => unary::<Tanh>(&x),
    }
}
