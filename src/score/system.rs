//! Second moments of a consumer's inputs in f64, damped and inverted, from which removing and refitting follow (methods reference,
//! section 0).

use super::Site;
use crate::base::algebra::{Dense, Sweep, spd_inverse};
use crate::base::{Error, Pace, Result};
use crate::model::{Architecture, Unit};

/// Damping, as a multiple of the mean diagonal: OSSCAR's.
const DAMPING: f64 = 1e-2;

/// A matrix that is not positive definite in the precision of the statistics gets ten times the damping, this many times.
const RETRIES: usize = 3;

/// The system A = C + lambda I, [n, n], of a consumer with weights W, [n, d], where all channels are kept. C is the covariance of the
/// inputs where a bias can take up their means, and their raw second moment where none can, per token.
///
/// For weights V whose rows are zero outside of the kept channels, tr((W - V)ᵀ A (W - V)) is the squared error of the outputs per token
/// plus lambda |W - V|²: what the repairs minimise (reference, 0.4).
///
/// # Errors
/// The Gram matrix was not collected, which is a defect; it cannot be inverted; the device fails; or the run was cancelled.
pub(super) async fn system(site: &Site<'_>, pace: &mut Pace<'_>) -> Result<Sweep> {
    let mut damping = DAMPING;
    for _ in 0..=RETRIES {
        if let Some(inverse) = spd_inverse(moments(site, damping, pace).await?, pace).await? {
            let matrix = site.consumer();
            let weights = matrix.to_f32_inputs_major()?.into_iter().map(f64::from).collect();
            return Sweep::from_inverse(inverse, Dense::new(matrix.inputs(), matrix.outputs(), weights)?);
        }
        damping *= 10.0;
    }
    Err(Error::input(format!(
        "The second moments of what the {} of layer {} compute cannot be inverted, however much they are damped; choose another criterion, such as \"flap\".",
        site.unit.name(),
        site.layer
    )))
}

/// C + damping * mean(diag C) I.
async fn moments(site: &Site<'_>, damping: f64, pace: &mut Pace<'_>) -> Result<Dense> {
    let sums = site.sums()?;
    let (n, count) = (sums.sums.len(), sums.count.max(1.0));
    let means: Vec<f64> = sums.sums.iter().map(|sum| if site.affine { sum / count } else { 0.0 }).collect();
    let mut a = Dense::new(n, n, site.gram().await?)?;
    for (i, mean) in means.iter().enumerate() {
        pace.step().await?;
        a.row_mut(i).iter_mut().zip(&means).for_each(|(v, other)| *v = *v / count - mean * other);
    }
    let mean = (0..n).map(|i| a.at(i, i)).sum::<f64>() / n.max(1) as f64;
    // Where all inputs are constant, any damping will do.
    let damping = damping * if mean > 0.0 { mean } else { 1.0 };
    (0..n).for_each(|i| a.row_mut(i)[i] += damping);
    Ok(a)
}

/// The channels of a unit.
pub(super) fn channels(unit: u32, size: usize) -> Vec<usize> {
    (unit as usize * size..(unit as usize + 1) * size).collect()
}

/// Units, channels and outputs of every consumer.
pub(super) fn shapes(architecture: &Architecture) -> impl Iterator<Item = [f64; 3]> {
    Unit::ALL.into_iter().flat_map(move |unit| {
        architecture.layers.iter().map(move |layer| {
            let units = layer.units(unit);
            [units, units * layer.unit_size(unit), layer.consumer(unit).outputs].map(|count| count as f64)
        })
    })
}
