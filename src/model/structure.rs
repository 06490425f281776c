//! What a recipe may remove: the units inside of layers, and what runs through all of them.

use super::Unit;
use serde::{Deserialize, Serialize};

/// A kind of structure that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// Attention heads.
    Heads,
    /// FFN neurons.
    Neurons,
    /// Whole layers.
    Layers,
    /// Channels of the residual stream, the same in all layers.
    Hidden,
}

impl Structure {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Heads, Self::Neurons, Self::Layers, Self::Hidden];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heads => "heads",
            Self::Neurons => "neurons",
            Self::Layers => "layers",
            Self::Hidden => "hidden",
        }
    }

    /// The unit inside of a layer that it is, if it is one.
    pub fn unit(self) -> Option<Unit> {
        match self {
            Self::Heads => Some(Unit::Heads),
            Self::Neurons => Some(Unit::Neurons),
            Self::Layers | Self::Hidden => None,
        }
    }
}

impl From<Unit> for Structure {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Heads => Self::Heads,
            Unit::Neurons => Self::Neurons,
        }
    }
}
