//! The weights that stay, fitted anew to the outputs of the dense layer (as ALPS does once its zeros are fixed; Meng et al., NeurIPS 2024):
//! conjugate gradients on the second moments, with the zeros held.

use super::sweep::sweep;
use super::{Updated, WeightProblem, WeightUpdate, diagonal};
use crate::base::{LocalFuture, Result};
use crate::device::{Op, Tensor};
use crate::score::weights::WeightNeeds;

/// Where the residual has become this small against its beginning, nothing more is gained.
const SMALL: f64 = 1e-8;

pub(super) struct Refit;

impl WeightUpdate for Refit {
    fn name(&self) -> &'static str {
        "refit"
    }

    fn title(&self) -> &'static str {
        "Refit"
    }

    fn summary(&self) -> &'static str {
        "All weights that stay are fitted to the dense layer's outputs, by conjugate gradients (as in ALPS, 2024)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds { sums: true, gram: true, factor: false }
    }

    fn update<'a>(&'a self, problem: &'a WeightProblem<'a>) -> LocalFuture<'a, Result<Updated>> {
        Box::pin(async move {
            // The sweep's own scores choose better zeros on its way, and it leaves a better start.
            let start = match problem.swept_scores {
                true => sweep(problem).await?,
                false => {
                    let mask = problem.picked();
                    Updated { weight: mask.applied(problem.weight), mask }
                }
            };
            fit(problem, start).await
        })
    }
}

/// Minimises tr((W - V) G (W - V)ᵀ) over V with the zeros of `start`, from there on. All rows are one system, preconditioned by the
/// diagonal of G.
async fn fit(problem: &WeightProblem<'_>, start: Updated) -> Result<Updated> {
    let WeightProblem { device, outputs, inputs, .. } = *problem;
    let gram = problem.gram()?;
    // One over the diagonal, which damping keeps from being zero.
    let scales: Vec<f32> = diagonal(device, gram).await?.into_iter().map(|value| if value > 0.0 { 1.0 / value } else { 1.0 }).collect();
    let spread = |values: &dyn Fn(usize) -> f32| -> Vec<f32> {
        start.mask.zeros().iter().enumerate().map(|(place, &zero)| if zero { 0.0 } else { values(place % inputs) }).collect()
    };
    let kept = device.upload(outputs, inputs, &spread(&|_| 1.0)).await?;
    let scales = device.upload(outputs, inputs, &spread(&|input| scales[input])).await?;
    let dense = device.upload(outputs, inputs, problem.weight).await?;
    let mut fitted = device.upload(outputs, inputs, &start.weight).await?;
    let product = async |v: &Tensor| device.multiply(&kept, &device.matmul(v, Op::N, gram, Op::N).await?).await;
    let mut residual = product(&device.add(&dense, &fitted, -1.0).await?).await?;
    let mut scaled = device.multiply(&scales, &residual).await?;
    let mut direction = scaled.clone();
    let mut size = device.dot(&residual, &scaled).await?;
    let first = size;
    for _ in 0..problem.iterations {
        let turned = product(&direction).await?;
        let curvature = device.dot(&direction, &turned).await?;
        if !(size > SMALL * first && curvature > 0.0) {
            break;
        }
        let step = size / curvature;
        fitted = device.add(&fitted, &direction, step as f32).await?;
        residual = device.add(&residual, &turned, -step as f32).await?;
        scaled = device.multiply(&scales, &residual).await?;
        let next = device.dot(&residual, &scaled).await?;
        direction = device.add(&scaled, &direction, (next / size) as f32).await?;
        size = next;
    }
    let weight = device.read(&fitted).await?;
    if weight.iter().all(|value| value.is_finite()) { Ok(Updated { weight, ..start }) } else { Ok(start) }
}
