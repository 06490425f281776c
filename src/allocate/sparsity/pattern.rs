//! Where zeros may be.

use crate::base::{Error, Result};

/// A pattern of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Name in recipes.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Zeros in each group of consecutive inputs, and the group's size; absent where zeros may be anywhere.
    pub groups: Option<(usize, usize)>,
}

impl Pattern {
    /// The share of zeros that it prescribes.
    pub fn share(&self) -> Option<f64> {
        self.groups.map(|(zeros, size)| zeros as f64 / size as f64)
    }
}

/// Every pattern.
pub const PATTERNS: &[Pattern] = &[
    Pattern { name: "unstructured", title: "Unstructured", summary: "Zeros wherever the scores are smallest.", groups: None },
    Pattern {
        name: "2:4",
        title: "2:4",
        summary: "Two zeros in every four consecutive inputs of an output, as tensor cores want them.",
        groups: Some((2, 4)),
    },
    Pattern { name: "4:8", title: "4:8", summary: "Four zeros in every eight consecutive inputs of an output.", groups: Some((4, 8)) },
];

/// The pattern of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn pattern(name: &str) -> Result<&'static Pattern> {
    PATTERNS.iter().find(|pattern| pattern.name == name).ok_or_else(|| {
        let names: Vec<&str> = PATTERNS.iter().map(|pattern| pattern.name).collect();
        Error::recipe(format!("method.pattern is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}
