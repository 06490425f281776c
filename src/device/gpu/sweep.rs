//! SparseGPT's sweep: a row a thread inside of the columns that are swept, what follows for those to the right by one product in place.

use super::Gpu;
use super::gemm::{Gemm, Operand};
use super::record::Launch;
use super::shader::Kernel;
use super::span::GRANULE;
use crate::base::Result;
use crate::device::sparse::MARKS;
use crate::device::{Op, Tensor, Zeros};
use std::ops::Range;

impl Gpu {
    /// See [`crate::device::Device::sweep_columns`].
    pub async fn sweep_columns(&self, weight: &Tensor, factor: &Tensor, columns: Range<usize>, zeros: Zeros<'_>) -> Result<Tensor> {
        let (inputs, outputs, width) = (weight.rows, weight.cols, columns.len());
        let (marks, count, size, dead) = match zeros {
            Zeros::Marked(marks) => (marks.clone(), 0, 0, [0; 4]),
            Zeros::Groups { count, size, dead } => (self.tensor(width.div_ceil(MARKS), outputs)?, count, size, bits(dead)),
        };
        let errors = self.tensor(width, outputs)?;
        let load = if inputs.is_multiple_of(4) { "f32_vec" } else { "f32_scalar" };
        // Few threads, which wait for memory more than they compute.
        let row_cost = 4.0 * (width * width) as f64;
        let budget = self.context.pace.borrow().budget();
        let step = ((budget / row_cost) as usize / GRANULE * GRANULE).clamp(GRANULE, 1 << 20);
        for first in (0..outputs).step_by(step) {
            let rows = step.min(outputs - first);
            let mut params = [width, outputs, first, rows, inputs, columns.start, count, size].map(|value| value as u32).to_vec();
            params.extend(dead);
            self.launch(Launch {
                kernel: Kernel::new("sweep_columns.wgsl").with("R", load),
                storage: &[
                    self.window(weight, columns.clone())?,
                    self.window(factor, columns.clone())?,
                    self.whole(&errors)?,
                    self.whole(&marks)?,
                ],
                params: &params,
                groups: [rows.div_ceil(GRANULE), 1],
                cost: row_cost * rows as f64,
            })
            .await?;
        }
        let right = inputs - columns.end;
        let beside = Operand::new(factor.gpu()?, inputs, Op::T).from(columns.start * inputs + columns.end);
        let left = Operand::new(errors.gpu()?, outputs, Op::N);
        let rest = Operand::new(weight.gpu()?, outputs, Op::N).from(columns.end * outputs);
        self.gemm(&Gemm { alpha: -1.0, accumulate: true, ..Gemm::new(beside, left, rest, [right, outputs, width]) }).await?;
        Ok(marks)
    }
}

/// Bits of up to 128 flags.
fn bits(flags: &[bool]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, flags) in words.iter_mut().zip(flags.chunks(32)) {
        *word = flags.iter().enumerate().fold(0, |word, (bit, flag)| word | u32::from(*flag) << bit);
    }
    words
}
