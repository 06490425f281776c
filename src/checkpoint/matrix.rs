//! A matrix on the host with the exact bits of its file, and its slices.

use super::{Dtype, decode, encode};
use crate::base::{Error, Result};
use std::ops::Range;

/// How a linear layer's weight is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[out, in]`, as `nn.Linear` has it.
    OutIn,
    /// `[in, out]`, as GPT-2's `Conv1D` has it.
    InOut,
}

/// A matrix as it is stored, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Rows as stored.
    pub rows: usize,
    /// Columns as stored.
    pub cols: usize,
    /// Element type.
    pub dtype: Dtype,
    /// Which of the two are outputs.
    pub layout: Layout,
    /// `rows * cols` elements, little-endian.
    pub bytes: Vec<u8>,
}

impl Matrix {
    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        if self.layout == Layout::OutIn { self.rows } else { self.cols }
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        if self.layout == Layout::OutIn { self.cols } else { self.rows }
    }

    /// Matrices of the same inputs, dtype and layout, outputs after outputs.
    ///
    /// # Errors
    /// They are not of one kind.
    pub fn join_outputs(parts: &[&Self]) -> Result<Self> {
        let Some((first, rest)) = parts.split_first() else { return Err(Error::internal("a join of no matrices")) };
        if rest.iter().any(|part| (part.inputs(), part.dtype, part.layout) != (first.inputs(), first.dtype, first.layout)) {
            return Err(Error::internal("a join of matrices of different kinds"));
        }
        let outputs: usize = parts.iter().map(|part| part.outputs()).sum();
        let bytes = match first.layout {
            Layout::OutIn => parts.iter().flat_map(|part| part.bytes.iter().copied()).collect(),
            Layout::InOut => {
                let row = |part: &&Self, input: usize| {
                    let length = part.outputs() * part.dtype.size();
                    part.bytes[input * length..(input + 1) * length].to_vec()
                };
                (0..first.inputs()).flat_map(|input| parts.iter().flat_map(move |part| row(part, input))).collect()
            }
        };
        let (rows, cols) = if first.layout == Layout::OutIn { (outputs, first.cols) } else { (first.rows, outputs) };
        Ok(Self { rows, cols, bytes, ..(*first).clone() })
    }

    /// The matrix of these outputs, in this order, with the same bits. Indices must be below [`Matrix::outputs`].
    pub fn keep_outputs(&self, indices: &[u32]) -> Matrix {
        if self.layout == Layout::OutIn { self.keep_rows(indices) } else { self.keep_cols(indices) }
    }

    /// The matrix of these inputs, in this order, with the same bits. Indices must be below [`Matrix::inputs`].
    pub fn keep_inputs(&self, indices: &[u32]) -> Matrix {
        if self.layout == Layout::OutIn { self.keep_cols(indices) } else { self.keep_rows(indices) }
    }

    /// The same shape with these outputs zero. Indices must be below [`Matrix::outputs`].
    pub fn zero_outputs(&self, indices: &[u32]) -> Matrix {
        if self.layout == Layout::OutIn { self.zero_rows(indices) } else { self.zero_cols(indices) }
    }

    /// The same shape with these inputs zero. Indices must be below [`Matrix::inputs`].
    pub fn zero_inputs(&self, indices: &[u32]) -> Matrix {
        if self.layout == Layout::OutIn { self.zero_cols(indices) } else { self.zero_rows(indices) }
    }

    /// The same matrix stored `[out, in]`, with the same bits.
    pub fn outputs_major(&self) -> Matrix {
        if self.layout == Layout::OutIn {
            return self.clone();
        }
        let size = self.dtype.size();
        let places = (0..self.cols).flat_map(|col| (0..self.rows).map(move |row| (row * self.cols + col) * size));
        let bytes = places.flat_map(|at| self.bytes[at..at + size].iter().copied()).collect();
        Matrix { rows: self.cols, cols: self.rows, layout: Layout::OutIn, bytes, ..self.bare() }
    }

    /// The values as `[in, out]`, row-major.
    ///
    /// # Errors
    /// The dtype is not F32, F16 or BF16.
    pub fn to_f32_inputs_major(&self) -> Result<Vec<f32>> {
        let values = decode(self.dtype, &self.bytes)?;
        Ok(if self.layout == Layout::OutIn { transpose(&values, self.rows, self.cols) } else { values })
    }

    /// A matrix of `[in, out]` row-major values, rounded to `dtype` (F32, F16 or BF16) and stored by `layout`; and how many
    /// finite values became infinite.
    pub fn from_f32_inputs_major(values: &[f32], inputs: usize, outputs: usize, dtype: Dtype, layout: Layout) -> (Matrix, usize) {
        debug_assert_eq!(values.len(), inputs * outputs);
        let (rows, cols, encoded) = match layout {
            Layout::OutIn => (outputs, inputs, encode(dtype, &transpose(values, inputs, outputs))),
            Layout::InOut => (inputs, outputs, encode(dtype, values)),
        };
        (Matrix { rows, cols, dtype, layout, bytes: encoded.bytes }, encoded.overflowed)
    }

    /// The values as `[out, in]`, row-major.
    ///
    /// # Errors
    /// The dtype is not F32, F16 or BF16.
    pub fn to_f32_outputs_major(&self) -> Result<Vec<f32>> {
        let values = decode(self.dtype, &self.bytes)?;
        Ok(if self.layout == Layout::InOut { transpose(&values, self.rows, self.cols) } else { values })
    }

    /// A matrix of the shape and layout of this one with `[out, in]` row-major values, rounded to its dtype (F32, F16 or BF16); and
    /// how many finite values became infinite.
    pub fn with_f32_outputs_major(&self, values: &[f32]) -> (Matrix, usize) {
        debug_assert_eq!(values.len(), self.rows * self.cols);
        let encoded = match self.layout {
            Layout::OutIn => encode(self.dtype, values),
            Layout::InOut => encode(self.dtype, &transpose(values, self.cols, self.rows)),
        };
        (Matrix { bytes: encoded.bytes, ..self.bare() }, encoded.overflowed)
    }

    /// Whether no value is infinite or not a number; true of other dtypes than F32, F16 and BF16. Looks at the exponents alone,
    /// without branches inside a chunk, so that the scan keeps up with reading.
    pub fn is_finite(&self) -> bool {
        let halves = |exponent: u16| {
            let damaged = |chunk: &[[u8; 2]]| chunk.iter().fold(false, |any, &two| any | (u16::from_le_bytes(two) & exponent == exponent));
            !self.bytes.as_chunks::<2>().0.chunks(4096).any(damaged)
        };
        match self.dtype {
            Dtype::F16 => halves(0x7c00),
            Dtype::BF16 => halves(0x7f80),
            Dtype::F32 => {
                let exponent = 0x7f80_0000;
                let damaged =
                    |chunk: &[[u8; 4]]| chunk.iter().fold(false, |any, &four| any | (u32::from_le_bytes(four) & exponent == exponent));
                !self.bytes.as_chunks::<4>().0.chunks(4096).any(damaged)
            }
            _ => true,
        }
    }

    fn row_bytes(&self) -> usize {
        // A matrix without rows may claim any width.
        self.cols.saturating_mul(self.dtype.size())
    }

    fn keep_rows(&self, indices: &[u32]) -> Matrix {
        let mut bytes = Vec::with_capacity(indices.len() * self.row_bytes());
        for run in runs(indices, self.row_bytes()) {
            bytes.extend_from_slice(&self.bytes[run]);
        }
        Matrix { rows: indices.len(), bytes, ..self.bare() }
    }

    fn keep_cols(&self, indices: &[u32]) -> Matrix {
        let runs = runs(indices, self.dtype.size());
        let mut bytes = Vec::with_capacity(self.rows * indices.len() * self.dtype.size());
        for row in self.each_row() {
            for run in &runs {
                bytes.extend_from_slice(&row[run.clone()]);
            }
        }
        Matrix { cols: indices.len(), bytes, ..self.bare() }
    }

    fn zero_rows(&self, indices: &[u32]) -> Matrix {
        let mut bytes = self.bytes.clone();
        for run in runs(indices, self.row_bytes()) {
            bytes[run].fill(0);
        }
        Matrix { bytes, ..self.bare() }
    }

    fn zero_cols(&self, indices: &[u32]) -> Matrix {
        let runs = runs(indices, self.dtype.size());
        let mut bytes = self.bytes.clone();
        for row in bytes.chunks_exact_mut(self.row_bytes().max(1)) {
            for run in &runs {
                row[run.clone()].fill(0);
            }
        }
        Matrix { bytes, ..self.bare() }
    }

    fn each_row(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.row_bytes().max(1))
    }

    /// The same without its bytes.
    fn bare(&self) -> Matrix {
        Matrix { bytes: Vec::new(), ..*self }
    }
}

/// Indices as byte ranges of items of `size` bytes, consecutive ones joined (kept heads are long runs).
fn runs(indices: &[u32], size: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for index in indices {
        let start = *index as usize * size;
        match runs.last_mut() {
            Some(run) if run.end == start => run.end += size,
            _ => runs.push(start..start + size),
        }
    }
    runs
}

/// `[rows, cols]` to `[cols, rows]`, tile by tile so that both sides stay in the cache.
fn transpose(values: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let mut out = vec![0f32; values.len()];
    if values.is_empty() {
        // The other dimension may claim any length.
        return out;
    }
    for top in (0..rows).step_by(TILE) {
        for left in (0..cols).step_by(TILE) {
            for row in top..(top + TILE).min(rows) {
                for col in left..(left + TILE).min(cols) {
                    out[col * rows + row] = values[row * cols + col];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAYOUTS: [Layout; 2] = [Layout::OutIn, Layout::InOut];

    fn counted(rows: usize, cols: usize, dtype: Dtype, layout: Layout) -> Matrix {
        let values: Vec<f32> = (0..rows * cols).map(|i| i as f32).collect();
        Matrix { rows, cols, dtype, layout, bytes: encode(dtype, &values).bytes }
    }

    fn at(matrix: &Matrix, input: usize, output: usize) -> f32 {
        matrix.to_f32_inputs_major().unwrap()[input * matrix.outputs() + output]
    }

    #[test]
    fn the_layout_decides_what_an_output_is() {
        let linear = counted(2, 3, Dtype::F32, Layout::OutIn);
        assert_eq!((linear.outputs(), linear.inputs(), at(&linear, 2, 1)), (2, 3, 5.0));
        let conv = counted(2, 3, Dtype::F32, Layout::InOut);
        assert_eq!((conv.outputs(), conv.inputs(), at(&conv, 1, 2)), (3, 2, 5.0));
        assert_eq!(at(&linear.keep_inputs(&[2, 0]), 0, 1), 5.0);
        assert_eq!(at(&conv.keep_inputs(&[1]), 0, 2), 5.0);
    }

    #[test]
    fn slicing_keeps_bits_that_arithmetic_would_not() {
        // A signalling NaN, a subnormal and a negative zero.
        let bytes: Vec<u8> = [0x7c01u16, 0x0001, 0x8000, 0x3c00].iter().flat_map(|b| b.to_le_bytes()).collect();
        let matrix = Matrix { rows: 2, cols: 2, dtype: Dtype::F16, layout: Layout::OutIn, bytes: bytes.clone() };
        assert_eq!(matrix.keep_outputs(&[0, 1]).keep_inputs(&[0, 1]), matrix);
        assert_eq!(matrix.keep_inputs(&[0]).bytes, [bytes[0], bytes[1], bytes[4], bytes[5]]);
    }

    #[test]
    fn empty_slices_have_empty_shapes() {
        for layout in LAYOUTS {
            let matrix = counted(3, 4, Dtype::BF16, layout);
            assert_eq!((matrix.keep_outputs(&[]).outputs(), matrix.keep_outputs(&[]).bytes.len()), (0, 0));
            let none = matrix.keep_inputs(&[]);
            assert_eq!((none.inputs(), none.outputs(), none.to_f32_inputs_major().unwrap().len()), (0, matrix.outputs(), 0));
            assert_eq!(none.zero_outputs(&[0]), none);
            assert_eq!(none.keep_outputs(&[1, 0]).outputs(), 2);
        }
    }

    #[test]
    fn endless_empty_shapes_cost_nothing() {
        for (rows, cols) in [(usize::MAX, 0), (0, usize::MAX)] {
            for layout in LAYOUTS {
                let matrix = Matrix { rows, cols, dtype: Dtype::F32, layout, bytes: Vec::new() };
                assert!(matrix.to_f32_inputs_major().unwrap().is_empty());
                assert!(matrix.keep_inputs(&[]).bytes.is_empty() && matrix.keep_outputs(&[]).bytes.is_empty());
                assert_eq!(matrix.zero_inputs(&[]).zero_outputs(&[]), matrix);
            }
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_found_wherever_it_is() {
        for (dtype, largest) in [(Dtype::F32, f32::MAX), (Dtype::F16, 65504.0), (Dtype::BF16, 3e38)] {
            for size in [1, 4096, 9001] {
                let with = |place: usize, value: f32| {
                    let mut values = vec![-largest; size];
                    values[place] = value;
                    Matrix { rows: size, cols: 1, dtype, layout: Layout::OutIn, bytes: encode(dtype, &values).bytes }.is_finite()
                };
                assert!(with(0, 0.0) && with(size - 1, largest));
                for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    assert!(!with(0, value) && !with(size / 2, value) && !with(size - 1, value), "{dtype:?} {size} {value}");
                }
            }
        }
    }

    #[test]
    fn overflow_is_counted_once_a_value() {
        let (matrix, overflowed) = Matrix::from_f32_inputs_major(&[1e6, 1.0, -1e6, f32::INFINITY], 2, 2, Dtype::F16, Layout::OutIn);
        assert_eq!(overflowed, 2);
        assert_eq!(matrix.to_f32_inputs_major().unwrap(), [f32::INFINITY, 1.0, f32::NEG_INFINITY, f32::INFINITY]);
    }

    proptest! {
        #[test]
        fn slices_and_zeros_agree_with_indexing(
            rows in 1usize..70, cols in 1usize..70, layout in 0usize..2, dtype in 0usize..3, picks in proptest::collection::vec(any::<u32>(), 0..80)
        ) {
            let matrix = counted(rows, cols, [Dtype::F32, Dtype::F16, Dtype::BF16][dtype], LAYOUTS[layout]);
            let (inputs, outputs) = (matrix.inputs(), matrix.outputs());
            let values = matrix.to_f32_inputs_major().unwrap();
            let ins: Vec<u32> = picks.iter().map(|p| p % inputs as u32).collect();
            let outs: Vec<u32> = picks.iter().map(|p| p % outputs as u32).collect();
            let kept = matrix.keep_inputs(&ins).keep_outputs(&outs).to_f32_inputs_major().unwrap();
            let expected: Vec<f32> = ins.iter().flat_map(|i| outs.iter().map(|o| values[*i as usize * outputs + *o as usize])).collect();
            prop_assert_eq!(kept, expected);
            let zeroed = matrix.zero_inputs(&ins).zero_outputs(&outs).to_f32_inputs_major().unwrap();
            for i in 0..inputs {
                for o in 0..outputs {
                    let gone = ins.contains(&(i as u32)) || outs.contains(&(o as u32));
                    prop_assert_eq!(zeroed[i * outputs + o], if gone { 0.0 } else { values[i * outputs + o] });
                }
            }
            let (back, overflowed) = Matrix::from_f32_inputs_major(&values, inputs, outputs, matrix.dtype, matrix.layout);
            prop_assert_eq!((&back, overflowed), (&matrix, 0));
            let turned = matrix.to_f32_outputs_major().unwrap();
            prop_assert!((0..inputs).all(|i| (0..outputs).all(|o| turned[o * inputs + i] == values[i * outputs + o])));
            prop_assert_eq!(matrix.with_f32_outputs_major(&turned), (matrix, 0));
        }
    }
}
