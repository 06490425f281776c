//! Magnitude: the L2 norm of all weights of a unit (Han et al., 2015, by groups).

use super::{Criterion, Scores, Site};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;

pub(super) struct Magnitude;

impl Criterion for Magnitude {
    fn name(&self) -> &'static str {
        "magnitude"
    }

    fn title(&self) -> &'static str {
        "Magnitude"
    }

    fn summary(&self) -> &'static str {
        "The size of a unit's own weights, before and after it; looks at no data (Han et al., 2015)."
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let read = site.by_unit(&site.consumer_squares()?);
            Ok(Scores::Independent(site.producer_squares()?.iter().zip(read).map(|(made, read)| (made + read).sqrt()).collect()))
        })
    }
}
