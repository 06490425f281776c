//! Criteria: how much each unit matters. One file a criterion, one line in [`CRITERIA`].

mod flap;
mod magnitude;
mod site;

pub use site::Site;

use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::Needs;

/// What a criterion says about the units of one consumer.
#[derive(Debug, Clone, PartialEq)]
pub enum Scores {
    /// One score a unit; the larger, the more it matters.
    Independent(Vec<f64>),
}

/// A criterion.
pub trait Criterion: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: what it measures, and where it is from.
    fn summary(&self) -> &'static str;
    /// What calibration must collect for it.
    fn needs(&self) -> Needs;
    /// Scores of the units of one consumer.
    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>>;
}

/// Every criterion.
pub const CRITERIA: &[&dyn Criterion] = &[&flap::Flap, &magnitude::Magnitude];

/// The criterion of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn criterion(name: &str) -> Result<&'static dyn Criterion> {
    CRITERIA.iter().copied().find(|criterion| criterion.name() == name).ok_or_else(|| {
        let names: Vec<&str> = CRITERIA.iter().map(|criterion| criterion.name()).collect();
        Error::recipe(format!("method.criterion is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}
