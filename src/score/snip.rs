//! SNIP (Lee et al., ICLR 2019) for units: the size of the gradient of the whole calibration set's loss with respect to a factor on
//! the unit, at 1. To first order it is how much removing the unit changes that loss, up or down.

use super::{Criterion, LayerScores, Scores, Site, Whole};
use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::{LossTargets, Needs};

pub(super) struct Snip;

impl Criterion for Snip {
    fn name(&self) -> &'static str {
        "snip"
    }

    fn title(&self) -> &'static str {
        "SNIP (gradient)"
    }

    fn summary(&self) -> &'static str {
        "How much removing a unit would change the loss over the whole calibration text, to first order (Lee et al., 2019)."
    }

    fn needs(&self) -> Needs {
        Needs { gradients: true, labels: true, ..Needs::default() }
    }

    fn score<'a>(&'a self, _site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async { Err(Error::internal("snip looks at the whole model")) })
    }

    fn score_all<'a>(&'a self, whole: &'a Whole<'a>) -> LocalFuture<'a, Result<Vec<LayerScores>>> {
        Box::pin(async move {
            let gradients = whole.mask_gradients(LossTargets::Observed).await?;
            Ok(whole.by_layer(|layer, unit| gradients.sums(layer, unit, |_, gradient| gradient).into_iter().map(f64::abs).collect()))
        })
    }
}
