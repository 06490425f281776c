//! Scores and a budget to a [`Plan`]. One file an allocation, one line in [`ALLOCATIONS`].

mod cut;
mod depth;
mod plan;
mod select;
mod uniform;

pub use cut::{Cut, Importance};
pub use plan::{LayerPlan, Plan, channels};
pub use select::{CloseCall, STATISTIC_ERROR, select};

use crate::base::{Error, Result};
use crate::model::{Architecture, Unit};
use crate::score::LayerScores;

/// How far the realised ratio may lie from the one that was asked for.
pub const TOLERANCE: f64 = 0.005;

/// What an allocation decides over.
pub struct Request<'a> {
    /// The model.
    pub architecture: &'a Architecture,
    /// Units that may be removed.
    pub units: &'a [Unit],
    /// Share of the blocks' linear parameters to remove.
    pub ratio: f64,
    /// Whether head counts must be such that a stock config can say them.
    pub stock: bool,
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
    /// Checks that the ratio can be reached, before any work.
    ///
    /// # Errors
    /// It cannot; the message gives the nearest ratios that can.
    fn check(&self, request: &Request<'_>) -> Result<()>;
    /// Units to keep, by layer.
    fn plan(&self, request: &Request<'_>, scores: &[LayerScores]) -> Result<(Plan, Vec<CloseCall>)>;
}

/// Every allocation.
pub const ALLOCATIONS: &[&dyn Allocation] = &[&uniform::Uniform];

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
