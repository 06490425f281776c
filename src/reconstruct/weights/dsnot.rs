//! DSnoT (Zhang et al., ICLR 2024): zeros are swapped for weights as long as that takes off what a row's mean output is wrong by.

use super::{Updated, WeightProblem, WeightUpdate};
use crate::base::{LocalFuture, Pace, Result};
use crate::score::weights::WeightNeeds;

/// Swaps of a row at most, and the error (of a row's output, summed over a sequence) at which it is left alone; as published.
const SWAPS: usize = 50;
const ENOUGH: f64 = 0.1;

pub(super) struct Dsnot;

impl WeightUpdate for Dsnot {
    fn name(&self) -> &'static str {
        "dsnot"
    }

    fn title(&self) -> &'static str {
        "DSnoT"
    }

    fn summary(&self) -> &'static str {
        "Swaps zeros for weights until each output has the mean that it had; no weight changes its value (2024)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds { sums: true, ..WeightNeeds::default() }
    }

    fn keeps_patterns(&self) -> bool {
        false
    }

    fn update<'a>(&'a self, problem: &'a WeightProblem<'a>) -> LocalFuture<'a, Result<Updated>> {
        Box::pin(async move {
            let mut mask = problem.picked();
            let sequences = problem.sequences.max(1) as f64;
            let means: Vec<f64> = problem.sums.sums.iter().map(|sum| sum / sequences).collect();
            let variances = problem.sums.variances();
            let mut scores = vec![0.0; problem.inputs];
            let mut pace = Pace::new(problem.device.cancel());
            for output in 0..problem.outputs {
                pace.step().await?;
                (problem.scores)(output, &mut scores);
                let weights = &problem.weight[output * problem.inputs..(output + 1) * problem.inputs];
                let gives: Vec<f64> = weights.iter().zip(&means).map(|(weight, mean)| f64::from(*weight) * mean).collect();
                swap(&gives, &variances, &scores, mask.row_mut(output));
            }
            Ok(Updated { weight: mask.applied(problem.weight), mask })
        })
    }
}

/// One row: `gives` is what each weight adds to the row's mean output. Brings back the weight that takes most off the error for the variance
/// that it adds, and takes the one with the smallest score that does not add to it; a swap that is no use ends the row.
fn swap(gives: &[f64], variances: &[f64], scores: &[f64], zeros: &mut [bool]) {
    let mut missing: f64 = gives.iter().zip(zeros.iter()).filter(|(_, zero)| **zero).map(|(give, _)| give).sum();
    for _ in 0..SWAPS {
        if missing.abs() <= ENOUGH {
            return;
        }
        let sign = missing.signum();
        let gain = |place: usize| sign * gives[place] / variances[place].max(f64::MIN_POSITIVE);
        let back = best(gives.len(), |place| zeros[place] && sign * gives[place] > 0.0, |place| -gain(place));
        let gone = best(gives.len(), |place| !zeros[place] && sign * gives[place] < 0.0, |place| scores[place]);
        let (Some(back), Some(gone)) = (back, gone) else { return };
        let after = missing - gives[back] + gives[gone];
        if after.abs() >= missing.abs() {
            return;
        }
        (zeros[back], zeros[gone]) = (false, true);
        missing = after;
    }
}

/// The first place with the smallest value among those that may be taken.
fn best(count: usize, may: impl Fn(usize) -> bool, value: impl Fn(usize) -> f64) -> Option<usize> {
    (0..count).filter(|&place| may(place)).min_by(|&a, &b| value(a).total_cmp(&value(b)))
}
