//! Scores and a budget to a [`Plan`]. One file an allocation, one line in [`ALLOCATIONS`].

mod costs;
mod cut;
mod depth;
mod global;
mod latency;
mod options;
mod plan;
mod planning;
mod ranks;
mod search;
mod select;
mod sensitivity;
pub mod sparsity;
mod split;
#[cfg(test)]
mod tests;
mod uniform;
mod width;

pub use costs::Budget;
pub use cut::{Cut, Importance};
pub use latency::LatencyTable;
pub use options::AllocationOptions;
pub use plan::{LayerPlan, Plan, channels};
pub use planning::{Allocated, Passes, Planning};
pub use ranks::{
    GroupProbe, Probing, RANK_ALLOCATIONS, RankAllocation, RankRequest, Ranks, Sharing, kept_parameters, probe_ranks, rank_allocation,
    share,
};
pub use select::{CloseCall, STATISTIC_ERROR, select};
pub use sensitivity::Probe;

use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::Needs;
use crate::model::{Architecture, Unit};
use costs::Costs;

/// How far the realised ratio may lie from the one that was asked for.
pub const TOLERANCE: f64 = 0.005;

/// What an allocation decides over.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The model.
    pub architecture: &'a Architecture,
    /// Units that may be removed.
    pub units: &'a [Unit],
    /// Share of the allocation's [`Budget`] to remove.
    pub ratio: f64,
    /// Share of a layer's units of each kind that stays at least; one unit always does.
    pub floor: f64,
    /// Whether head counts must be such that a stock config can say them.
    pub stock: bool,
    /// Mean tokens of a calibration sequence; absent where no text was read.
    pub length: Option<f64>,
}

/// Units to keep in a layer: heads and neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Heads.
    pub heads: usize,
    /// Neurons.
    pub neurons: usize,
}

/// An allocation.
pub trait Allocation: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: how it shares the budget out.
    fn summary(&self) -> &'static str;
    /// What its ratio is a share of.
    fn budget(&self) -> Budget {
        Budget::Linear
    }
    /// Whether layers of the same widths may come out with different ones.
    fn uneven(&self) -> bool {
        true
    }
    /// Names of the [`AllocationOptions`] that it takes.
    fn options(&self) -> &'static [&'static str] {
        if self.uneven() { AllocationOptions::NAMES } else { &[] }
    }
    /// Whether it runs the model, as it is, to decide; then whole layers and channels of the residual stream cannot go at the same
    /// time.
    fn runs_model(&self) -> bool {
        false
    }
    /// Whether it decides by what a compensated bias leaves.
    fn by_bias(&self) -> bool {
        false
    }
    /// What calibration must keep for it.
    fn needs(&self) -> Needs {
        Needs::default()
    }
    /// What it runs beside, over a calibration set of so many tokens.
    fn passes(&self, _request: &Request<'_>, _tokens: usize) -> Passes {
        Passes::default()
    }
    /// Checks that the ratio can be reached, before any work, as far as the request can tell.
    ///
    /// # Errors
    /// It cannot; the message gives the nearest ratios that can.
    fn check(&self, request: &Request<'_>) -> Result<()>;
    /// Units to keep, by layer.
    fn plan<'a>(&'a self, planning: &'a Planning<'a>) -> LocalFuture<'a, Result<Allocated>>;
}

/// Every allocation.
pub const ALLOCATIONS: &[&dyn Allocation] =
    &[&uniform::Uniform, &global::Global, &search::PARAMETERS, &search::FLOPS, &latency::Latency, &sensitivity::Sensitivity];

/// The allocation of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn allocation(name: &str) -> Result<&'static dyn Allocation> {
    ALLOCATIONS.iter().copied().find(|allocation| allocation.name() == name).ok_or_else(|| {
        let names: Vec<&str> = ALLOCATIONS.iter().map(|allocation| allocation.name()).collect();
        Error::recipe(format!("method.allocation is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}
