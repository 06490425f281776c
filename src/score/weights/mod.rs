//! Criteria of single weights: how much each weight of a linear layer matters. One file a criterion, one line in
//! [`WEIGHT_CRITERIA`].

mod magnitude;
mod ria;
mod sparsegpt;
#[cfg(test)]
mod tests;
mod wanda;

pub use sparsegpt::SWEPT_COLUMNS;

use crate::base::{Error, Result};

/// What a criterion or an update of single weights needs of the inputs of a linear layer, beside nothing at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WeightNeeds {
    /// Sums and sums of squares of each input.
    pub sums: bool,
    /// The second moments of all inputs, [inputs, inputs].
    pub gram: bool,
    /// The factor R of their inverse.
    pub factor: bool,
}

impl WeightNeeds {
    /// Everything that either needs.
    pub fn union(self, other: Self) -> Self {
        Self { sums: self.sums || other.sums, gram: self.gram || other.gram, factor: self.factor || other.factor }
    }
}

/// Among which weights of a matrix the smallest scores are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Each output row on its own.
    Row,
    /// All of them.
    Matrix,
    /// All rows of so many columns, from the left.
    Columns(usize),
}

/// A linear layer as criteria see it.
#[derive(Debug, Clone, Copy)]
pub struct WeightSite<'a> {
    /// Weights, [outputs, inputs].
    pub weight: &'a [f32],
    /// Number of inputs.
    pub inputs: usize,
    /// Sum of squares of each input over the calibration text, [inputs]; empty where the criterion does not need it.
    pub squares: &'a [f64],
    /// The diagonal of R, upper triangular with RᵀR the inverse of the second moments of the inputs, [inputs]; empty likewise.
    pub roots: &'a [f64],
}

impl WeightSite<'_> {
    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.weight.len() / self.inputs.max(1)
    }

    /// Weights of an output.
    pub fn row(&self, output: usize) -> &[f32] {
        &self.weight[output * self.inputs..(output + 1) * self.inputs]
    }
}

/// Writes the scores of the weights of an output, [inputs]: none is negative, and the larger, the more the weight matters. Scores are
/// computed when they are asked for: of all weights of a layer at once they would take more room than the layer.
pub type RowScores<'a> = Box<dyn Fn(usize, &mut [f64]) + 'a>;

/// A criterion of single weights.
pub trait WeightCriterion: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: what it measures, and where it is from.
    fn summary(&self) -> &'static str;
    /// What it needs of the inputs.
    fn needs(&self) -> WeightNeeds;
    /// Which weights are compared with each other, as published.
    fn group(&self) -> Group;
    /// The scores of a layer's weights.
    fn scores<'a>(&self, site: WeightSite<'a>) -> RowScores<'a>;
}

/// Every criterion of single weights.
pub const WEIGHT_CRITERIA: &[&dyn WeightCriterion] = &[&magnitude::Magnitude, &wanda::Wanda, &ria::Ria, &sparsegpt::SparseGpt];

/// The criterion of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn weight_criterion(name: &str) -> Result<&'static dyn WeightCriterion> {
    WEIGHT_CRITERIA.iter().copied().find(|criterion| criterion.name() == name).ok_or_else(|| {
        let names: Vec<&str> = WEIGHT_CRITERIA.iter().map(|criterion| criterion.name()).collect();
        Error::recipe(format!("method.criterion is \"{name}\"; of single weights choose one of {}.", names.join(", ")))
    })
}
