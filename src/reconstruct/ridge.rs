//! How strongly a repair is damped.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Damping toward the truncated weights, as a multiple of the mean variance of the kept inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ridge {
    /// This much, and more where held-out tokens say that it overfits.
    Fixed(f64),
    /// The best of [`Ridge::GRID`] on held-out tokens, for each consumer.
    Auto,
}

impl Ridge {
    /// What `Auto` chooses from.
    pub const GRID: [f64; 6] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];
    /// What is tried in turn before a repair is given up, as multiples of a fixed damping: overfitting to few tokens is the usual harm.
    const LADDER: [f64; 3] = [1.0, 10.0, 100.0];

    /// Dampings to try.
    pub(super) fn candidates(self) -> Vec<f64> {
        match self {
            Self::Fixed(ridge) => Self::LADDER.iter().map(|factor| ridge * factor).collect(),
            Self::Auto => Self::GRID.to_vec(),
        }
    }

    /// The one to take where there are no held-out tokens to choose by.
    pub(super) fn usual(self) -> f64 {
        match self {
            Self::Fixed(ridge) => ridge,
            Self::Auto => 1e-2,
        }
    }
}

impl Serialize for Ridge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(ridge) => serializer.serialize_f64(*ridge),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Ridge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match (value.as_f64(), value.as_str()) {
            (Some(ridge), _) if ridge >= 0.0 && ridge.is_finite() => Ok(Self::Fixed(ridge)),
            (_, Some("auto")) => Ok(Self::Auto),
            _ => Err(D::Error::custom(format!("{value} where a number of at least 0 or \"auto\" was expected"))),
        }
    }
}
