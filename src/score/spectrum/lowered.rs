//! A linear layer at a lower rank.

use super::Spectrum;
use super::singles::{Singles, with_singles};
use super::stacked::{apart, stacked};
use crate::base::{Error, Result};
use crate::calibrate::Store;
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::{Device, Op, Tensor};
use crate::forward::{HostFactor, HostLinear};
use std::rc::Rc;

/// Ŵ = U_r (U_rᵀ W), and what its bias must take up.
pub(super) struct Lowered {
    /// U_rᵀ, [rank, outputs].
    pub(super) left: Tensor,
    /// U_rᵀ W, [rank, inputs].
    pub(super) right: Tensor,
    /// Ŵᵀ, [inputs, outputs].
    pub(super) product: Tensor,
    /// S, transposed, [inputs, outputs], where there are single weights.
    pub(super) singles: Option<Tensor>,
    /// (W - Ŵ - S) E x, [outputs].
    pub(super) shift: Vec<f32>,
    /// Energy of the output's error.
    pub(super) error: f64,
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
    let shift = shift(device, &device.add(weight, &product, -1.0).await?, means).await?;
    let error = spectrum.errors().get(rank).copied().unwrap_or(spectrum.total);
    Ok(Lowered { left, right, product, singles: None, shift, error })
}

/// What a weight that is lost gives for the means of the inputs, [outputs]; it is given transposed.
pub(super) async fn shift(device: &Device, lost: &Tensor, means: &[f64]) -> Result<Vec<f32>> {
    let means: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
    let means = device.upload(1, means.len(), &means).await?;
    device.read(&device.matmul(&means, Op::N, lost, Op::N).await?).await
}

/// How linear layers of a lower rank are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As one matrix each.
    Product,
    /// As two, of which they share the first, and single weights beside them.
    Factors,
}

/// Linear layers at a lower rank.
pub struct Low {
    /// The layers.
    pub linears: Vec<HostLinear>,
    /// Energy of the error of their outputs, as their spectrum measures it.
    pub error: f64,
}

/// The linear layers of a spectrum at a lower rank, with single weights if they are asked for, in these dtypes of weight and bias.
///
/// # Errors
/// The device fails, or a value does not fit the dtype.
pub async fn lower(
    device: &Device,
    store: &Store,
    hosts: &[&HostLinear],
    (spectrum, means): (&Spectrum, &[f64]),
    (rank, singles): (usize, Option<Singles<'_>>),
    form: Form,
    dtype: impl Fn(Dtype) -> Dtype,
) -> Result<Low> {
    let weight = stacked(device, hosts, &spectrum.members).await?;
    let lowered = match singles {
        Some(singles) => with_singles(device, store, &weight, spectrum, rank, singles).await?,
        None => lowered(device, store, &weight, spectrum, rank, means).await?,
    };
    let inputs = spectrum.inputs;
    let parts = |values: Vec<f32>| apart(&values, spectrum).into_iter();
    let mut shifts = parts(lowered.shift);
    let singles = match &lowered.singles {
        Some(singles) => Some(device.read(singles).await?),
        None => None,
    };
    let mut inner: Option<Rc<Matrix>> = None;
    let mut linears = Vec::with_capacity(hosts.len());
    let (mut weights, mut singles) = match form {
        Form::Product => {
            let sum = match &lowered.singles {
                Some(singles) => device.add(&lowered.product, singles, 1.0).await?,
                None => lowered.product,
            };
            (parts(device.read(&sum).await?), None)
        }
        Form::Factors => (parts(device.read(&lowered.left).await?), singles.map(parts)),
    };
    for host in hosts {
        let outputs = host.weight.outputs();
        let missing = || Error::internal("a layer that its spectrum does not have");
        let shift = shifts.next().ok_or_else(missing)?;
        let bias = match &host.bias {
            Some(bias) => {
                let shifted: Vec<f32> = host.bias_values()?.iter().zip(shift).map(|(&bias, shift)| bias + shift).collect();
                // As a column, [outputs, 1].
                Some(stored(&shifted, 1, outputs, dtype(bias.dtype), Layout::OutIn)?)
            }
            None => None,
        };
        let own = dtype(host.weight.dtype);
        let values = weights.next().ok_or_else(missing)?;
        let (weight, factor) = match form {
            Form::Product => (stored(&values, inputs, outputs, own, host.weight.layout)?, None),
            Form::Factors => {
                let inner = match &inner {
                    Some(inner) => inner.clone(),
                    None => {
                        let right = stored(&device.read(&lowered.right).await?, rank, inputs, own, Layout::InOut)?;
                        inner.insert(Rc::new(Matrix { layout: Layout::OutIn, ..right })).clone()
                    }
                };
                let singles = singles.as_mut().map(|singles| singles.next().ok_or_else(missing)).transpose()?;
                let singles = singles.map(|values| stored(&values, inputs, outputs, own, Layout::OutIn)).transpose()?;
                (stored(&values, rank, outputs, own, Layout::OutIn)?, Some(HostFactor { inner, singles }))
            }
        };
        linears.push(HostLinear { weight, bias, factor });
    }
    Ok(Low { linears, error: lowered.error })
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
