//! The same share of zeros everywhere.

use super::{LayerBudget, LayerOptions};
use crate::base::{LocalFuture, Pace, Result};
use crate::score::weights::WeightSite;

pub(super) struct Uniform;

impl LayerBudget for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn title(&self) -> &'static str {
        "Uniform"
    }

    fn summary(&self) -> &'static str {
        "The same share of zeros in every linear layer."
    }

    fn measures(&self) -> bool {
        false
    }

    fn measure<'a>(
        &'a self,
        _block: &'a [WeightSite<'a>],
        _options: LayerOptions,
        _pace: &'a mut Pace<'_>,
    ) -> LocalFuture<'a, Result<f64>> {
        Box::pin(async { Ok(0.0) })
    }

    fn shares(&self, measures: &[f64], ratio: f64, _options: LayerOptions) -> Vec<f64> {
        vec![ratio; measures.len()]
    }
}
