//! Cholesky factorisation and solve in f64, blocked so that nearly all work is matrix products (Golub and Van Loan, 4.2.9).

use super::Cpu;
use crate::base::algebra::{Dense, dot};
use crate::base::{Error, Result};
use crate::device::{Solution, Tensor};

/// Rows of a block. The unblocked part costs n * BLOCK^2, the copies n^3 / BLOCK.
const BLOCK: usize = 64;

impl Cpu {
    /// See [`crate::device::Device::solve_spd`].
    pub async fn solve_spd(&self, a: &Tensor, b: &Tensor) -> Result<Solution> {
        a.expect("the matrix of a solve", a.rows, a.rows)?;
        b.expect("the right side of a solve", a.rows, b.cols)?;
        let n = a.rows;
        let wide = |tensor: &Tensor| -> Result<Vec<f64>> { Ok(tensor.cpu()?.values()?.into_iter().map(f64::from).collect()) };
        let mut factor = Dense::new(n, n, wide(a)?)?;
        let largest = (0..n).map(|i| factor.row(i)[i]).fold(0.0, f64::max);
        let smallest = self.factorise(&mut factor).await?;
        let smallest_pivot = if largest > 0.0 { smallest / largest } else { 0.0 };
        if n > 0 && (smallest_pivot.is_nan() || smallest_pivot <= 0.0) {
            return Ok(Solution { x: b.clone(), smallest_pivot: smallest_pivot.min(0.0) });
        }
        let mut x = Dense::new(n, b.cols, wide(b)?)?;
        self.substitute(&factor, &mut x).await?;
        self.substitute_back(&factor, &mut x).await?;
        let x = self.tensor_of(n, b.cols, x.values.into_iter().map(|v| v as f32).collect())?;
        Ok(Solution { x, smallest_pivot })
    }

    /// See [`crate::device::Device::inverse_factor`]: with rows and columns in reverse order, A = L L^T, and L^-1 reversed again is R.
    pub async fn inverse_factor(&self, a: &Tensor) -> Result<Solution> {
        let n = a.rows;
        a.expect("the matrix of an inverse factor", n, n)?;
        let values = a.cpu()?.values()?;
        let mut factor = Dense::new(n, n, values.into_iter().rev().map(f64::from).collect())?;
        let largest = (0..n).map(|i| factor.at(i, i)).fold(0.0, f64::max);
        let smallest = self.factorise(&mut factor).await?;
        let smallest_pivot = if largest > 0.0 { smallest / largest } else { 0.0 };
        if n > 0 && (smallest_pivot.is_nan() || smallest_pivot <= 0.0) {
            return Ok(Solution { x: self.zeros(n, n).await?, smallest_pivot: smallest_pivot.min(0.0) });
        }
        let mut x = Dense::zeros(n, n);
        (0..n).for_each(|i| x.row_mut(i)[i] = 1.0);
        self.substitute(&factor, &mut x).await?;
        Ok(Solution { x: self.tensor_of(n, n, x.values.into_iter().rev().map(|v| v as f32).collect())?, smallest_pivot })
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
                let pivot = a.row(j)[j] - dot(&a.row(j)[start..j], &a.row(j)[start..j]);
                smallest = smallest.min(pivot);
                if pivot.is_nan() || pivot <= 0.0 {
                    return Ok(pivot);
                }
                let root = pivot.sqrt();
                a.values[j * n + j] = root;
                for i in j + 1..n {
                    let (head, tail) = a.values.split_at_mut(i * n);
                    let (row_j, row_i) = (&head[j * n..j * n + j], &mut tail[..=j]);
                    row_i[j] = (row_i[j] - dot(&row_i[start..j], &row_j[start..])) / root;
                }
            }
            // Trailing update by strips, so that a slice stays short.
            for row in (end..n).step_by(4 * BLOCK) {
                self.pace().await?;
                let rows = (4 * BLOCK).min(n - row);
                let update = a.block(row..row + rows, start..start + size)?.matmul(&a.block(end..row + rows, start..end)?.t()?)?;
                a.add(row, end, -1.0, &update)?;
            }
        }
        Ok(smallest)
    }

    /// X := L^-1 X, block by block.
    async fn substitute(&self, l: &Dense, x: &mut Dense) -> Result<()> {
        let (n, width) = (l.rows, x.cols);
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
                let update = l.block(row..row + rows, start..end)?.matmul(&x.block(start..end, 0..width)?)?;
                x.add(row, 0, -1.0, &update)?;
            }
        }
        finite(x)
    }

    /// X := L^-T X, block by block.
    async fn substitute_back(&self, l: &Dense, x: &mut Dense) -> Result<()> {
        let (n, width) = (l.rows, x.cols);
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
                let update = l.block(start..end, row..row + rows)?.t()?.matmul(&x.block(start..end, 0..width)?)?;
                x.add(row, 0, -1.0, &update)?;
            }
        }
        finite(x)
    }
}

fn finite(x: &Dense) -> Result<()> {
    if x.values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(Error::internal("a solve that did not stay finite")) }
}

/// row := (row - sum of coefficient * other) / pivot.
fn eliminate<'a>(row: &mut [f64], others: impl Iterator<Item = (f64, &'a [f64])>, pivot: f64) {
    for (coefficient, other) in others {
        row.iter_mut().zip(other).for_each(|(v, o)| *v -= coefficient * o);
    }
    row.iter_mut().for_each(|v| *v /= pivot);
}
