//! FLAP's weighted fluctuation, WIFV (An et al., AAAI 2024): the variance of a channel times the squared norm of its
//! outgoing weights, summed over a unit. It is the error that is left after bias compensation if channels were independent.

use super::{Criterion, Scores, Site};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;

pub(super) struct Flap;

impl Criterion for Flap {
    fn name(&self) -> &'static str {
        "flap"
    }

    fn title(&self) -> &'static str {
        "FLAP (fluctuation)"
    }

    fn summary(&self) -> &'static str {
        "How much a unit's output varies over the calibration text, weighted by what reads it (An et al., 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, ..Needs::default() }
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let weights = site.consumer_squares()?;
            let channels: Vec<f64> = site.sums()?.variances().iter().zip(weights).map(|(variance, weight)| variance * weight).collect();
            Ok(Scores::Independent(site.by_unit(&channels)))
        })
    }
}
