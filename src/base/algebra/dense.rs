//! A row-major matrix and its products.

use crate::base::{Error, Pace, Result};
use candle_core::Device::Cpu as Host;
use candle_core::Tensor as Candle;
use std::ops::Range;

/// Multiplications in one tile of a product: about 20 ms in wasm, at 5 GFLOP/s in f64.
const TILE: usize = 50_000_000;

/// A row-major matrix in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Row after row, `rows * cols` of them.
    pub values: Vec<f64>,
}

/// Which part of a matrix is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// At least the diagonal and what is below it; what is above may be left as it was.
    Lower,
}

impl Dense {
    /// A matrix of these values.
    ///
    /// # Errors
    /// There are not `rows * cols` of them, which is a defect.
    pub fn new(rows: usize, cols: usize, values: Vec<f64>) -> Result<Self> {
        if values.len() != rows * cols {
            return Err(Error::internal(format_args!("{} values for a {rows} x {cols} matrix", values.len())));
        }
        Ok(Self { rows, cols, values })
    }

    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, values: vec![0.0; rows * cols] }
    }

    /// The value in row `i` and column `j`.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.cols + j]
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.cols..(i + 1) * self.cols]
    }

    /// Row `i`, to change.
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.cols..(i + 1) * self.cols]
    }

    /// These rows, in this order.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        Self { rows: rows.len(), cols: self.cols, values: rows.iter().flat_map(|&i| self.row(i)).copied().collect() }
    }

    /// The matrix turned: rows become columns.
    pub fn transposed(&self) -> Self {
        let values = (0..self.cols).flat_map(|j| (0..self.rows).map(move |i| self.at(i, j))).collect();
        Self { rows: self.cols, cols: self.rows, values }
    }

    /// Sum of all squares.
    pub fn square(&self) -> f64 {
        dot(&self.values, &self.values)
    }

    /// The block in these rows and columns as a candle tensor.
    pub(crate) fn block(&self, rows: Range<usize>, cols: Range<usize>) -> Result<Candle> {
        let shape = (rows.len(), cols.len());
        if cols.len() == self.cols {
            return Ok(Candle::from_slice(&self.values[rows.start * self.cols..rows.end * self.cols], shape, &Host)?);
        }
        let mut values = Vec::with_capacity(shape.0 * shape.1);
        rows.for_each(|i| values.extend_from_slice(&self.row(i)[cols.clone()]));
        Ok(Candle::from_vec(values, shape, &Host)?)
    }

    /// Adds `scale * part` to the block whose first entry is at (row, col).
    pub(crate) fn add(&mut self, row: usize, col: usize, scale: f64, part: &Candle) -> Result<()> {
        let width = part.dim(1)?;
        let part = part.flatten_all()?.to_vec1::<f64>()?;
        for (i, part) in part.chunks_exact(width.max(1)).enumerate() {
            let start = (row + i) * self.cols + col;
            self.values[start..start + width].iter_mut().zip(part).for_each(|(v, p)| *v += scale * p);
        }
        Ok(())
    }

    /// self += scale a bᵀ, for a [rows, k] and b [cols, k].
    ///
    /// # Errors
    /// The run was cancelled.
    pub async fn add_product(&mut self, scale: f64, a: &Self, b: &Self, part: Part, pace: &mut Pace<'_>) -> Result<()> {
        if (a.rows, b.rows, a.cols) != (self.rows, self.cols, b.cols) {
            let shapes = [(self.rows, self.cols), (a.rows, a.cols), (b.rows, b.cols)];
            return Err(Error::internal(format_args!("a product of shapes {shapes:?}")));
        }
        let (rows, cols, inner) = (self.rows, self.cols, a.cols);
        if rows == 0 || cols == 0 || inner == 0 {
            return Ok(());
        }
        // Both sides of a tile are long where they can be: each tile packs its rows of `a` and of `b` anew.
        let elements = (TILE / inner).max(1);
        let height = rows.min(elements.isqrt().max(1));
        let width = (elements / height).clamp(1, cols);
        for top in (0..rows).step_by(height) {
            let bottom = (top + height).min(rows);
            let band = a.block(top..bottom, 0..inner)?;
            let end = if part == Part::Lower { bottom.min(cols) } else { cols };
            for left in (0..end).step_by(width) {
                pace.step().await?;
                let product = band.matmul(&b.block(left..(left + width).min(end), 0..inner)?.t()?)?;
                self.add(top, left, scale, &product)?;
            }
        }
        Ok(())
    }

    /// The lower Cholesky factor of a small symmetric positive definite matrix, of which the lower triangle is read; `None`
    /// where it is not positive definite.
    pub fn cholesky(&self) -> Option<Self> {
        let n = self.rows;
        let mut factor = Self::zeros(n, n);
        for i in 0..n {
            for j in 0..=i {
                let rest = self.at(i, j) - dot(&factor.row(i)[..j], &factor.row(j)[..j]);
                factor.values[i * n + j] = match i == j {
                    true if rest > 0.0 => rest.sqrt(),
                    true => return None,
                    false => rest / factor.at(j, j),
                };
            }
        }
        Some(factor)
    }

    /// L⁻¹ B for this lower triangular matrix L.
    pub fn lower_solve(&self, b: &Self) -> Self {
        let (mut x, width) = (b.clone(), b.cols);
        for i in 0..self.rows {
            let (above, rest) = x.values.split_at_mut(i * width);
            let row = &mut rest[..width];
            for (above, factor) in above.chunks_exact(width.max(1)).zip(self.row(i)) {
                row.iter_mut().zip(above).for_each(|(v, a)| *v -= factor * a);
            }
            row.iter_mut().for_each(|v| *v /= self.at(i, i));
        }
        x
    }
}

/// Dot product in four lanes, which the compiler can vectorise.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a4.zip(b4) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}
