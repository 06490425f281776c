//! A linear layer at a lower rank.

use super::Spectrum;
use crate::base::{Error, Result};
use crate::calibrate::Store;
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::{Device, Op, Tensor};
use crate::forward::HostLinear;

/// Ŵ = U_r (U_rᵀ W), and what its bias must take up.
pub(super) struct Lowered {
    /// U_rᵀ, [rank, outputs].
    pub(super) left: Tensor,
    /// U_rᵀ W, [rank, inputs].
    pub(super) right: Tensor,
    /// Ŵᵀ, [inputs, outputs].
    pub(super) product: Tensor,
    /// (W - Ŵ) E x, [outputs].
    pub(super) shift: Vec<f64>,
}

/// Lowers the rank of a weight that is given transposed, `weight` [inputs, outputs], and reads inputs of these means.
///
/// # Errors
/// The device fails.
pub(super) async fn lowered(
    device: &Device,
    store: &Store,
    weight: &Tensor,
    spectrum: &Spectrum,
    rank: usize,
    means: &[f64],
) -> Result<Lowered> {
    let left = match &spectrum.directions {
        Some(directions) => {
            let first: Vec<u32> = (0..rank.min(spectrum.values.len()) as u32).collect();
            device.select(&store.fetch(device, directions).await?, Some(&first), None).await?
        }
        None if rank <= spectrum.values.len() => device.zeros(rank, spectrum.outputs).await?,
        None => return Err(Error::internal("a rank that a spectrum does not have")),
    };
    let right = device.matmul(&left, Op::N, weight, Op::T).await?;
    let product = device.matmul(&right, Op::T, &left, Op::N).await?;
    let means: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
    let means = device.upload(1, means.len(), &means).await?;
    let lost = device.add(weight, &product, -1.0).await?;
    let shift = device.read(&device.matmul(&means, Op::N, &lost, Op::N).await?).await?;
    Ok(Lowered { left, right, product, shift: shift.into_iter().map(f64::from).collect() })
}

/// How a linear layer of a lower rank is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As one matrix.
    Product,
    /// As two.
    Factors,
}

/// A linear layer at a lower rank, in these dtypes of weight and bias.
///
/// # Errors
/// The device fails, or a value does not fit the dtype.
pub async fn lower_linear(
    device: &Device,
    store: &Store,
    host: &HostLinear,
    (spectrum, means): (&Spectrum, &[f64]),
    rank: usize,
    form: Form,
    dtype: impl Fn(Dtype) -> Dtype,
) -> Result<HostLinear> {
    let (inputs, outputs) = (host.weight.inputs(), host.weight.outputs());
    let weight = device.upload(inputs, outputs, &host.weight.to_f32_inputs_major()?).await?;
    let lowered = lowered(device, store, &weight, spectrum, rank, means).await?;
    let bias = match &host.bias {
        Some(bias) => {
            let shifted: Vec<f32> =
                host.bias_values()?.iter().zip(&lowered.shift).map(|(&bias, shift)| (f64::from(bias) + shift) as f32).collect();
            // As a column, [outputs, 1].
            Some(stored(&shifted, 1, outputs, dtype(bias.dtype), Layout::OutIn)?)
        }
        None => None,
    };
    let own = dtype(host.weight.dtype);
    let (weight, factor) = match form {
        Form::Product => (stored(&device.read(&lowered.product).await?, inputs, outputs, own, host.weight.layout)?, None),
        Form::Factors => {
            let right = stored(&device.read(&lowered.right).await?, rank, inputs, own, Layout::InOut)?;
            let right = Matrix { layout: Layout::OutIn, ..right };
            (stored(&device.read(&lowered.left).await?, rank, outputs, own, Layout::OutIn)?, Some(right))
        }
    };
    Ok(HostLinear { weight, bias, factor })
}

/// Values [inputs, outputs] in a dtype.
fn stored(values: &[f32], inputs: usize, outputs: usize, dtype: Dtype, layout: Layout) -> Result<Matrix> {
    match Matrix::from_f32_inputs_major(values, inputs, outputs, dtype, layout) {
        (matrix, 0) => Ok(matrix),
        _ => Err(Error::recipe(format!(
            "Weights of a lower rank are too large for output.dtype {}; choose bf16, f32 or same.",
            dtype.name().to_lowercase()
        ))),
    }
}
