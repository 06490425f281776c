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
    /// Share of the uniform rank that every layer keeps, where the allocation weighs: what it measures of layers lowered alone does not
    /// add up where one is nearly gone.
    pub floor: f64,
    /// What errors are weighed by, where the allocation weighs.
    pub sensitivity: Sensitivity,
    /// Whether layers that read the same, q, k and v, or gate and first FFN matrix, share the factor that reads it: then a rank of all of
    /// them costs inputs + Σ outputs. Where the allocation has one price, only where that is better.
    pub joint: bool,
    /// Share of what a lowered layer keeps that is spent on single weights of what its product leaves.
    pub sparse: f64,
}

/// How it is measured what the error of a group of linear layers costs the model's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// With the group alone lowered.
    Alone,
    /// With the group whole and all others lowered.
    Within,
    /// The mean of the two.
    #[default]
    Both,
}

impl Default for LowRank {
    fn default() -> Self {
        Self {
            factorisation: "whitened".to_owned(),
            allocation: "uniform".to_owned(),
            ratio: 0.3,
            floor: 0.5,
            sensitivity: Sensitivity::default(),
            joint: false,
            sparse: 0.0,
        }
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
        if !(0.0..=1.0).contains(&self.floor) {
            return Err(Error::recipe(format!("method.floor is {}; it must be between 0 and 1.", self.floor)));
        }
        if !(0.0..1.0).contains(&self.sparse) {
            return Err(Error::recipe(format!("method.sparse is {}; it must be at least 0 and below 1.", self.sparse)));
        }
        factorisation(&self.factorisation)?;
        rank_allocation(&self.allocation)?;
        Ok(())
    }
}
