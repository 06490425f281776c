//! Recipes of zeros among the weights.

use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};

/// Pruning of single weights, layer by layer along the pruned model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sparse {
    /// Name of the criterion.
    pub criterion: String,
    /// Where zeros may be.
    pub pattern: String,
    /// Name of the allocation.
    pub allocation: String,
    /// Share of the blocks' linear weights that becomes zero.
    pub ratio: f64,
    /// What is done to the weights that stay.
    pub update: String,
}

impl Default for Sparse {
    fn default() -> Self {
        Self {
            criterion: "wanda".to_owned(),
            pattern: "unstructured".to_owned(),
            allocation: "uniform".to_owned(),
            ratio: 0.5,
            update: "none".to_owned(),
        }
    }
}

impl Sparse {
    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// The message names the field.
    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.ratio) {
            return Err(Error::recipe(format!("method.ratio is {}; it must be at least 0 and below 1.", self.ratio)));
        }
        Ok(())
    }
}
