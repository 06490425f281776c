//! OWL (Yin et al., ICML 2024): blocks with many scores far above their mean lose less.

use super::{LayerBudget, LayerOptions};
use crate::base::{LocalFuture, Pace, Result};
use crate::score::weights::{WeightSite, weight_criterion};

/// Half of the range of shares, as published.
const RANGE: f64 = 0.08;

pub(super) struct Owl;

impl LayerBudget for Owl {
    fn name(&self) -> &'static str {
        "owl"
    }

    fn title(&self) -> &'static str {
        "OWL"
    }

    fn summary(&self) -> &'static str {
        "Blocks with more outliers among Wanda's scores keep more; one more pass over the text (2024)."
    }

    fn needs_norms(&self) -> bool {
        true
    }

    /// Percentage of scores above so many times the mean, over all linear layers of the block.
    fn measure<'a>(&'a self, block: &'a [WeightSite<'a>], options: LayerOptions, pace: &'a mut Pace<'_>) -> LocalFuture<'a, Result<f64>> {
        Box::pin(async move {
            let wanda = weight_criterion("wanda")?;
            let all: usize = block.iter().map(|site| site.weight.len()).sum();
            let mut sum = 0.0;
            let mut above = 0usize;
            for counting in [false, true] {
                let limit = options.outlier * sum / all.max(1) as f64;
                for site in block {
                    let scores = wanda.scores(*site);
                    let mut row = vec![0.0; site.inputs];
                    for output in 0..site.outputs() {
                        pace.step().await?;
                        scores(output, &mut row);
                        match counting {
                            false => sum += row.iter().sum::<f64>(),
                            true => above += row.iter().filter(|score| **score > limit).count(),
                        }
                    }
                }
            }
            Ok(100.0 * above as f64 / all.max(1) as f64)
        })
    }

    fn shares(&self, measures: &[f64], ratio: f64, options: LayerOptions) -> Vec<f64> {
        let least = measures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = measures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = options.range.unwrap_or(RANGE);
        let kept: Vec<f64> =
            measures.iter().map(|own| if most > least { 2.0 * range * (own - least) / (most - least) } else { 0.0 }).collect();
        let mean = kept.iter().sum::<f64>() / kept.len().max(1) as f64;
        kept.iter().map(|kept| ratio - (kept - mean)).collect()
    }
}
