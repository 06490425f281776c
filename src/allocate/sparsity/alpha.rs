//! AlphaPruning (Lu et al., NeurIPS 2024): blocks whose weights have a spectrum with a heavier tail lose less.

use super::{LayerBudget, LayerOptions};
use crate::base::algebra::{Dense, Part, eigenvalues};
use crate::base::{LocalFuture, Pace, Result};
use crate::score::weights::WeightSite;

/// Half of the relative range of shares.
const RANGE: f64 = 0.3;
/// Eigenvalues below this are none, as published.
const NOTHING: f64 = 1e-5;
/// Bins in which the most frequent size of eigenvalues is looked for.
const BINS: usize = 100;

pub(super) struct Alpha;

impl LayerBudget for Alpha {
    fn name(&self) -> &'static str {
        "alpha"
    }

    fn title(&self) -> &'static str {
        "AlphaPruning"
    }

    fn summary(&self) -> &'static str {
        "Blocks whose weights have heavier-tailed spectra keep more; looks at no text (2024)."
    }

    /// Mean exponent of the spectra's tails.
    fn measure<'a>(&'a self, block: &'a [WeightSite<'a>], _options: LayerOptions, pace: &'a mut Pace<'_>) -> LocalFuture<'a, Result<f64>> {
        Box::pin(async move {
            let mut sum = 0.0;
            for site in block {
                let wide = Dense::new(site.outputs(), site.inputs, site.weight.iter().copied().map(f64::from).collect())?;
                let wide = if wide.rows > wide.cols { wide.transposed() } else { wide };
                let mut gram = Dense::zeros(wide.rows, wide.rows);
                gram.add_product(1.0, &wide, &wide, Part::All, pace).await?;
                sum += tail(eigenvalues(gram, pace).await?);
            }
            Ok(sum / block.len().max(1) as f64)
        })
    }

    fn shares(&self, measures: &[f64], ratio: f64, options: LayerOptions) -> Vec<f64> {
        let least = measures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = measures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = options.range.unwrap_or(RANGE);
        let place = |own: &f64| if most > least { 2.0 * range * (own - least) / (most - least) - range } else { 0.0 };
        measures.iter().map(|own| ratio * (1.0 + place(own))).collect()
    }

    fn scales(&self) -> bool {
        true
    }
}

/// Exponent of the power law that fits the largest eigenvalues best (Hill's estimate): the tail begins near the most frequent size,
/// where the fit's distribution is nearest to theirs (Kolmogorov and Smirnov).
fn tail(mut values: Vec<f64>) -> f64 {
    values.retain(|value| *value > NOTHING);
    values.sort_unstable_by(f64::total_cmp);
    let Some(peak) = peak(&values) else { return 1.0 };
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mut best = (f64::INFINITY, 1.0);
    for start in 0..values.len() - 1 {
        if !(0.95 * peak..=1.5 * peak).contains(&values[start]) {
            continue;
        }
        let count = (values.len() - start) as f64;
        let excess = logs[start..].iter().sum::<f64>() - count * logs[start];
        if excess <= 0.0 {
            continue;
        }
        let alpha = 1.0 + count / excess;
        let distance = |(place, value): (usize, &f64)| (1.0 - (value / values[start]).powf(1.0 - alpha) - place as f64 / count).abs();
        let distance = values[start..].iter().enumerate().map(distance).fold(0.0, f64::max);
        if distance < best.0 {
            best = (distance, alpha);
        }
    }
    best.1
}

/// Lower end of the fullest of equal bins of log10 of sorted values; `None` of fewer than two values.
fn peak(values: &[f64]) -> Option<f64> {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return None };
    if values.len() < 2 {
        return None;
    }
    let (low, width) = (first.log10(), (last.log10() - first.log10()) / BINS as f64);
    let mut counts = [0usize; BINS];
    for value in values {
        let bin = if width > 0.0 { ((value.log10() - low) / width) as usize } else { 0 };
        counts[bin.min(BINS - 1)] += 1;
    }
    // The first of the fullest.
    let fullest = (0..BINS).rev().max_by_key(|&bin| counts[bin])?;
    Some(10f64.powf(low + width * fullest as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_law_is_found() {
        // Quantiles of a density that falls with the power 3 from 1 on.
        let count = 4000;
        let values: Vec<f64> = (0..count).map(|i| (1.0 - (i as f64 + 0.5) / count as f64).powf(-1.0 / 2.0)).collect();
        let found = tail(values);
        assert!((found - 3.0).abs() < 0.1, "{found}");
        assert_eq!(tail(vec![0.0, 1e-9, 2.0]), 1.0);
    }
}
