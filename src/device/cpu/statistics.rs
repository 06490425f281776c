//! Column sums, angles of rows, Gram matrices, covariance blocks.

use super::{Cpu, SLICE_FLOPS};
use crate::base::Result;
use crate::device::Tensor;
use candle_core::Tensor as Candle;

/// Rows that one f32 sum runs over before it is added to the accumulator; keeps rounding error flat in the number of tokens.
const CHUNK_ROWS: usize = 512;

impl Cpu {
    /// See [`crate::device::Device::column_stats`].
    pub async fn column_stats(&self, x: &Tensor, sums: &Tensor) -> Result<()> {
        self.pace().await?;
        sums.expect("the column sums", 2, x.cols)?;
        let mut totals: Vec<f64> = sums.cpu()?.values()?.into_iter().map(f64::from).collect();
        let (first, second) = totals.split_at_mut(x.cols);
        for row in x.cpu()?.values()?.chunks_exact(x.cols.max(1)) {
            for ((&value, sum), square) in row.iter().zip(&mut *first).zip(&mut *second) {
                *sum += f64::from(value);
                *square += f64::from(value) * f64::from(value);
            }
        }
        let totals = totals.into_iter().map(|v| v as f32).collect();
        sums.cpu()?.set(Candle::from_vec(totals, (2, x.cols), &candle_core::Device::Cpu)?);
        Ok(())
    }

    /// See [`crate::device::Device::cosine_distances`]. In f64.
    pub async fn cosine_distances(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.pace().await?;
        b.expect("the other rows", a.rows, a.cols)?;
        let (left, right) = (a.cpu()?.values()?, b.cpu()?.values()?);
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let rows = left.chunks_exact(a.cols.max(1)).zip(right.chunks_exact(a.cols.max(1)));
        let distances = rows.map(|(a, b)| match (product(a, a) * product(b, b)).sqrt() {
            0.0 => 1.0,
            lengths => (1.0 - product(a, b) / lengths) as f32,
        });
        self.tensor_of(a.rows, 1, distances.collect())
    }

    /// See [`crate::device::Device::gram`].
    pub async fn gram(&self, x: &Tensor, gram: &Tensor) -> Result<()> {
        gram.expect("the Gram matrix", x.cols, x.cols)?;
        self.accumulate(x, x, gram, true).await
    }

    /// See [`crate::device::Device::cross_gram`].
    pub async fn cross_gram(&self, x: &Tensor, y: &Tensor, cross: &Tensor) -> Result<()> {
        y.expect("the second operand of a cross-Gram", x.rows, y.cols)?;
        cross.expect("the cross-Gram", x.cols, y.cols)?;
        self.accumulate(x, y, cross, false).await
    }

    /// accumulator += x^T y, by tiles of columns of x; of a symmetric result only tiles on and above the diagonal are computed.
    async fn accumulate(&self, x: &Tensor, y: &Tensor, accumulator: &Tensor, symmetric: bool) -> Result<()> {
        let (xs, ys) = (x.cpu()?.get(), y.cpu()?.get());
        let (width, other) = (x.cols, y.cols);
        let mut totals = accumulator.cpu()?.values()?;
        for row in (0..x.rows).step_by(CHUNK_ROWS) {
            let rows = CHUNK_ROWS.min(x.rows - row);
            let tile = (SLICE_FLOPS / (2 * rows * other).max(1)).clamp(1, 256);
            let (xs, ys) = (xs.narrow(0, row, rows)?, ys.narrow(0, row, rows)?);
            for start in (0..width).step_by(tile) {
                self.pace().await?;
                let tile = tile.min(width - start);
                let from = if symmetric { start } else { 0 };
                let product = xs.narrow(1, start, tile)?.t()?.matmul(&ys.narrow(1, from, other - from)?)?;
                for (i, part) in product.to_vec2::<f32>()?.iter().enumerate() {
                    let total = &mut totals[(start + i) * other + from..(start + i + 1) * other];
                    total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
                }
            }
        }
        if symmetric {
            for i in 0..width {
                for j in 0..i {
                    totals[i * width + j] = totals[j * width + i];
                }
            }
        }
        accumulator.cpu()?.set(Candle::from_vec(totals, (width, other), &candle_core::Device::Cpu)?);
        Ok(())
    }

    /// See [`crate::device::Device::covariance`].
    pub async fn covariance(&self, gram: &Tensor, mean: &Tensor, count: f64, rows: &[u32], cols: &[u32], damp: f32) -> Result<Tensor> {
        self.pace().await?;
        gram.expect("the Gram matrix", mean.cols, mean.cols)?;
        let (values, mean) = (gram.cpu()?.values()?, mean.cpu()?.values()?);
        let mut out = Vec::with_capacity(rows.len() * cols.len());
        for &i in rows {
            let (row, mean_i) = (&values[i as usize * gram.cols..], f64::from(mean[i as usize]));
            out.extend(cols.iter().map(|&j| {
                let centred = f64::from(row[j as usize]) / count - mean_i * f64::from(mean[j as usize]);
                (centred + if i == j { f64::from(damp) } else { 0.0 }) as f32
            }));
        }
        self.tensor_of(rows.len(), cols.len(), out)
    }
}
