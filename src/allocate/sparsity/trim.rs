//! TRIM (Beck, Rudman and Eickhoff, 2025): zeros move between rows as long as the layer's output keeps its direction better, by how well
//! each row's output keeps its own.

use super::share::rounded;
use super::{PrefixCurves, RowBudget, Rows};
use crate::base::{Error, Result};

/// Steps for each learning rate.
const ITERATIONS: usize = 10;
/// Learning rates, and those that are tried where none of the former is any use; each list until one is not better than those before.
const RATES: [&[f64]; 2] = [&[0.01, 0.02, 0.04, 0.08, 0.12, 0.16], &[-0.01, -0.02, -0.04]];
/// Largest share of zeros in a row, but for what is spread over all rows at the end of each step.
const MOST: f64 = 0.95;

pub(super) struct Trim;

impl RowBudget for Trim {
    fn name(&self) -> &'static str {
        "trim"
    }

    fn title(&self) -> &'static str {
        "TRIM"
    }

    fn summary(&self) -> &'static str {
        "Rows whose outputs keep their direction lose more, as far as that keeps the layer's (2025)."
    }

    fn needs_curves(&self) -> bool {
        true
    }

    fn rows(&self, rows: &Rows<'_>) -> Result<Vec<usize>> {
        let curves = rows.curves.ok_or_else(|| Error::internal("TRIM without curves"))?;
        let size = curves.inputs as f64;
        let target = rows.zeros as f64 / (size * curves.rows() as f64).max(1.0);
        let shares = search(curves, target);
        Ok(rounded(&shares.iter().map(|share| share * size).collect::<Vec<_>>(), curves.inputs, rows.zeros))
    }
}

/// Shares of zeros by row, with this mean.
fn search(curves: &PrefixCurves, target: f64) -> Vec<f64> {
    let uniform = vec![target; curves.rows()];
    let base = cosine(curves, &uniform);
    let mut best = (base, uniform);
    for rates in RATES {
        for &rate in rates {
            let found = descend(curves, target, rate);
            if found.0 <= best.0 {
                break;
            }
            best = found;
        }
        if best.0 > base {
            break;
        }
    }
    let mut shares = best.1;
    recentred(&mut shares, target);
    shares
}

/// The best cosine on the way, and its shares.
fn descend(curves: &PrefixCurves, target: f64, rate: f64) -> (f64, Vec<f64>) {
    let mut shares = vec![target; curves.rows()];
    let mut best = (cosine(curves, &shares), shares.clone());
    for _ in 0..ITERATIONS {
        let kept: Vec<f64> = shares.iter().enumerate().map(|(row, share)| row_cosine(curves, row, *share)).collect();
        let least = kept.iter().copied().fold(f64::INFINITY, f64::min);
        let most = kept.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let steps: Vec<f64> = kept.iter().map(|q| 2.0 * rate * (q - least) / (most - least + 1e-6)).collect();
        let mean = mean(&steps);
        shares.iter_mut().zip(&steps).for_each(|(share, step)| *share += step - mean);
        recentred(&mut shares, target);
        let quality = cosine(curves, &shares);
        if quality > best.0 {
            best = (quality, shares.clone());
        }
    }
    best
}

fn recentred(shares: &mut [f64], target: f64) {
    shares.iter_mut().for_each(|share| *share = share.clamp(0.0, MOST));
    let shift = target - mean(shares);
    shares.iter_mut().for_each(|share| *share += shift);
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Zeros of a row, cut off as published.
fn zeros(curves: &PrefixCurves, share: f64) -> usize {
    (curves.inputs as f64 * share).max(0.0) as usize
}

/// Cosine between a row's output and what is left of it.
fn row_cosine(curves: &PrefixCurves, row: usize, share: f64) -> f64 {
    let (dot, square) = curves.at(row, zeros(curves, share));
    ratio(dot, square, curves.own(row))
}

/// The same of all outputs of the layer as one vector.
fn cosine(curves: &PrefixCurves, shares: &[f64]) -> f64 {
    let mut sums = (0.0, 0.0, 0.0);
    for (row, share) in shares.iter().enumerate() {
        let (dot, square) = curves.at(row, zeros(curves, *share));
        sums = (sums.0 + dot, sums.1 + square, sums.2 + curves.own(row));
    }
    ratio(sums.0, sums.1, sums.2)
}

fn ratio(dot: f64, left: f64, own: f64) -> f64 {
    const EPSILON: f64 = 1e-8;
    (dot / (left.max(0.0).sqrt().max(EPSILON) * own.sqrt().max(EPSILON))).clamp(-1.0, 1.0)
}
