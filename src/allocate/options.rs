//! Options that only some allocations take.

use super::{ALLOCATIONS, Allocation};
use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Options of allocations, fields of the recipe's `method`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocationOptions {
    /// Share of a layer's units of each kind that stays at least, where layers may come out with different widths.
    #[serde(skip_serializing_if = "is_none")]
    pub floor: f64,
}

impl AllocationOptions {
    /// Names of all options.
    pub const NAMES: &[&str] = &["floor"];

    /// Refuses an option that `allocation` does not take, or a value that makes no sense.
    ///
    /// # Errors
    /// The message names the field.
    pub fn check(&self, allocation: &dyn Allocation) -> Result<()> {
        if !(0.0..=1.0).contains(&self.floor) {
            return Err(Error::recipe(format!("method.floor is {}; it must be at least 0 and at most 1.", self.floor)));
        }
        if !is_none(&self.floor) && !allocation.options().contains(&"floor") {
            let takers: Vec<&str> = ALLOCATIONS.iter().filter(|one| one.options().contains(&"floor")).map(|one| one.name()).collect();
            return Err(Error::recipe(format!(
                "method.floor works with the allocations {} only; leave it out with \"{}\".",
                takers.join(", "),
                allocation.name()
            )));
        }
        Ok(())
    }
}

fn is_none(floor: &f64) -> bool {
    *floor == 0.0
}
