//! Recipes of weights as products of two narrow matrices.

use crate::allocate::rank_allocation;
use crate::base::{Error, Result};
use crate::score::factorisation;
use serde::{Deserialize, Serialize};

/// Low-rank factorisation of the blocks' linear layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LowRank {
    /// Name of the factorisation.
    pub factorisation: String,
    /// Name of the allocation of ranks.
    pub allocation: String,
    /// Share of the blocks' linear parameters to save; a layer of rank r costs r (inputs + outputs), and never more than dense.
    pub ratio: f64,
}

impl Default for LowRank {
    fn default() -> Self {
        Self { factorisation: "whitened".to_owned(), allocation: "uniform".to_owned(), ratio: 0.3 }
    }
}

impl LowRank {
    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// The message names the field.
    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.ratio) {
            return Err(Error::recipe(format!("method.ratio is {}; it must be at least 0 and below 1.", self.ratio)));
        }
        factorisation(&self.factorisation)?;
        rank_allocation(&self.allocation)?;
        Ok(())
    }
}
