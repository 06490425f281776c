//! Repairs: the kept weights of a consumer, changed so that it gives nearly what it gave before. One file a repair, one
//! line in [`REPAIRS`].
//!
//! All of them are functions of the same sums over tokens (see [`Problem`]): of the consumer's kept inputs x and of the
//! output y that it should give.

mod bias;
mod choose;
mod liar;
mod mask_tuning;
mod none;
mod problem;
mod ridge;
#[cfg(test)]
mod tests;
pub mod weights;

pub use choose::{Outcome, Problems, SiteOptions, repair_site};
pub use problem::{Fit, Problem, Wanted};
pub use ridge::Ridge;

use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::Needs;
use crate::device::{Device, Tensor};

/// What a repair may use beside the problem.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepairOptions {
    /// Damping toward the truncated weights, as a multiple of the mean variance of the kept inputs.
    pub ridge: f64,
    /// Channels of one unit.
    pub unit_size: usize,
}

/// A repair.
pub trait Repair: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: what it changes, and where it is from.
    fn summary(&self) -> &'static str;
    /// What calibration must collect for it.
    fn needs(&self) -> Needs;
    /// Fields of the recipe's method that go with it.
    fn options(&self) -> &'static [&'static str] {
        if self.needs().gram { &["ridge", "affine", "error_aware", "target"] } else { &[] }
    }
    /// Whether it changes nothing but the bias, and so nothing at all where there can be none.
    fn shifts_only(&self) -> bool {
        false
    }
    /// Whether a stronger repair that does harm may fall back to this one.
    fn falls_back_to(&self) -> bool {
        true
    }
    /// New weights and bias for a consumer whose truncated weights are `truncated`, [kept, outputs].
    fn solve<'a>(
        &'a self,
        device: &'a Device,
        problem: &'a Problem,
        truncated: &'a Tensor,
        options: RepairOptions,
    ) -> LocalFuture<'a, Result<Fit>>;
}

/// Every repair, from the weakest to the strongest: a repair that does harm falls back to the next weaker one that lets it.
pub const REPAIRS: &[&dyn Repair] = &[&none::Truncation, &bias::BiasCompensation, &mask_tuning::MaskTuning, &liar::Liar];

/// The repair of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn repair(name: &str) -> Result<&'static dyn Repair> {
    REPAIRS.iter().copied().find(|repair| repair.name() == name).ok_or_else(|| {
        let names: Vec<&str> = REPAIRS.iter().map(|repair| repair.name()).collect();
        Error::recipe(format!("method.reconstruction is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}
