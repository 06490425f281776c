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

    /// The same where no damping was asked for, of which there is no multiple.
    const FROM_NOTHING: [f64; 3] = [0.0, 1e-4, 1e-2];
    /// The largest, at which the weights have long stayed what they were.
    const MOST: f64 = 1e6;

    /// Dampings to try.
    pub(super) fn candidates(self) -> Vec<f64> {
        match self {
            Self::Fixed(0.0) => Self::FROM_NOTHING.to_vec(),
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
            (Some(ridge), _) if (0.0..=Self::MOST).contains(&ridge) => Ok(Self::Fixed(ridge)),
            (_, Some("auto")) => Ok(Self::Auto),
            _ => Err(D::Error::custom(format!("{value} where a number of at least 0 and at most {} or \"auto\" was expected", Self::MOST))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_damping_has_a_ladder_too() {
        assert_eq!(Ridge::Fixed(0.0).candidates(), [0.0, 1e-4, 1e-2]);
        assert_eq!(Ridge::Fixed(0.5).candidates(), [0.5, 5.0, 50.0]);
    }

    #[test]
    fn a_damping_has_bounds() {
        let read = |text: &str| serde_json::from_str::<Ridge>(text);
        assert_eq!(
            (read("1e6").unwrap(), read("0").unwrap(), read("\"auto\"").unwrap()),
            (Ridge::Fixed(1e6), Ridge::Fixed(0.0), Ridge::Auto)
        );
        for text in ["1000001", "-1", "\"some\"", "null"] {
            assert!(read(text).unwrap_err().to_string().contains("at least 0 and at most 1000000 or \"auto\""), "{text}");
        }
    }
}
