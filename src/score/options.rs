//! Options that only some criteria take.

use super::{CRITERIA, Criterion};
use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Options of criteria, fields of the recipe's `method`. Each belongs to the criteria that name it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreOptions {
    /// How often a kept and a removed unit may change places once the number of units is known.
    #[serde(skip_serializing_if = "is_default")]
    pub swaps: usize,
    /// Share of each layer's neurons that is scored exactly, above 0; the others keep a cheap score, brought to the same scale.
    #[serde(skip_serializing_if = "is_all")]
    pub screen: f64,
    /// Most calibration sequences that units are scored on, where every one costs a run of the model.
    #[serde(skip_serializing_if = "is_batch")]
    pub score_sequences: usize,
}

/// Sequences of the batch that OPTIN scores on, as published.
const BATCH: usize = 128;

impl Default for ScoreOptions {
    fn default() -> Self {
        Self { swaps: 0, screen: 1.0, score_sequences: BATCH }
    }
}

impl ScoreOptions {
    /// Names of all options.
    pub const NAMES: &[&str] = &["swaps", "screen", "score_sequences"];

    /// Every option, and whether it is anything but its default.
    pub fn given(&self) -> [(&'static str, bool); 3] {
        [("swaps", !is_default(&self.swaps)), ("screen", !is_all(&self.screen)), ("score_sequences", !is_batch(&self.score_sequences))]
    }

    /// Refuses an option that `criterion` does not take, or a value that makes no sense.
    ///
    /// # Errors
    /// The message names the field and the criteria that take it.
    pub fn check(&self, criterion: &dyn Criterion) -> Result<()> {
        let foreign = self.given().into_iter().find(|(name, given)| *given && !criterion.options().contains(name));
        if let Some((name, _)) = foreign {
            let takers: Vec<&str> = CRITERIA.iter().filter(|one| one.options().contains(&name)).map(|one| one.name()).collect();
            return Err(Error::recipe(format!(
                "method.{name} works with the criterion {} only; leave it out with \"{}\".",
                takers.join(" or "),
                criterion.name()
            )));
        }
        if !(self.screen > 0.0 && self.screen <= 1.0) {
            return Err(Error::recipe(format!("method.screen is {}; it must be above 0 and at most 1.", self.screen)));
        }
        if self.score_sequences == 0 {
            return Err(Error::recipe("method.score_sequences is 0; it must be at least 1."));
        }
        Ok(())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_all(screen: &f64) -> bool {
    *screen == 1.0
}

fn is_batch(sequences: &usize) -> bool {
    *sequences == BATCH
}
