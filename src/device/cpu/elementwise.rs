//! Layer normalisation, embedding, sums.

use super::Cpu;
use super::elements::{binary, gathered, scaled};
use crate::base::{Error, Result};
use crate::device::{Tensor, Weight};
use candle_core::Tensor as Candle;
use candle_core::op::Add;

impl Cpu {
    /// See [`crate::device::Device::layer_norm`]. Mean and variance are accumulated in f64.
    pub async fn layer_norm(&self, x: &Tensor, residual: Option<&Tensor>, gain: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
        self.pace().await?;
        gain.expect("the gain of a layer norm", 1, x.cols)?;
        bias.expect("the bias of a layer norm", 1, x.cols)?;
        let mut values = match residual {
            Some(residual) => {
                residual.expect("the residual of a layer norm", x.rows, x.cols)?;
                binary::<Add>(&x.cpu()?.get(), &residual.cpu()?.get())?.flatten_all()?.to_vec1()?
            }
            None => x.cpu()?.values()?,
        };
        let (gain, bias) = (gain.cpu()?.values()?, bias.cpu()?.values()?);
        let width = x.cols as f64;
        for row in values.chunks_exact_mut(x.cols.max(1)) {
            let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / width;
            let variance = row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / width;
            let scale = 1.0 / (variance + f64::from(eps)).sqrt();
            for ((v, g), b) in row.iter_mut().zip(&gain).zip(&bias) {
                *v = ((f64::from(*v) - mean) * scale) as f32 * g + b;
            }
        }
        self.tensor_of(x.rows, x.cols, values)
    }

    /// See [`crate::device::Device::embed`].
    pub async fn embed(&self, parts: &[(&Weight, &[u32])]) -> Result<Tensor> {
        self.pace().await?;
        let mut sum: Option<Candle> = None;
        for (table, ids) in parts {
            if ids.iter().any(|&id| id as usize >= table.outputs) {
                return Err(Error::internal("a token id outside of its table"));
            }
            let rows = gathered(&table.cpu()?.get(), 0, ids)?;
            sum = Some(match sum {
                Some(sum) => binary::<Add>(&sum, &rows)?,
                None => rows,
            });
        }
        self.wrap(sum.ok_or_else(|| Error::internal("an embedding of no tables"))?)
    }

    /// See [`crate::device::Device::add`].
    pub async fn add(&self, a: &Tensor, b: &Tensor, scale: f32) -> Result<Tensor> {
        self.pace().await?;
        b.expect("the second term of a sum", a.rows, a.cols)?;
        let (a, b) = (a.cpu()?.get(), b.cpu()?.get());
        let b = if scale == 1.0 { b } else { scaled(&b, scale)? };
        self.wrap(binary::<Add>(&a, &b)?)
    }

    /// See [`crate::device::Device::dot`].
    pub async fn dot(&self, a: &Tensor, b: &Tensor) -> Result<f64> {
        self.pace().await?;
        b.expect("the second operand of a dot product", a.rows, a.cols)?;
        let (a, b) = (a.cpu()?.values()?, b.cpu()?.values()?);
        Ok(a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum())
    }
}
