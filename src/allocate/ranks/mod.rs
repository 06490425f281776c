//! Spectra and a budget to ranks. One file an allocation, one line in [`RANK_ALLOCATIONS`].

mod global;
mod greedy;
mod probe;
mod sharing;
mod soft_threshold;
#[cfg(test)]
mod tests;
mod uniform;

pub use probe::{GroupProbe, Probing, probe_ranks};
pub use sharing::{Sharing, share};

use crate::base::{Error, Result};
use crate::score::Spectrum;

/// What ranks are decided over.
pub struct RankRequest<'a> {
    /// Every linear layer of the blocks.
    pub spectra: &'a [Spectrum],
    /// What a unit of error energy of each costs the model's answers; all 1 where nothing was measured.
    pub weights: &'a [f64],
    /// Share of their weights' parameters that stays at most.
    pub kept: f64,
    /// Share of the uniform rank that every layer keeps.
    pub floor: f64,
}

impl RankRequest<'_> {
    /// Parameters that stay at most.
    fn budget(&self) -> usize {
        (self.kept * self.spectra.iter().map(Spectrum::dense).sum::<usize>() as f64).floor() as usize
    }

    /// The rank of the kept share, were it the same everywhere.
    fn even(&self, spectrum: &Spectrum) -> usize {
        (self.kept * spectrum.dense() as f64 / (spectrum.inputs + spectrum.outputs) as f64).floor() as usize
    }

    /// The least rank of a layer: costs do not add up where one is nearly gone.
    fn least(&self, spectrum: &Spectrum) -> usize {
        (self.floor * self.even(spectrum) as f64).ceil() as usize
    }
}

/// The rank of each layer; none where it stays dense.
pub type Ranks = Vec<Option<usize>>;

/// An allocation of ranks.
pub trait RankAllocation: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: how it shares the budget out.
    fn summary(&self) -> &'static str;
    /// Whether it weighs errors by what they cost the model's answers, which has to be measured.
    fn weighs(&self) -> bool {
        true
    }
    /// Fields of the recipe's method that it heeds.
    fn options(&self) -> &'static [&'static str] {
        if self.weighs() { &["floor", "sensitivity"] } else { &[] }
    }
    /// Whether it lets layers share a factor only where its price says that this is better.
    fn chooses_sharing(&self) -> bool {
        false
    }
    /// The ranks.
    fn ranks(&self, request: &RankRequest<'_>) -> Ranks;
}

/// Every allocation of ranks.
pub const RANK_ALLOCATIONS: &[&dyn RankAllocation] = &[&uniform::Uniform, &global::Global, &soft_threshold::SoftThreshold];

/// The allocation of ranks of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn rank_allocation(name: &str) -> Result<&'static dyn RankAllocation> {
    RANK_ALLOCATIONS.iter().copied().find(|allocation| allocation.name() == name).ok_or_else(|| {
        let names: Vec<&str> = RANK_ALLOCATIONS.iter().map(|allocation| allocation.name()).collect();
        Error::recipe(format!("method.allocation is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}

/// Parameters of a weight at a rank, or as it is.
pub fn kept_parameters(spectrum: &Spectrum, rank: Option<usize>) -> usize {
    rank.map_or(spectrum.dense(), |rank| spectrum.cost(rank))
}
