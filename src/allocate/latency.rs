//! Latency-constrained search: as [`super::search`], with the time of the blocks on this very device as the budget (Kwon et al.,
//! NeurIPS 2022, with a budget that stays what it was through all splits).

mod measure;
mod table;

pub use table::LatencyTable;

use super::split::Split;
use super::{Allocated, Allocation, Budget, Costs, Planning, Request};
use crate::base::{LocalFuture, Result};
use crate::score::LayerScores;

pub(super) struct Latency;

impl Allocation for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn title(&self) -> &'static str {
        "Latency-constrained search"
    }

    fn summary(&self) -> &'static str {
        "Heads and neurons of all layers that keep the largest sum of scores; the ratio is a share of the time measured on this device."
    }

    fn budget(&self) -> Budget {
        Budget::Latency
    }

    fn runs_model(&self) -> bool {
        true
    }

    /// What can be reached is known only when it was measured.
    fn check(&self, _: &Request<'_>) -> Result<()> {
        Ok(())
    }

    fn plan<'a>(&'a self, planning: &'a Planning<'a>) -> LocalFuture<'a, Result<Allocated>> {
        Box::pin(async move { search(&planning.request, planning.scores, measure::measure(planning.whole).await?) })
    }
}

/// The plan that a table of times gives.
fn search(request: &Request<'_>, scores: &[LayerScores], table: LatencyTable) -> Result<Allocated> {
    let costs = Costs::new(request.architecture, |_, unit, count| table.seconds(unit, count));
    let split = Split::new(request, &request.losses(scores)?, &costs);
    let mut allocated = split.allocated(request, split.least_loss())?;
    allocated.time = Some(1.0 - costs.of(&allocated.plan) / costs.total());
    allocated.latency = Some(table);
    Ok(allocated)
}

#[cfg(test)]
mod tests;
