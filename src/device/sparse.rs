//! What zeros among the weights of a linear layer take: the sweep that makes up for them, and what outputs lose as weights go.

#[cfg(test)]
pub(super) mod tests;

use super::{Device, Tensor};
use crate::base::{Error, Result};
use std::ops::Range;

/// Columns that one number marks: whole numbers below 2^16 are exact in f32, so that marks are a tensor as any other.
pub(super) const MARKS: usize = 16;
/// Columns that are swept at once, at most.
pub(super) const SWEPT: usize = 128;
/// What the first of them must be a multiple of, so that their rows may be bound on a GPU.
const ALIGNED: usize = 64;

/// Which weights of the columns that [`Device::sweep_columns`] sweeps become zero.
#[derive(Debug, Clone, Copy)]
pub enum Zeros<'a> {
    /// Those that are marked, as [`marks`] has it.
    Marked(&'a Tensor),
    /// Of every `size` columns the `count` that leave the least error |w / R_jj| when they go, as they are when the sweep comes to
    /// them; the first where equal. `size` is 4, 8 or 16.
    Groups {
        /// Zeros of a group.
        count: usize,
        /// Columns of a group.
        size: usize,
        /// Whether the input of a column is always zero: its weights leave no error. An entry a column.
        dead: &'a [bool],
    },
}

/// Marks of `columns` columns, [columns.div_ceil(16), outputs] row after row: bit c of the whole number at (i, output) says whether
/// `zero(output, 16 i + c)`.
pub fn marks(columns: usize, outputs: usize, zero: impl Fn(usize, usize) -> bool) -> Vec<f32> {
    let mut words = vec![0.0; columns.div_ceil(MARKS) * outputs];
    for column in 0..columns {
        let row = &mut words[column / MARKS * outputs..][..outputs];
        let gone = row.iter_mut().enumerate().filter(|(output, _)| zero(*output, column));
        gone.for_each(|(_, word)| *word += f32::from(1u16 << (column % MARKS)));
    }
    words
}

/// Whether a column of an output is marked.
pub fn is_marked(marks: &[f32], outputs: usize, output: usize, column: usize) -> bool {
    marks[column / MARKS * outputs + output] as u32 >> (column % MARKS) & 1 == 1
}

impl Device {
    /// SparseGPT's sweep (Frantar and Alistarh, 2023, algorithm 1) over some columns of a weight matrix. `weight` is turned, [inputs,
    /// outputs], and changed in place; `factor` [inputs, inputs] is R, upper triangular with RᵀR the inverse of the inputs' second
    /// moments. From the first of `columns` to the last: a weight that goes leaves the error e = w / R_jj, becomes zero, and e R_jk is
    /// taken off the weights of all columns k to the right. In f64 within `columns` on the CPU, in f32 on the GPU. At most 128 columns,
    /// the first a multiple of 64.
    ///
    /// Gives the marks of what became zero ([`marks`]).
    ///
    /// # Errors
    /// The shapes do not fit, the run was cancelled, or the device fails.
    pub async fn sweep_columns(&self, weight: &Tensor, factor: &Tensor, columns: Range<usize>, zeros: Zeros<'_>) -> Result<Tensor> {
        factor.expect("the factor of a sweep", weight.rows, weight.rows)?;
        let width = columns.len();
        if width == 0 || width > SWEPT || columns.end > weight.rows || !columns.start.is_multiple_of(ALIGNED) {
            return Err(Error::internal(format_args!("a sweep over columns {columns:?} of {}", weight.rows)));
        }
        match zeros {
            Zeros::Marked(marks) => marks.expect("the marks of a sweep", width.div_ceil(MARKS), weight.cols)?,
            Zeros::Groups { size, dead, .. } => {
                if ![4, 8, 16].contains(&size) || !width.is_multiple_of(size) || dead.len() != width {
                    return Err(Error::internal(format_args!("a sweep over {width} columns in groups of {size}")));
                }
            }
        }
        forward!(self.sweep_columns(weight, factor, columns, zeros))
    }

    /// What outputs lose while the weights of each row go one after another. `weight` is [rows, inputs], `tokens` [inputs, count], and
    /// `order` has the inputs of each row as their weights go, [rows, inputs]. With a row's outputs y on the tokens and the part l of
    /// them that the first k weights made: [<y, l>, |l|²] at k = step, 2 step, ... and last at all inputs, where l is y; row after row,
    /// [rows, inputs.div_ceil(step)]. In f64 on the CPU, in f32 on the GPU: there each sum is off by some 1e-6 of |y| |l|.
    ///
    /// # Errors
    /// The shapes do not fit, an input is named that there is not, the run was cancelled, or the device fails.
    pub async fn prefix_sums(&self, weight: &Tensor, order: &[u32], tokens: &Tensor, step: usize) -> Result<Vec<[f64; 2]>> {
        tokens.expect("the tokens of prefix sums", weight.cols, tokens.cols)?;
        let (rows, inputs) = (weight.rows, weight.cols);
        if step == 0 || order.len() != rows * inputs || order.iter().any(|&input| input as usize >= inputs) {
            return Err(Error::internal(format_args!("an order of {} of {rows} x {inputs} weights, in steps of {step}", order.len())));
        }
        let points = rows * inputs.div_ceil(step);
        if points * tokens.cols == 0 {
            return Ok(vec![[0.0; 2]; points]);
        }
        forward!(self.prefix_sums(weight, order, tokens, step))
    }
}
