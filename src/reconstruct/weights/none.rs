//! No update: what stays, stays as it is.

use super::{Updated, WeightProblem, WeightUpdate};
use crate::base::{LocalFuture, Result};
use crate::score::weights::WeightNeeds;

pub(super) struct Untouched;

impl WeightUpdate for Untouched {
    fn name(&self) -> &'static str {
        "none"
    }

    fn title(&self) -> &'static str {
        "None"
    }

    fn summary(&self) -> &'static str {
        "The weights that stay are not changed."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds::default()
    }

    fn update<'a>(&'a self, problem: &'a WeightProblem<'a>) -> LocalFuture<'a, Result<Updated>> {
        Box::pin(async move {
            let mask = problem.picked();
            Ok(Updated { weight: mask.applied(problem.weight), mask })
        })
    }
}
