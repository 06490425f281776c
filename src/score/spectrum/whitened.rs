//! Whitening (SVD-LLM, Wang et al., 2024), in the form without an inverse: the directions of the output that carry the most energy
//! on the calibration text, which no other factors of that rank can beat there.

use super::{Factorisation, Scaling};

pub(super) struct Whitened;

impl Factorisation for Whitened {
    fn name(&self) -> &'static str {
        "whitened"
    }

    fn title(&self) -> &'static str {
        "Whitened"
    }

    fn summary(&self) -> &'static str {
        "Keeps the directions of the output that carry the most energy on the calibration text: the least error of every rank."
    }

    fn scaling(&self, _mean_squares: &[f64]) -> Scaling {
        Scaling::Whitening
    }
}
