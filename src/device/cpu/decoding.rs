//! What decoders add: RMS norm, rotary positions, gates, softmax over a tiled vocabulary.

use super::Cpu;
use super::elements::binary;
use crate::base::{Error, Result};
use crate::device::Tensor;
use candle_core::Tensor as Candle;
use candle_core::op::Mul;

impl Cpu {
    /// See [`crate::device::Device::rms_norm`]. The mean square is accumulated in f64.
    pub async fn rms_norm(&self, x: &Tensor, gain: &Tensor, eps: f32) -> Result<Tensor> {
        self.pace().await?;
        gain.expect("the gain of an RMS norm", 1, x.cols)?;
        let (mut values, gain) = (x.cpu()?.values()?, gain.cpu()?.values()?);
        for row in values.chunks_exact_mut(x.cols.max(1)) {
            let square = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / x.cols as f64;
            let scale = 1.0 / (square + f64::from(eps)).sqrt();
            row.iter_mut().zip(&gain).for_each(|(v, g)| *v = (f64::from(*v) * scale) as f32 * g);
        }
        self.tensor_of(x.rows, x.cols, values)
    }

    /// See [`crate::device::Device::rotary`]. Angles are computed in f64.
    pub async fn rotary(&self, x: &Tensor, positions: &[u32], frequencies: &[f32], head_dim: usize) -> Result<Tensor> {
        self.pace().await?;
        let half = head_dim / 2;
        if positions.len() != x.rows || frequencies.len() != half || head_dim == 0 || !x.cols.is_multiple_of(head_dim) {
            return Err(Error::internal("rotary positions of another shape"));
        }
        let mut values = x.cpu()?.values()?;
        for (row, &position) in values.chunks_exact_mut(x.cols).zip(positions) {
            let turns: Vec<(f32, f32)> = frequencies
                .iter()
                .map(|&frequency| (f64::from(position) * f64::from(frequency)).sin_cos())
                .map(|(sin, cos)| (sin as f32, cos as f32))
                .collect();
            for head in row.chunks_exact_mut(head_dim) {
                let (first, second) = head.split_at_mut(half);
                for ((a, b), (sin, cos)) in first.iter_mut().zip(second).zip(&turns) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
        self.tensor_of(x.rows, x.cols, values)
    }

    /// See [`crate::device::Device::multiply`].
    pub async fn multiply(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.pace().await?;
        b.expect("the second factor", a.rows, a.cols)?;
        self.wrap(binary::<Mul>(&a.cpu()?.get(), &b.cpu()?.get())?)
    }

    /// See [`crate::device::Device::stack`].
    pub async fn stack(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.pace().await?;
        b.expect("the rows to append", b.rows, a.cols)?;
        self.wrap(Candle::cat(&[a.cpu()?.get(), b.cpu()?.get()], 0)?)
    }

    /// See [`crate::device::Device::place`].
    pub async fn place(&self, a: &Tensor, into: &Tensor, at: usize) -> Result<()> {
        self.pace().await?;
        into.expect_rows("the rows to write over", at + a.rows, a.cols)?;
        if a.rows * a.cols > 0 {
            into.cpu()?.get().slice_set(&a.cpu()?.get().contiguous()?, 0, at)?;
        }
        Ok(())
    }

    /// See [`crate::device::Device::softmax_tile`].
    pub async fn softmax_tile(&self, logits: &Tensor, first: usize, targets: &[u32], state: &Tensor) -> Result<()> {
        self.pace().await?;
        state.expect("the state of a tiled softmax", logits.rows, 4)?;
        let (values, mut states) = (logits.cpu()?.values()?, state.cpu()?.values()?);
        for ((row, state), &target) in values.chunks_exact(logits.cols.max(1)).zip(states.chunks_exact_mut(4)).zip(targets) {
            let (mut maximum, mut place) = (state[0], state[3]);
            for (column, &logit) in row.iter().enumerate() {
                if logit > maximum {
                    // Columns below 2^24 are whole numbers in f32.
                    (maximum, place) = (logit, (first + column) as f32);
                }
            }
            let sum: f64 = row.iter().map(|&v| f64::from(v - maximum).exp()).sum();
            state[1] = (f64::from(state[1]) * f64::from(state[0] - maximum).exp() + sum) as f32;
            (state[0], state[3]) = (maximum, place);
            if let Some(&logit) = (target as usize).checked_sub(first).and_then(|place| row.get(place)) {
                state[2] = logit;
            }
        }
        state.cpu()?.set(Candle::from_vec(states, (logits.rows, 4), &candle_core::Device::Cpu)?);
        Ok(())
    }

    /// See [`crate::device::Device::divergence_tile`].
    pub async fn divergence_tile(
        &self,
        p_logits: &Tensor,
        p_norms: &Tensor,
        q_logits: &Tensor,
        q_norms: &Tensor,
        sums: &Tensor,
    ) -> Result<()> {
        self.pace().await?;
        q_logits.expect("the second logits", p_logits.rows, p_logits.cols)?;
        for (what, tensor) in [("the first norms", p_norms), ("the second norms", q_norms), ("the sums", sums)] {
            tensor.expect(what, p_logits.rows, 1)?;
        }
        let (p, q) = (p_logits.cpu()?.values()?, q_logits.cpu()?.values()?);
        let (p_norms, q_norms, mut totals) = (p_norms.cpu()?.values()?, q_norms.cpu()?.values()?, sums.cpu()?.values()?);
        let width = p_logits.cols.max(1);
        for (i, (p, q)) in p.chunks_exact(width).zip(q.chunks_exact(width)).enumerate() {
            let row: f64 = p
                .iter()
                .zip(q)
                .map(|(&p, &q)| {
                    let (p, q) = (f64::from(p - p_norms[i]), f64::from(q - q_norms[i]));
                    p.exp() * (p - q)
                })
                .sum();
            totals[i] += row as f32;
        }
        sums.cpu()?.set(Candle::from_vec(totals, (p_logits.rows, 1), &candle_core::Device::Cpu)?);
        Ok(())
    }
}
