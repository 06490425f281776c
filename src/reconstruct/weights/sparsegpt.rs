//! The update of SparseGPT (Frantar and Alistarh, ICML 2023): each weight that goes is made up for by those to the right of it in its row.

use super::sweep::sweep;
use super::{Updated, WeightProblem, WeightUpdate};
use crate::base::{LocalFuture, Result};
use crate::score::weights::WeightNeeds;

pub(super) struct SparseGpt;

impl WeightUpdate for SparseGpt {
    fn name(&self) -> &'static str {
        "sparsegpt"
    }

    fn title(&self) -> &'static str {
        "SparseGPT"
    }

    fn summary(&self) -> &'static str {
        "Each removal is made up for by the weights to the right of it, column after column (2023)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds { sums: true, gram: true, factor: true }
    }

    fn update<'a>(&'a self, problem: &'a WeightProblem<'a>) -> LocalFuture<'a, Result<Updated>> {
        Box::pin(sweep(problem))
    }
}
