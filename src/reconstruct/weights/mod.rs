//! Updates of the weights that stay when single weights of a linear layer become zero. One file an update, one line in
//! [`WEIGHT_UPDATES`].

mod dsnot;
mod none;
mod refit;
mod sparsegpt;
mod sweep;
#[cfg(test)]
mod tests;

use crate::allocate::sparsity::{Mask, Target, pick};
use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::HostSums;
use crate::device::{Device, Tensor};
use crate::score::weights::{RowScores, WeightNeeds};

/// A linear layer whose weights are to become zero in part, and what is known of its inputs.
pub struct WeightProblem<'a> {
    /// Computes.
    pub device: &'a Device,
    /// Weights, [outputs, inputs].
    pub weight: &'a [f32],
    /// Number of outputs.
    pub outputs: usize,
    /// Number of inputs.
    pub inputs: usize,
    /// Scores of the weights.
    pub scores: &'a RowScores<'a>,
    /// How many weights become zero, and where.
    pub target: &'a Target,
    /// Whether the scores are those that the sweep of SparseGPT itself goes by.
    pub swept_scores: bool,
    /// Sums over the tokens of each input; empty where they are not needed.
    pub sums: &'a HostSums,
    /// Number of sequences that they are over.
    pub sequences: usize,
    /// Damped second moments of the inputs, [inputs, inputs], where they are needed.
    pub gram: Option<&'a Tensor>,
    /// R, upper triangular with RᵀR their inverse, where it is needed.
    pub factor: Option<&'a Tensor>,
    /// Its diagonal, [inputs]; empty where there is none.
    pub roots: &'a [f64],
    /// Steps that an iterative update takes at most.
    pub iterations: usize,
}

/// Weights with zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// Which became zero.
    pub mask: Mask,
    /// The weights, [outputs, inputs].
    pub weight: Vec<f32>,
}

impl WeightProblem<'_> {
    /// The weights with the smallest scores.
    pub fn picked(&self) -> Mask {
        pick(self.scores, self.outputs, self.inputs, self.target)
    }

    fn gram(&self) -> Result<&Tensor> {
        self.gram.ok_or_else(|| Error::internal("an update without second moments"))
    }
}

/// The diagonal of a square matrix on the device.
///
/// # Errors
/// The device fails.
pub async fn diagonal(device: &Device, matrix: &Tensor) -> Result<Vec<f32>> {
    const STEP: usize = 256;
    let mut diagonal = Vec::with_capacity(matrix.rows());
    for first in (0..matrix.rows()).step_by(STEP) {
        let rows = first..(first + STEP).min(matrix.rows());
        let values = device.read_rows(matrix, rows.clone()).await?;
        diagonal.extend(values.chunks_exact(matrix.cols()).zip(rows).map(|(row, place)| row[place]));
    }
    Ok(diagonal)
}

/// An update of the weights that stay.
pub trait WeightUpdate: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: what it changes, and where it is from.
    fn summary(&self) -> &'static str;
    /// What it needs of the inputs.
    fn needs(&self) -> WeightNeeds;
    /// Whether it also serves where the pattern says how many zeros each few inputs have.
    fn keeps_patterns(&self) -> bool {
        true
    }
    /// Chooses zeros, and changes what stays.
    fn update<'a>(&'a self, problem: &'a WeightProblem<'a>) -> LocalFuture<'a, Result<Updated>>;
}

/// Every update.
pub const WEIGHT_UPDATES: &[&dyn WeightUpdate] = &[&none::Untouched, &sparsegpt::SparseGpt, &refit::Refit, &dsnot::Dsnot];

/// The update of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn weight_update(name: &str) -> Result<&'static dyn WeightUpdate> {
    WEIGHT_UPDATES.iter().copied().find(|update| update.name() == name).ok_or_else(|| {
        let names: Vec<&str> = WEIGHT_UPDATES.iter().map(|update| update.name()).collect();
        Error::recipe(format!("method.update is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}
