//! Second moment (Greedy Output Approximation, 2407.19126; K-prune's representational score): the mean square of a channel
//! times the squared norm of its outgoing weights, summed over a unit. It is the error that truncation leaves, without any
//! repair, if channels were uncorrelated.

use super::{Criterion, Scores, Site};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;

pub(super) struct SecondMoment;

impl Criterion for SecondMoment {
    fn name(&self) -> &'static str {
        "second_moment"
    }

    fn title(&self) -> &'static str {
        "Second moment"
    }

    fn summary(&self) -> &'static str {
        "How large a unit's output is over the calibration text, weighted by what reads it (Greedy Output Approximation, 2025)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, ..Needs::default() }
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let sums = site.sums()?;
            let weights = site.consumer_squares()?;
            let channels: Vec<f64> =
                sums.squares.iter().zip(weights).map(|(square, weight)| square / sums.count.max(1.0) * weight).collect();
            Ok(Scores::Independent(site.by_unit(&channels)))
        })
    }
}
