//! Spectra of linear layers: in which directions of its output a layer can be cut, and what each cut costs on the calibration text.
//!
//! Every factorisation is the singular value decomposition of W C = U S Vᵀ for a matrix C that says which inputs matter. Whatever C
//! is, the best rank r is Ŵ = U_r U_rᵀ W, and the squared error of the output is tr(W G Wᵀ) - Σ_{i≤r} u_iᵀ W G Wᵀ u_i. One file a
//! factorisation, one line in [`FACTORISATIONS`].

mod asvd;
mod inputs;
mod lowered;
mod singles;
mod stacked;
mod svd;
#[cfg(test)]
mod tests;
mod whitened;

pub use inputs::Inputs;
pub use lowered::{Form, Low, lower};
pub use singles::Singles;
pub use stacked::Member;

use crate::base::{Error, Result};
use crate::calibrate::{Kept, Store};
use crate::device::{Device, Eigen, Op, Tensor};
use crate::forward::HostLinear;
use crate::model::Layer;
use std::ops::Range;

/// The matrix C of W C.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// The unit matrix: all inputs alike.
    None,
    /// A factor an input, [inputs].
    Inputs(Vec<f64>),
    /// The root of the Gram matrix: what is measured is the output.
    Whitening,
}

/// A way to factor a weight.
pub trait Factorisation: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: what it keeps.
    fn summary(&self) -> &'static str;
    /// Which inputs matter, given the mean square of each, [inputs].
    fn scaling(&self, mean_squares: &[f64]) -> Scaling;
}

/// Every factorisation.
pub const FACTORISATIONS: &[&dyn Factorisation] = &[&whitened::Whitened, &asvd::Asvd, &svd::Svd];

/// The factorisation of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn factorisation(name: &str) -> Result<&'static dyn Factorisation> {
    FACTORISATIONS.iter().copied().find(|factorisation| factorisation.name() == name).ok_or_else(|| {
        let names: Vec<&str> = FACTORISATIONS.iter().map(|factorisation| factorisation.name()).collect();
        Error::recipe(format!("method.factorisation is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}

/// The spectra of a block.
#[derive(Debug, Clone)]
pub struct LayerSpectra {
    /// Of each linear layer, or of those that are cut together, in the order of [`Layer::linears`].
    pub parts: Vec<Part>,
    /// Means of the inputs of each [`group`].
    pub means: [Vec<f64>; 4],
}

/// Linear layers of a block that are cut together.
#[derive(Debug, Clone)]
pub struct Part {
    /// Their places among [`Layer::linears`].
    pub places: Range<usize>,
    /// Where they can be cut.
    pub spectrum: Spectrum,
}

impl Part {
    /// What every linear layer for itself, or, `joint`, all of one input together are to be cut by: their places.
    pub fn places(layer: &Layer, joint: bool) -> Vec<Range<usize>> {
        let count = layer.linears().len();
        let mut places: Vec<Range<usize>> = Vec::new();
        for place in 0..count {
            match places.last_mut() {
                Some(last) if joint && group(layer, last.start) == group(layer, place) => last.end = place + 1,
                _ => places.push(place..place + 1),
            }
        }
        places
    }

    /// The linear layers among those of a block.
    pub fn of<T>(&self, linears: &[T]) -> Vec<T>
    where
        T: Copy,
    {
        linears.get(self.places.clone()).map(<[T]>::to_vec).unwrap_or_default()
    }
}

/// Which input a linear layer of a block reads, by its place among [`Layer::linears`]: 0 what q, k and v read, 1 what the attention
/// output reads, 2 what gate and first FFN matrix read, 3 what the second reads.
pub fn group(layer: &Layer, place: usize) -> usize {
    match place {
        0..=2 => 0,
        3 => 1,
        _ if place + 1 == layer.linears().len() => 3,
        _ => 2,
    }
}

/// Where a linear layer, or several with one input, can be cut.
#[derive(Debug, Clone)]
pub struct Spectrum {
    /// Outputs of all of them.
    pub outputs: usize,
    /// Inputs of each of them.
    pub inputs: usize,
    /// Of several, whose weights W is a stack of, the parts of it; of one alone, itself.
    pub members: Vec<Member>,
    /// Largest singular values of W C, falling; as many as there are ranks that take fewer parameters than W.
    pub values: Vec<f64>,
    /// Energy of the output in the direction that each of them keeps: u_iᵀ W G Wᵀ u_i, G a mean over tokens.
    pub gains: Vec<f64>,
    /// Energy of the whole output, tr(W G Wᵀ).
    pub total: f64,
    /// Row i is u_i; [values, outputs].
    directions: Option<Kept>,
}

impl Spectrum {
    /// A spectrum that is known, without directions.
    #[cfg(test)]
    pub(crate) fn known(outputs: usize, inputs: usize, gains: Vec<f64>, total: f64) -> Self {
        let members = vec![Member { outputs, scale: 1.0 }];
        Self { outputs, inputs, members, values: gains.iter().map(|gain| gain.sqrt()).collect(), gains, total, directions: None }
    }

    /// An error of the outputs as a sum over its layers, of each relative to its output. Those of a stack have the same energy.
    pub fn relative(&self, error: f64) -> f64 {
        if self.total > 0.0 { error * self.members.len() as f64 / self.total } else { 0.0 }
    }

    /// Parameters of a rank.
    pub fn cost(&self, rank: usize) -> usize {
        rank * (self.outputs + self.inputs)
    }

    /// Parameters of the weight as it is.
    pub fn dense(&self) -> usize {
        self.outputs * self.inputs
    }

    /// Energy of the output's error by rank, from rank 0 on; never rising.
    pub fn errors(&self) -> Vec<f64> {
        let kept: f64 = self.gains.iter().sum();
        let mut error = (self.total - kept).max(0.0);
        let mut errors = vec![error];
        for gain in self.gains.iter().rev() {
            error += gain;
            errors.push(error);
        }
        errors.reverse();
        errors
    }
}

/// The spectrum of linear layers that read `inputs` together.
///
/// # Errors
/// The device fails, or the run is cancelled.
pub async fn spectrum_of(
    device: &Device,
    store: &Store,
    hosts: &[&HostLinear],
    inputs: &mut Inputs,
    factorisation: &dyn Factorisation,
) -> Result<Spectrum> {
    let members = stacked::members(device, hosts, inputs).await?;
    let weight = stacked::stacked(device, hosts, &members).await?;
    let scaling = factorisation.scaling(&inputs.mean_squares);
    spectrum(device, store, &weight, inputs, &scaling, &members).await
}

/// The spectrum of a stacked weight that is given transposed, `weight` [inputs, outputs].
///
/// # Errors
/// The device fails, or the run is cancelled.
async fn spectrum(
    device: &Device,
    store: &Store,
    weight: &Tensor,
    inputs: &mut Inputs,
    scaling: &Scaling,
    members: &[Member],
) -> Result<Spectrum> {
    let (n, m) = (weight.rows(), weight.cols());
    let count = n * m / (n + m).max(1);
    // G Wᵀ, [n, m].
    let weighted = device.matmul(&inputs.gram, Op::N, weight, Op::N).await?;
    let trace = device.dot(&weighted, weight).await?.max(0.0);
    if count == 0 || trace == 0.0 {
        let none = vec![0.0; count];
        return Ok(Spectrum {
            outputs: m,
            inputs: n,
            members: members.to_vec(),
            values: none.clone(),
            gains: none,
            total: trace,
            directions: None,
        });
    }
    // The transpose of W C, where it is wanted: of a wide weight W C Cᵀ Wᵀ is enough.
    let scaled = match scaling {
        Scaling::None => weight.clone(),
        Scaling::Inputs(factors) => scaled_rows(device, weight, factors).await?,
        Scaling::Whitening if m > n => device.matmul(inputs.root(device).await?, Op::T, weight, Op::N).await?,
        Scaling::Whitening => weighted.clone(),
    };
    let (square, other) = match scaling {
        Scaling::Whitening if m <= n => (device.matmul(weight, Op::T, &weighted, Op::N).await?, None),
        _ if m <= n => (device.matmul(&scaled, Op::T, &scaled, Op::N).await?, None),
        _ => (device.matmul(&scaled, Op::N, &scaled, Op::T).await?, Some(&scaled)),
    };
    let Eigen { values, vectors } = device.eigen(&square).await?;
    let first: Vec<u32> = (0..count as u32).collect();
    let vectors = device.select(&vectors, Some(&first), None).await?;
    let directions = match other {
        None => vectors,
        // Right singular vectors give the left ones: u_i = W C v_i / s_i.
        Some(scaled) => unit_rows(device, &device.matmul(&vectors, Op::N, scaled, Op::N).await?).await?,
    };
    let (gains, total) = match scaling {
        // They are the values themselves, without the rounding of another product.
        Scaling::Whitening => (values[..count].to_vec(), values.iter().sum()),
        _ => {
            let kept = device.matmul(&directions, Op::N, weight, Op::T).await?;
            let of_outputs = device.matmul(&directions, Op::N, &weighted, Op::T).await?;
            let ones = device.upload(n, 1, &vec![1.0; n]).await?;
            let sums = device.matmul(&device.multiply(&kept, &of_outputs).await?, Op::N, &ones, Op::N).await?;
            (device.read(&sums).await?.into_iter().map(|gain| f64::from(gain).max(0.0)).collect(), trace)
        }
    };
    let directions = Some(store.keep(device, directions, false).await?);
    let values = values[..count].iter().map(|value| value.sqrt()).collect();
    Ok(Spectrum { outputs: m, inputs: n, members: members.to_vec(), values, gains, total, directions })
}

/// The rows of `weight` times a factor each.
async fn scaled_rows(device: &Device, weight: &Tensor, factors: &[f64]) -> Result<Tensor> {
    let mut values = device.read(weight).await?;
    for (row, &factor) in values.chunks_exact_mut(weight.cols().max(1)).zip(factors) {
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
    device.upload(weight.rows(), weight.cols(), &values).await
}

/// The rows, each of length 1; rows of zeros stay.
async fn unit_rows(device: &Device, rows: &Tensor) -> Result<Tensor> {
    let mut values = device.read(rows).await?;
    for row in values.chunks_exact_mut(rows.cols().max(1)) {
        let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
    }
    device.upload(rows.rows(), rows.cols(), &values).await
}
