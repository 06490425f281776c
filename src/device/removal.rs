//! What the removal of units changes: perturbed copies of a state, and how far they move features and predictions. All of them are
//! written in terms of the change itself, since differences of results would cancel in f32.

use super::{Device, Tensor};
use crate::base::{Error, Result};

impl Device {
    /// Copies of base [n, d], one a unit of `units`, each without what that unit adds to it: copy i is
    /// base - x[:, U] directions[U, :], where U are the `unit_size` channels of unit i. x is [n, channels], directions
    /// [channels, d]; the result is [units * n, d].
    pub async fn without_units(&self, base: &Tensor, x: &Tensor, directions: &Tensor, units: &[u32], unit_size: usize) -> Result<Tensor> {
        forward!(self.without_units(base, x, directions, units, unit_size))
    }

    /// How the directions of some rows change in every copy: for row r = `rows[i]` of each copy in states [copies * n, d] and row i
    /// of reference [k, d], r / |r| - reference / |reference|, [copies * k, d].
    pub async fn direction_changes(&self, states: &Tensor, copies: usize, rows: &[u32], reference: &Tensor) -> Result<Tensor> {
        forward!(self.direction_changes(states, copies, rows, reference))
    }

    /// Squared Frobenius norm of how the similarity matrix A A^T changes in every copy, when the rows of A [k, d] change by those of
    /// changes [copies * k, d]; in parts: the sum over row i of the result is that of copy i.
    ///
    /// With M = A + D / 2, the change of A A^T is M D^T + D M^T.
    pub async fn similarity_changes(&self, a: &Tensor, changes: &Tensor) -> Result<Tensor> {
        forward!(self.similarity_changes(a, changes))
    }

    /// One tile of KL(p || q) by rows, where the logits of q are those of p plus `changes`: adds sums over the tile's columns of
    /// p c and of p (e^c - 1 - c) to `sums` [copies * k, 2]. p_logits [k, tile] and p_norms [k, 1], each row's ln of summed
    /// exponentials, serve every copy in changes [copies * k, tile]. After the last tile, with the sums m and u of a row,
    /// KL = ln(1 + m + u) - m. Changes above 80 count as 80, which e^c in f32 can hold.
    pub async fn divergence_change_tile(&self, p_logits: &Tensor, p_norms: &Tensor, changes: &Tensor, sums: &Tensor) -> Result<()> {
        forward!(self.divergence_change_tile(p_logits, p_norms, changes, sums))
    }

    /// Bytes of the largest matrix that one kernel sees at once.
    pub fn largest_matrix(&self) -> u64 {
        match self {
            Self::Gpu(gpu) => gpu.largest_matrix(),
            Self::Cpu(_) => u64::MAX,
        }
    }
}

/// Number of copies of `k` rows that a tensor holds one below the other; `what` names it.
pub(super) fn copies(what: &str, tensor: &Tensor, k: usize) -> Result<usize> {
    match tensor.rows.checked_div(k) {
        Some(copies) if copies * k == tensor.rows => Ok(copies),
        _ => Err(Error::internal(format_args!("{what} has {} rows, which are not copies of {k}", tensor.rows))),
    }
}
