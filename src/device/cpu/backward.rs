//! Gradients with respect to the inputs of operations.

use super::Cpu;
use super::products::activate;
use crate::base::{Error, Result};
use crate::device::{Activation, Segments, Tensor, Weight};
use candle_core::Tensor as Candle;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, TAU};

impl Cpu {
    /// See [`crate::device::Device::linear_backward`].
    pub async fn linear_backward(&self, upstream: &Tensor, weight: &Weight) -> Result<Tensor> {
        upstream.expect("the gradient of a linear layer", upstream.rows, weight.outputs)?;
        let product = self.sliced_product(&upstream.cpu()?.get(), &weight.cpu()?.get()).await?;
        self.wrap(product)
    }

    /// See [`crate::device::Device::activate`].
    pub async fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.pace().await?;
        self.wrap(activate(x.cpu()?.get(), activation)?)
    }

    /// See [`crate::device::Device::activate_backward`]. Slopes are computed in f64.
    pub async fn activate_backward(&self, x: &Tensor, upstream: &Tensor, activation: Activation) -> Result<Tensor> {
        self.pace().await?;
        upstream.expect("the gradient of an activation", x.rows, x.cols)?;
        let mut values = upstream.cpu()?.values()?;
        values.iter_mut().zip(x.cpu()?.values()?).for_each(|(value, x)| *value *= slope(activation, f64::from(x)) as f32);
        self.tensor_of(x.rows, x.cols, values)
    }

    /// See [`crate::device::Device::layer_norm_backward`]. Sums are taken in f64.
    pub async fn layer_norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32) -> Result<Tensor> {
        self.norm_backward(x, gain, upstream, eps, true).await
    }

    /// See [`crate::device::Device::rms_norm_backward`]. Sums are taken in f64.
    pub async fn rms_norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32) -> Result<Tensor> {
        self.norm_backward(x, gain, upstream, eps, false).await
    }

    async fn norm_backward(&self, x: &Tensor, gain: &Tensor, upstream: &Tensor, eps: f32, centred: bool) -> Result<Tensor> {
        self.pace().await?;
        gain.expect("the gain of a norm", 1, x.cols)?;
        upstream.expect("the gradient of a norm", x.rows, x.cols)?;
        let (mut values, gain) = (upstream.cpu()?.values()?, gain.cpu()?.values()?);
        let (width, centre) = (x.cols.max(1), if centred { 1.0 } else { 0.0 });
        for (row, x) in values.chunks_exact_mut(width).zip(x.cpu()?.values()?.chunks_exact(width)) {
            let mean_of = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / width as f64;
            let mean = centre * mean_of(&mut x.iter().map(|&v| f64::from(v)));
            let scale = 1.0 / (mean_of(&mut x.iter().map(|&v| (f64::from(v) - mean).powi(2))) + f64::from(eps)).sqrt();
            let gradients: Vec<f64> = row.iter().zip(&gain).map(|(&u, &g)| f64::from(u) * f64::from(g)).collect();
            let normed: Vec<f64> = x.iter().map(|&v| (f64::from(v) - mean) * scale).collect();
            let shift = centre * mean_of(&mut gradients.iter().copied());
            let along = mean_of(&mut gradients.iter().zip(&normed).map(|(g, n)| g * n));
            for ((value, g), n) in row.iter_mut().zip(&gradients).zip(&normed) {
                *value = (scale * (g - shift - n * along)) as f32;
            }
        }
        self.tensor_of(x.rows, x.cols, values)
    }

    /// See [`crate::device::Device::segment_dots`]. Sums are taken in f64.
    pub async fn segment_dots(&self, a: &Tensor, b: &Tensor, segments: &Segments) -> Result<Tensor> {
        self.pace().await?;
        a.expect("the first operand of sums by segment", segments.tokens(), a.cols)?;
        b.expect("the second operand of sums by segment", a.rows, a.cols)?;
        let (a_values, b_values) = (a.cpu()?.values()?, b.cpu()?.values()?);
        let mut out = Vec::with_capacity(segments.len() * a.cols);
        for rows in segments.ranges() {
            let mut sums = vec![0f64; a.cols];
            for row in rows {
                let at = row * a.cols..(row + 1) * a.cols;
                for ((sum, &a), &b) in sums.iter_mut().zip(&a_values[at.clone()]).zip(&b_values[at]) {
                    *sum += f64::from(a) * f64::from(b);
                }
            }
            out.extend(sums.into_iter().map(|sum| sum as f32));
        }
        self.tensor_of(segments.len(), a.cols, out)
    }

    /// See [`crate::device::Device::sample_tile`].
    pub async fn sample_tile(&self, logits: &Tensor, first: usize, norms: &Tensor, state: &Tensor) -> Result<()> {
        self.pace().await?;
        norms.expect("the norms of a draw", logits.rows, 1)?;
        state.expect("the state of a draw", logits.rows, 2)?;
        let (values, norms, mut states) = (logits.cpu()?.values()?, norms.cpu()?.values()?, state.cpu()?.values()?);
        for ((row, state), &norm) in values.chunks_exact(logits.cols.max(1)).zip(states.chunks_exact_mut(2)).zip(&norms) {
            let mut left = f64::from(state[0]);
            for (column, &logit) in row.iter().enumerate() {
                if left < 0.0 {
                    break;
                }
                left -= f64::from(logit - norm).exp();
                // Columns below 2^24 are whole numbers in f32.
                state[1] = (first + column) as f32;
            }
            state[0] = left as f32;
        }
        state.cpu()?.set(Candle::from_vec(states, (logits.rows, 2), &candle_core::Device::Cpu)?);
        Ok(())
    }

    /// See [`crate::device::Device::softmax_backward_tile`].
    pub async fn softmax_backward_tile(&self, logits: &Tensor, first: usize, targets: &[u32], rows: &Tensor) -> Result<Tensor> {
        self.pace().await?;
        rows.expect("norms and weights of rows", logits.rows, 2)?;
        if targets.len() != logits.rows {
            return Err(Error::internal("targets of another length"));
        }
        let (mut values, rows) = (logits.cpu()?.values()?, rows.cpu()?.values()?);
        for ((values, row), &target) in values.chunks_exact_mut(logits.cols.max(1)).zip(rows.chunks_exact(2)).zip(targets) {
            for (column, value) in values.iter_mut().enumerate() {
                let hit = if first + column == target as usize { 1.0 } else { 0.0 };
                *value = row[1] * ((*value - row[0]).exp() - hit);
            }
        }
        self.tensor_of(logits.rows, logits.cols, values)
    }
}

/// Derivative of an activation.
fn slope(activation: Activation, x: f64) -> f64 {
    // Far out every slope is 0 or 1, and powers of x would overflow.
    let x = x.clamp(-30.0, 30.0);
    match activation {
        Activation::Identity => 1.0,
        Activation::Gelu => 0.5 * (1.0 + libm::erf(x * FRAC_1_SQRT_2)) + x * (-0.5 * x * x).exp() / TAU.sqrt(),
        Activation::GeluTanh => {
            let c = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
            let t = (c * x * (1.0 + 0.044715 * x * x)).tanh();
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * c * (1.0 + 3.0 * 0.044715 * x * x)
        }
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Silu => {
            let sigmoid = 1.0 / (1.0 + (-x).exp());
            sigmoid * (1.0 + x * (1.0 - sigmoid))
        }
        Activation::Tanh => 1.0 - x.tanh().powi(2),
    }
}
