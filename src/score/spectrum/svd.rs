//! Plain truncated singular value decomposition (Eckart and Young, 1936): the weight alone.

use super::{Factorisation, Scaling};

pub(super) struct Svd;

impl Factorisation for Svd {
    fn name(&self) -> &'static str {
        "svd"
    }

    fn title(&self) -> &'static str {
        "SVD"
    }

    fn summary(&self) -> &'static str {
        "Keeps the largest singular values of the weight, whatever it reads: the baseline."
    }

    fn scaling(&self, _mean_squares: &[f64]) -> Scaling {
        Scaling::None
    }
}
