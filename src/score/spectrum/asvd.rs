//! Activation-aware SVD (Yuan et al., 2023): inputs are scaled by (mean |x|)^0.5 before the decomposition. The mean of |x| is taken as
//! the root of the mean square, which calibration has anyway.

use super::{Factorisation, Scaling};

/// The paper's exponent of the mean magnitude.
const ALPHA: f64 = 0.5;
/// Inputs that are all but silent count as much as this share of the loudest, so that their weights keep a direction.
const FLOOR: f64 = 1e-6;

pub(super) struct Asvd;

impl Factorisation for Asvd {
    fn name(&self) -> &'static str {
        "asvd"
    }

    fn title(&self) -> &'static str {
        "ASVD"
    }

    fn summary(&self) -> &'static str {
        "Keeps the largest singular values of the weight with its inputs scaled by the root of their mean size."
    }

    fn scaling(&self, mean_squares: &[f64]) -> Scaling {
        let sizes: Vec<f64> = mean_squares.iter().map(|square| square.max(0.0).sqrt()).collect();
        let least = FLOOR * sizes.iter().fold(0.0, |most: f64, &size| most.max(size));
        Scaling::Inputs(sizes.into_iter().map(|size| size.max(least).powf(ALPHA)).collect())
    }
}
