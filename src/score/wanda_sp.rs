//! Wanda-sp (in the code of FLAP, An et al., AAAI 2024): the mean magnitude of a channel's outgoing weights times the norm of the channel
//! over the calibration text, summed over a unit.

use super::{Criterion, Scores, Site};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;

pub(super) struct WandaSp;

impl Criterion for WandaSp {
    fn name(&self) -> &'static str {
        "wanda_sp"
    }

    fn title(&self) -> &'static str {
        "Wanda-sp"
    }

    fn summary(&self) -> &'static str {
        "Mean size of what reads a channel, times how large the channel is over the calibration text (Wanda by whole units, 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, ..Needs::default() }
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let (sums, matrix) = (site.sums()?, site.consumer());
            let channels = scores(&matrix.to_f32_inputs_major()?, &sums.squares, sums.count);
            Ok(Scores::Independent(site.by_unit(&channels)))
        })
    }
}

/// A score a channel: weights [channels, outputs], sums of squares over `count` tokens. The norm is taken per token, so that scores do
/// not depend on how much text there is.
fn scores(weights: &[f32], squares: &[f64], count: f64) -> Vec<f64> {
    let outputs = weights.len() / squares.len().max(1);
    let sizes = weights.chunks_exact(outputs.max(1)).map(|row| row.iter().map(|v| f64::from(v.abs())).sum::<f64>() / outputs as f64);
    sizes.zip(squares).map(|(size, square)| size * (square / count.max(1.0)).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_formula() {
        // Mean magnitudes 2 and 1.5, root mean squares 3 and 0.5 over 4 tokens.
        assert_eq!(scores(&[1.0, -3.0, 0.0, 3.0], &[36.0, 1.0], 4.0), [6.0, 0.75]);
    }
}
