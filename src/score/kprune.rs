//! K-prune's knowledge (Park et al., ICLR 2024): what removing a unit does to the predictions, by the Fisher information of its mask,
//! and to the outputs of its own consumer. The published score is that over the operations of the unit, for one threshold over all
//! units; an allocation knows what units cost, and one that adds scores up needs them undivided.

use super::{Criterion, LayerScores, Scores, Site, Whole};
use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::{LossTargets, MaskGradients, Needs};
use crate::model::Unit;

/// Weight of the predictions.
const PREDICTIVE: f64 = 1.0;
/// Weight of the outputs, as in the published scripts.
const REPRESENTATIONAL: f64 = 2.5e-4;

pub(super) struct KPrune;

impl Criterion for KPrune {
    fn name(&self) -> &'static str {
        "kprune"
    }

    fn title(&self) -> &'static str {
        "K-prune (knowledge)"
    }

    fn summary(&self) -> &'static str {
        "What removing a unit does to the model's predictions and to its layer's outputs (Park et al., 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, gradients: true, ..Needs::default() }
    }

    fn score<'a>(&'a self, _site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async { Err(Error::internal("kprune looks at the whole model")) })
    }

    fn score_all<'a>(&'a self, whole: &'a Whole<'a>) -> LocalFuture<'a, Result<Vec<LayerScores>>> {
        Box::pin(async move {
            let gradients = whole.mask_gradients(LossTargets::Drawn { seed: whole.seed }).await?;
            whole
                .by_site(async |site: &Site<'_>| {
                    let predictive = curvature(&gradients, site.layer, site.unit);
                    let pairs = predictive.iter().zip(outputs(site)?);
                    Ok(Scores::Independent(pairs.map(|(p, r)| PREDICTIVE * 0.5 * p + REPRESENTATIONAL * r).collect()))
                })
                .await
        })
    }
}

/// Second derivative of the mean KL divergence (by example, or by predicted token) of the masked model from the dense one, [units].
///
/// Targets are drawn from the predictions, so gradients of different tokens are independent with mean 0, and the squared sum over
/// a sequence has the sum of the tokens' Fisher informations as its expectation.
fn curvature(gradients: &MaskGradients, layer: usize, unit: Unit) -> Vec<f64> {
    let predictions: f64 = gradients.predictions.iter().map(|&count| count as f64).sum();
    let squares = gradients.sums(layer, unit, |sequence, gradient| (gradients.predictions[sequence] as f64 * gradient).powi(2));
    squares.into_iter().map(|square| square / predictions.max(1.0)).collect()
}

/// Mean square of a unit's channels, times the mean square of the weights that read them, [units].
fn outputs(site: &Site<'_>) -> Result<Vec<f64>> {
    let sums = site.sums()?;
    let width = site.consumer().outputs().max(1) as f64;
    let weights = site.consumer_squares()?;
    let channels: Vec<f64> =
        sums.squares.iter().zip(weights).map(|(square, weight)| square / sums.count.max(1.0) * weight / width).collect();
    Ok(site.by_unit(&channels))
}
