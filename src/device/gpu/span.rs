//! Splitting by rows: what one binding may hold, and what one submission should take.

use super::Gpu;
use super::pool::Buffer;
use super::record::Window;
use crate::base::{Error, Result};
use crate::device::Tensor;
use std::ops::Range;

/// Row ranges start at multiples of this: 64 f32 are 256 bytes, so that any row length gives an aligned binding.
pub(super) const GRANULE: usize = 64;
/// Rows of a range, below the workgroups that one dimension of a dispatch may have.
const MOST: usize = 1 << 15;

impl Gpu {
    /// All of a tensor, as a binding.
    pub(super) fn whole<'a>(&self, tensor: &'a Tensor) -> Result<Window<'a>> {
        self.window(tensor, 0..tensor.rows)
    }

    /// Rows of a tensor, as a binding; the range starts at a multiple of [`GRANULE`].
    pub(super) fn window<'a>(&self, tensor: &'a Tensor, rows: Range<usize>) -> Result<Window<'a>> {
        let bytes = |rows: usize| rows as u64 * tensor.cols as u64 * 4;
        self.part(tensor.gpu()?, bytes(rows.start), bytes(rows.len()))
    }

    /// A part of a buffer, as a binding.
    pub(super) fn part<'a>(&self, buffer: &'a Buffer, offset: u64, bytes: u64) -> Result<Window<'a>> {
        if bytes > self.context.max_binding() {
            return Err(Error::memory(format!(
                "A matrix of {} MiB is more than the {} MiB that this GPU lets a program see at once; take fewer or shorter calibration sequences, or run on the CPU.",
                bytes >> 20,
                self.context.max_binding() >> 20
            )));
        }
        Ok(Window { buffer, offset, bytes: bytes.max(16) })
    }

    /// Splits `rows` rows, so that `row_bytes` bytes a row fit a binding and `row_cost` a row fits a submission.
    pub(super) fn spans(&self, rows: usize, row_bytes: u64, row_cost: f64) -> Vec<Range<usize>> {
        let budget = self.context.pace.borrow().budget();
        let by_bytes = (self.context.max_binding() / row_bytes.max(1)) as usize;
        let by_cost = (budget / row_cost.max(1e-3)) as usize;
        let step = (by_bytes.min(by_cost).min(MOST) / GRANULE * GRANULE).max(GRANULE);
        (0..rows).step_by(step).map(|first| first..rows.min(first + step)).collect()
    }
}
