//! Fisher information of masks (Kwon et al., NeurIPS 2022): the mean squared gradient of the loss with respect to a factor on the
//! unit, at 1. Half of it is what removing the unit alone adds to the loss, to second order.

use super::{Criterion, LayerScores, Scores, Site, Whole};
use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::{LossTargets, Needs};

pub(super) struct Fisher;

impl Criterion for Fisher {
    fn name(&self) -> &'static str {
        "fisher"
    }

    fn title(&self) -> &'static str {
        "Fisher information"
    }

    fn summary(&self) -> &'static str {
        "How strongly a unit's output moves the loss of single calibration texts: squared gradients, averaged (Kwon et al., 2022)."
    }

    fn needs(&self) -> Needs {
        Needs { gradients: true, labels: true, ..Needs::default() }
    }

    fn score<'a>(&'a self, _site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async { Err(Error::internal("fisher looks at the whole model")) })
    }

    fn score_all<'a>(&'a self, whole: &'a Whole<'a>) -> LocalFuture<'a, Result<Vec<LayerScores>>> {
        Box::pin(async move {
            let gradients = whole.mask_gradients(LossTargets::Observed).await?;
            let count = gradients.losses.len().max(1) as f64;
            Ok(whole.by_layer(|layer, unit| {
                let squares = gradients.sums(layer, unit, |_, gradient| gradient * gradient);
                squares.into_iter().map(|square| square / count).collect()
            }))
        })
    }
}
