//! Cholesky factorisation and solve in f64, blocked so that nearly all work is matrix products (Golub and Van Loan, 4.2.9).

use super::Cpu;
use crate::base::{Error, Result};
use crate::device::{Solution, Tensor};
use candle_core::Tensor as Candle;

/// Rows of a block. The unblocked part costs n * BLOCK^2, the copies n^3 / BLOCK.
const BLOCK: usize = 64;

/// A row-major f64 matrix.
struct Dense {
    cols: usize,
    values: Vec<f64>,
}

impl Dense {
    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.cols..(i + 1) * self.cols]
    }

    /// The block at (row, col) as a candle tensor.
    fn block(&self, row: usize, rows: usize, col: usize, cols: usize) -> Result<Candle> {
        let values: Vec<f64> = (row..row + rows).flat_map(|i| self.row(i)[col..col + cols].iter().copied()).collect();
        Ok(Candle::from_vec(values, (rows, cols), &candle_core::Device::Cpu)?)
    }

    /// Subtracts `part` from the block at (row, col).
    fn subtract(&mut self, row: usize, col: usize, part: &Candle) -> Result<()> {
        for (i, part) in part.to_vec2::<f64>()?.iter().enumerate() {
            let start = (row + i) * self.cols + col;
            self.values[start..start + part.len()].iter_mut().zip(part).for_each(|(v, p)| *v -= p);
        }
        Ok(())
    }
}

impl Cpu {
    /// See [`crate::device::Device::solve_spd`].
    pub async fn solve_spd(&self, a: &Tensor, b: &Tensor) -> Result<Solution> {
        a.expect("the matrix of a solve", a.rows, a.rows)?;
        b.expect("the right side of a solve", a.rows, b.cols)?;
        let n = a.rows;
        let wide = |tensor: &Tensor| -> Result<Vec<f64>> { Ok(tensor.cpu()?.values()?.into_iter().map(f64::from).collect()) };
        let mut factor = Dense { cols: n, values: wide(a)? };
        let largest = (0..n).map(|i| factor.row(i)[i]).fold(0.0, f64::max);
        let smallest = self.factorise(&mut factor).await?;
        let smallest_pivot = if largest > 0.0 { smallest / largest } else { 0.0 };
        if n > 0 && (smallest_pivot.is_nan() || smallest_pivot <= 0.0) {
            return Ok(Solution { x: b.clone(), smallest_pivot: smallest_pivot.min(0.0) });
        }
        let mut x = Dense { cols: b.cols, values: wide(b)? };
        self.substitute(&factor, &mut x, n).await?;
        let x = self.tensor_of(n, b.cols, x.values.into_iter().map(|v| v as f32).collect())?;
        Ok(Solution { x, smallest_pivot })
    }

    /// Lower Cholesky factor in place (the upper triangle is left as it was); gives the smallest pivot, and stops at one that is not positive.
    async fn factorise(&self, a: &mut Dense) -> Result<f64> {
        let n = a.cols;
        let mut smallest = f64::INFINITY;
        for start in (0..n).step_by(BLOCK) {
            self.pace().await?;
            let size = BLOCK.min(n - start);
            let end = start + size;
            for j in start..end {
                let pivot = a.row(j)[j] - square(&a.row(j)[start..j]);
                smallest = smallest.min(pivot);
                if pivot.is_nan() || pivot <= 0.0 {
                    return Ok(pivot);
                }
                let root = pivot.sqrt();
                a.values[j * n + j] = root;
                for i in j + 1..n {
                    let (head, tail) = a.values.split_at_mut(i * n);
                    let (row_j, row_i) = (&head[j * n..j * n + j], &mut tail[..=j]);
                    row_i[j] = (row_i[j] - product(&row_i[start..j], &row_j[start..])) / root;
                }
            }
            // Trailing update by strips, so that a slice stays short.
            for row in (end..n).step_by(4 * BLOCK) {
                self.pace().await?;
                let rows = (4 * BLOCK).min(n - row);
                let update = a.block(row, rows, start, size)?.matmul(&a.block(end, row + rows - end, start, size)?.t()?)?;
                a.subtract(row, end, &update)?;
            }
        }
        Ok(smallest)
    }

    /// X := L^-T L^-1 X, block by block.
    async fn substitute(&self, l: &Dense, x: &mut Dense, n: usize) -> Result<()> {
        let width = x.cols;
        for start in (0..n).step_by(BLOCK) {
            self.pace().await?;
            let end = (start + BLOCK).min(n);
            for i in start..end {
                let (head, tail) = x.values.split_at_mut(i * width);
                eliminate(&mut tail[..width], (start..i).map(|j| (l.row(i)[j], &head[j * width..(j + 1) * width])), l.row(i)[i]);
            }
            for row in (end..n).step_by(4 * BLOCK) {
                self.pace().await?;
                let rows = (4 * BLOCK).min(n - row);
                let update = l.block(row, rows, start, end - start)?.matmul(&x.block(start, end - start, 0, width)?)?;
                x.subtract(row, 0, &update)?;
            }
        }
        for start in (0..n).step_by(BLOCK).rev() {
            self.pace().await?;
            let end = (start + BLOCK).min(n);
            for i in (start..end).rev() {
                let (head, tail) = x.values.split_at_mut((i + 1) * width);
                let below = (i + 1..end).map(|j| (l.row(j)[i], &tail[(j - i - 1) * width..(j - i) * width]));
                eliminate(&mut head[i * width..], below, l.row(i)[i]);
            }
            for row in (0..start).step_by(4 * BLOCK) {
                self.pace().await?;
                let rows = (4 * BLOCK).min(start - row);
                let update = l.block(start, end - start, row, rows)?.t()?.matmul(&x.block(start, end - start, 0, width)?)?;
                x.subtract(row, 0, &update)?;
            }
        }
        if x.values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(Error::internal("a solve that did not stay finite")) }
    }
}

/// row := (row - sum of coefficient * other) / pivot.
fn eliminate<'a>(row: &mut [f64], others: impl Iterator<Item = (f64, &'a [f64])>, pivot: f64) {
    for (coefficient, other) in others {
        row.iter_mut().zip(other).for_each(|(v, o)| *v -= coefficient * o);
    }
    row.iter_mut().for_each(|v| *v /= pivot);
}

fn square(values: &[f64]) -> f64 {
    product(values, values)
}

/// Dot product in four lanes, which the compiler can vectorise.
fn product(a: &[f64], b: &[f64]) -> f64 {
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
