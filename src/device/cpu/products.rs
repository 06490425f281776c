//! Matrix products: linear layers, general products, submatrices.

use super::{Cpu, SLICE_FLOPS};
use crate::base::{Error, Result};
use crate::device::{Activation, Op, Tensor, Weight};
use candle_core::Tensor as Candle;

impl Cpu {
    /// a b in slices of rows, so that no slice takes long. `b` may be strided.
    async fn sliced_product(&self, a: &Candle, b: &Candle, finish: impl Fn(Candle) -> Result<Candle>) -> Result<Candle> {
        let (rows, inner) = a.dims2()?;
        let outputs = b.dim(1)?;
        let slice = (SLICE_FLOPS / (2 * inner * outputs).max(1)).clamp(1, rows.max(1));
        if rows == 0 || inner == 0 || outputs == 0 {
            return Ok(Candle::zeros((rows, outputs), candle_core::DType::F32, a.device())?);
        }
        let mut parts = Vec::new();
        for start in (0..rows).step_by(slice) {
            self.pace().await?;
            parts.push(finish(a.narrow(0, start, slice.min(rows - start))?.matmul(b)?)?);
        }
        match parts.as_slice() {
            [one] => Ok(one.clone()),
            _ => Ok(Candle::cat(&parts, 0)?),
        }
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
        let y = self
            .sliced_product(&x.cpu()?.get(), &transposed, |part| {
                let part = match &bias {
                    Some(bias) => part.broadcast_add(bias)?,
                    None => part,
                };
                activate(part, activation)
            })
            .await?;
        self.wrap(y)
    }

    /// See [`crate::device::Device::matmul`].
    pub async fn matmul(&self, a: &Tensor, op_a: Op, b: &Tensor, op_b: Op) -> Result<Tensor> {
        let (a, b) = (oriented(a, op_a)?, oriented(b, op_b)?);
        if a.dim(1)? != b.dim(0)? {
            return Err(Error::internal(format_args!("a product of {:?} and {:?}", a.dims(), b.dims())));
        }
        let product = self.sliced_product(&a, &b, Ok).await?;
        self.wrap(product)
    }

    /// See [`crate::device::Device::select`].
    pub async fn select(&self, a: &Tensor, rows: Option<&[u32]>, cols: Option<&[u32]>) -> Result<Tensor> {
        self.pace().await?;
        let mut tensor = a.cpu()?.get();
        for (dim, indices) in [(0, rows), (1, cols)] {
            if let Some(indices) = indices {
                let index = Candle::from_slice(indices, indices.len(), tensor.device())?;
                tensor = if indices.is_empty() { tensor.narrow(dim, 0, 0)? } else { tensor.index_select(&index, dim)? };
            }
        }
        self.wrap(tensor.contiguous()?)
    }
}

fn oriented(tensor: &Tensor, op: Op) -> Result<Candle> {
    let inner = tensor.cpu()?.get();
    Ok(match op {
        Op::N => inner,
        Op::T => inner.t()?,
    })
}

fn activate(x: Candle, activation: Activation) -> Result<Candle> {
    Ok(match activation {
        Activation::Identity => x,
        Activation::Gelu => x.gelu_erf()?,
        Activation::GeluTanh => x.gelu()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
    })
}
