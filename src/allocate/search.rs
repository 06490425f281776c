//! Constrained search: heads are ranked over all layers, and neurons are; of all splits of the budget between the two, the one
//! that keeps the largest sum of scores (Kwon et al., NeurIPS 2022; OPTIN, ICLR 2024).

use super::split::Split;
use super::{Allocated, Allocation, Budget, Costs, Planning, Request};
use crate::base::{Error, LocalFuture, Result};

/// The search under one kind of budget.
pub(super) struct Search {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    budget: Budget,
}

pub(super) const FLOPS: Search = Search {
    name: "flops",
    title: "FLOPs-constrained search",
    summary: "Heads and neurons of all layers that keep the largest sum of scores; the ratio is a share of FLOPs (Kwon et al., 2022).",
    budget: Budget::Flops,
};

pub(super) const PARAMETERS: Search = Search {
    name: "parameters",
    title: "Parameter-constrained search",
    summary: "Heads and neurons of all layers that keep the largest sum of scores under a budget of parameters (Kwon et al., 2022).",
    budget: Budget::Linear,
};

impl Search {
    /// Nothing where the budget depends on the length of sequences, and no text was read.
    fn costs(&self, request: &Request<'_>) -> Option<Costs> {
        match self.budget {
            Budget::Flops => request.length.map(|length| Costs::flops(request.architecture, length)),
            _ => Some(Costs::parameters(request.architecture)),
        }
    }
}

impl Allocation for Search {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn budget(&self) -> Budget {
        self.budget
    }

    fn check(&self, request: &Request<'_>) -> Result<()> {
        match self.costs(request) {
            Some(costs) => Split::new(request, &request.unscored(), &costs).nearest().check(request),
            None => Ok(()),
        }
    }

    fn plan<'a>(&'a self, planning: &'a Planning<'a>) -> LocalFuture<'a, Result<Allocated>> {
        Box::pin(async move {
            let request = &planning.request;
            let costs = self.costs(request).ok_or_else(|| Error::internal("FLOPs without the length of sequences"))?;
            let split = Split::new(request, &request.losses(planning.scores)?, &costs).nearest();
            split.allocated(request, split.least_loss())
        })
    }
}
