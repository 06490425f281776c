//! Options that only some criteria take.

use super::{CRITERIA, Criterion};
use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Options of criteria, fields of the recipe's `method`. Each belongs to the criteria that name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreOptions {
    /// How often a kept and a removed unit may change places once the number of units is known.
    #[serde(skip_serializing_if = "is_default")]
    pub swaps: usize,
}

impl ScoreOptions {
    /// Names of all options.
    pub const NAMES: &[&str] = &["swaps"];

    /// Refuses an option that `criterion` does not take.
    ///
    /// # Errors
    /// The message names the field and the criteria that take it.
    pub fn check(&self, criterion: &dyn Criterion) -> Result<()> {
        let given = [("swaps", !is_default(&self.swaps))];
        for (name, _) in given.into_iter().filter(|(name, given)| *given && !criterion.options().contains(name)) {
            let takers: Vec<&str> = CRITERIA.iter().filter(|one| one.options().contains(&name)).map(|one| one.name()).collect();
            return Err(Error::recipe(format!(
                "method.{name} works with the criterion {} only; leave it out with \"{}\".",
                takers.join(" or "),
                criterion.name()
            )));
        }
        Ok(())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
