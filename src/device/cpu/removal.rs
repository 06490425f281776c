//! What the removal of units changes.

use super::Cpu;
use crate::base::{Error, Result};
use crate::device::Tensor;
use crate::device::removal::copies;
use candle_core::Tensor as Candle;

/// Least norm that a row is divided by.
const LEAST: f64 = 1e-10;

impl Cpu {
    /// See [`crate::device::Device::without_units`].
    pub async fn without_units(&self, base: &Tensor, x: &Tensor, directions: &Tensor, units: &[u32], unit_size: usize) -> Result<Tensor> {
        x.expect("the input of the units", base.rows, directions.rows)?;
        directions.expect("the directions of the units", x.cols, base.cols)?;
        if units.iter().any(|&unit| (unit as usize + 1) * unit_size > x.cols) {
            return Err(Error::internal("a unit beyond the channels"));
        }
        let (inputs, lines) = (x.cpu()?.values()?, directions.cpu()?.values()?);
        let own = base.cpu()?.values()?;
        let width = base.cols.max(1);
        let mut out = Vec::with_capacity(units.len() * own.len());
        let mut removed = vec![0f32; width];
        for &unit in units {
            self.pace().await?;
            let channels = unit as usize * unit_size..(unit as usize + 1) * unit_size;
            for (row, input) in own.chunks_exact(width).zip(inputs.chunks_exact(x.cols.max(1))) {
                removed.fill(0.0);
                for channel in channels.clone() {
                    let line = &lines[channel * width..(channel + 1) * width];
                    removed.iter_mut().zip(line).for_each(|(sum, weight)| *sum += input[channel] * weight);
                }
                out.extend(row.iter().zip(&removed).map(|(value, removed)| value - removed));
            }
        }
        self.tensor_of(units.len() * base.rows, base.cols, out)
    }

    /// See [`crate::device::Device::direction_changes`]. Norms and differences are taken in f64.
    pub async fn direction_changes(&self, states: &Tensor, copies: usize, rows: &[u32], reference: &Tensor) -> Result<Tensor> {
        self.pace().await?;
        reference.expect("the reference rows", rows.len(), states.cols)?;
        let n = states.rows / copies.max(1);
        if n * copies != states.rows || rows.iter().any(|&row| row as usize >= n) {
            return Err(Error::internal("rows beyond a copy"));
        }
        let (states, own, width) = (states.cpu()?.values()?, reference.cpu()?.values()?, reference.cols.max(1));
        let norm = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt().max(LEAST);
        let mut out = Vec::with_capacity(copies * own.len());
        for copy in states.chunks_exact((n * width).max(1)) {
            for (&row, old) in rows.iter().zip(own.chunks_exact(width)) {
                let new = &copy[row as usize * width..(row as usize + 1) * width];
                let (new_norm, old_norm) = (norm(new), norm(old));
                out.extend(new.iter().zip(old).map(|(&new, &old)| (f64::from(new) / new_norm - f64::from(old) / old_norm) as f32));
            }
        }
        self.tensor_of(copies * rows.len(), reference.cols, out)
    }

    /// See [`crate::device::Device::similarity_changes`].
    pub async fn similarity_changes(&self, a: &Tensor, changes: &Tensor) -> Result<Tensor> {
        changes.expect("the changes of rows", changes.rows, a.cols)?;
        let (a, count) = (a.cpu()?.get(), copies("changes of rows", changes, a.rows)?);
        let (k, all) = (a.dim(0)?, changes.cpu()?.get());
        let mut sums = Vec::with_capacity(count);
        for copy in 0..count {
            let change = all.narrow(0, copy * k, k)?;
            let middle = (&a + (&change * 0.5)?)?;
            let half = self.sliced_product(&middle, &change.t()?).await?;
            let whole = (&half + half.t()?)?.flatten_all()?.to_vec1::<f32>()?;
            sums.push(whole.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() as f32);
        }
        self.tensor_of(count, 1, sums)
    }

    /// See [`crate::device::Device::divergence_change_tile`].
    pub async fn divergence_change_tile(&self, p_logits: &Tensor, p_norms: &Tensor, changes: &Tensor, sums: &Tensor) -> Result<()> {
        self.pace().await?;
        p_norms.expect("the norms", p_logits.rows, 1)?;
        changes.expect("the changes of logits", changes.rows, p_logits.cols)?;
        copies("changes of logits", changes, p_logits.rows)?;
        sums.expect("the sums", changes.rows, 2)?;
        let (logits, norms, moves) = (p_logits.cpu()?.values()?, p_norms.cpu()?.values()?, changes.cpu()?.values()?);
        let mut totals = sums.cpu()?.values()?;
        let width = p_logits.cols.max(1);
        let shares: Vec<f64> = logits
            .chunks_exact(width)
            .zip(&norms)
            .flat_map(|(row, &norm)| row.iter().map(move |&logit| f64::from(logit - norm).exp()))
            .collect();
        for (moved, (row, total)) in moves.chunks_exact(width).zip(totals.chunks_exact_mut(2)).enumerate().map(|(i, (m, t))| (m, (i, t))) {
            let first = row % p_logits.rows * width;
            let (mut mean, mut rest) = (0.0, 0.0);
            for (share, &change) in shares[first..first + width].iter().zip(moved) {
                let change = f64::from(change).min(80.0);
                mean += share * change;
                rest += share * (change.exp_m1() - change);
            }
            total[0] += mean as f32;
            total[1] += rest as f32;
        }
        sums.cpu()?.set(Candle::from_vec(totals, (changes.rows, 2), &candle_core::Device::Cpu)?);
        Ok(())
    }
}
