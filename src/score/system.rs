//! The damped second moments of a consumer's inputs in f64, from which removing and refitting follow (methods reference, section 0).

use super::Site;
use crate::base::algebra::{Dense, spd_inverse};
use crate::base::{Error, Pace, Result};

/// Damping, as a multiple of the mean diagonal: OSSCAR's.
const DAMPING: f64 = 1e-2;

/// A matrix that is not positive definite in the precision of the statistics gets ten times the damping, this many times.
const RETRIES: usize = 3;

/// A = C + lambda I per token, [n, n], and the consumer's weights W, [n, d]. C is the covariance of the inputs where the consumer has a
/// bias that can take up their means, and their raw second moment where it has none.
///
/// With it tr((W - V)ᵀ A (W - V)), for weights V whose rows are zero outside of the kept channels, is the squared error of the
/// outputs per token plus lambda |W - V|², the objective of the repairs (reference, 0.4).
pub(super) struct System {
    pub(super) a: Dense,
    pub(super) w: Dense,
}

impl System {
    /// The system of a consumer.
    ///
    /// # Errors
    /// The Gram matrix was not collected, which is a defect, or the device fails.
    pub(super) async fn of(site: &Site<'_>) -> Result<Self> {
        let (sums, matrix) = (site.sums()?, site.consumer());
        let w = matrix.to_f32_inputs_major()?.into_iter().map(f64::from).collect();
        let means: Vec<f64> = sums.sums.iter().map(|sum| if site.affine { sum / sums.count.max(1.0) } else { 0.0 }).collect();
        let n = means.len();
        let mut a = Dense::new(n, n, site.gram().await?)?;
        let mut pace = Pace::new(&site.run.cancel);
        for i in 0..n {
            pace.step().await?;
            let mean = means[i];
            a.row_mut(i).iter_mut().zip(&means).for_each(|(v, other)| *v = *v / sums.count.max(1.0) - mean * other);
        }
        let mean = (0..n).map(|i| a.at(i, i)).sum::<f64>() / n.max(1) as f64;
        let mut system = Self { a, w: Dense::new(n, matrix.outputs(), w)? };
        // Where all inputs are constant, any damping will do.
        system.damp(if mean > 0.0 { DAMPING * mean } else { 1.0 });
        Ok(system)
    }

    fn damp(&mut self, damping: f64) {
        (0..self.a.rows).for_each(|i| self.a.row_mut(i)[i] += damping);
    }

    /// A⁻¹ and W.
    ///
    /// # Errors
    /// The statistics are so far from positive definite that no damping helps, or the run was cancelled.
    pub(super) async fn inverse(mut self, pace: &mut Pace<'_>) -> Result<(Dense, Dense)> {
        let mut damping = (0..self.a.rows).map(|i| self.a.at(i, i)).sum::<f64>() / self.a.rows.max(1) as f64 * DAMPING;
        for _ in 0..=RETRIES {
            if let Some(inverse) = spd_inverse(self.a.clone(), pace).await? {
                return Ok((inverse, self.w));
            }
            damping *= 10.0;
            self.damp(damping);
        }
        Err(Error::input(
            "The second moments of a layer's inputs are not positive definite, however much they are damped; the model's activations overflow, so take another criterion, such as \"flap\".",
        ))
    }
}

/// The channels of a unit.
pub(super) fn channels(unit: u32, size: usize) -> Vec<usize> {
    (unit as usize * size..(unit as usize + 1) * size).collect()
}
