//! What can be removed from a model.

use serde::{Deserialize, Serialize};

/// A kind of structure that is removed whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Attention heads (whole KV groups where queries share keys).
    Heads,
    /// FFN neurons.
    Neurons,
}

impl Unit {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Heads, Self::Neurons];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heads => "heads",
            Self::Neurons => "neurons",
        }
    }
}
