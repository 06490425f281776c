//! SparseGPT's sweep: in f64 inside of the columns that are swept, what follows for those to the right by products.

use super::Cpu;
use super::elements::binary;
use crate::base::Result;
use crate::device::sparse::{is_marked, marks};
use crate::device::tensor::steps;
use crate::device::{Tensor, Zeros};
use candle_core::op::Sub;
use candle_core::{Device::Cpu as Host, Tensor as Candle};
use std::ops::Range;

/// Columns to the right that are updated at once.
const STRIP: usize = 512;
/// Rows between two looks at the clock.
const ROWS: usize = 64;

impl Cpu {
    /// See [`crate::device::Device::sweep_columns`].
    pub async fn sweep_columns(&self, weight: &Tensor, factor: &Tensor, columns: Range<usize>, zeros: Zeros<'_>) -> Result<Tensor> {
        let (outputs, width) = (weight.cols, columns.len());
        let (weights, factor) = (weight.cpu()?.get(), factor.cpu()?.get().narrow(0, columns.start, width)?);
        let mut block = weights.narrow(0, columns.start, width)?.flatten_all()?.to_vec1::<f32>()?;
        let corner = factor.narrow(1, columns.start, width)?.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
        let corner = Corner { width, values: corner.into_iter().map(f64::from).collect() };
        let given = if let Zeros::Marked(marks) = zeros { Some(marks.cpu()?.values()?) } else { None };
        let mut gone = vec![false; width * outputs];
        let mut errors = vec![0f32; width * outputs];
        let mut row = vec![0.0; width];
        for (output, gone) in gone.chunks_exact_mut(width).enumerate() {
            if output % ROWS == 0 {
                self.pace().await?;
            }
            row.iter_mut().enumerate().for_each(|(column, value)| *value = f64::from(block[column * outputs + output]));
            if let Some(marks) = &given {
                gone.iter_mut().enumerate().for_each(|(column, gone)| *gone = is_marked(marks, outputs, output, column));
            }
            let mut left = |column: usize, error: f64| errors[column * outputs + output] = error as f32;
            match zeros {
                Zeros::Marked(_) => corner.sweep(&mut row, gone, None, &mut left),
                Zeros::Groups { count, size, dead } => corner.sweep(&mut row, gone, Some((count, size, dead)), &mut left),
            }
            row.iter().enumerate().for_each(|(column, value)| block[column * outputs + output] = *value as f32);
        }
        weights.slice_set(&Candle::from_vec(block, (width, outputs), &Host)?, 0, columns.start)?;
        let errors = Candle::from_vec(errors, (width, outputs), &Host)?;
        for strip in steps(weight.rows - columns.end, STRIP) {
            let first = columns.end + strip.start;
            let change = self.sliced_product(&factor.narrow(1, first, strip.len())?.t()?, &errors).await?;
            weights.slice_set(&binary::<Sub>(&weights.narrow(0, first, strip.len())?, &change)?, 0, first)?;
        }
        let words = marks(width, outputs, |output, column| gone[output * width + column]);
        self.tensor_of(words.len() / outputs.max(1), outputs, words)
    }
}

/// R inside of the columns that are swept, [width, width].
struct Corner {
    width: usize,
    values: Vec<f64>,
}

impl Corner {
    /// One row: each weight that goes leaves an error, which those to the right of it make up for. `groups` are zeros of a group, its
    /// size, and what is dead.
    fn sweep(&self, row: &mut [f64], gone: &mut [bool], groups: Option<(usize, usize, &[bool])>, left: &mut impl FnMut(usize, f64)) {
        for column in 0..self.width {
            if let Some((count, size, dead)) = groups
                && column % size == 0
            {
                let error = |place: usize| if dead[place] { 0.0 } else { (row[place] / self.values[place * self.width + place]).abs() };
                let scores: Vec<f64> = (column..column + size).map(error).collect();
                least(&scores, count, &mut gone[column..column + size]);
            }
            if !gone[column] {
                continue;
            }
            let own = &self.values[column * self.width..(column + 1) * self.width];
            let error = row[column] / own[column];
            row[column] = 0.0;
            left(column, error);
            row[column + 1..].iter_mut().zip(&own[column + 1..]).for_each(|(value, factor)| *value -= error * factor);
        }
    }
}

/// Marks the `count` smallest of a few scores, the first where equal.
fn least(scores: &[f64], count: usize, gone: &mut [bool]) {
    for (place, (score, gone)) in scores.iter().zip(gone).enumerate() {
        let before = scores.iter().enumerate().filter(|&(other, value)| value < score || (value == score && other < place));
        *gone = before.count() < count;
    }
}
