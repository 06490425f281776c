//! LIAR (arXiv 2407.13331): the removed inputs are linearly interpolated from the kept ones, and the interpolation is
//! folded into the kept weights and the bias.
//!
//! Interpolating the inputs and fitting the outputs by least squares give the same weights, so it is solved as the latter:
//! (C + lambda I) (V - W_K) = C_xy - C W_K with covariances C of the kept inputs and C_xy of kept inputs and wanted outputs.
//! The damping lambda pulls V toward the truncated weights W_K, never toward zero.

use super::{Fit, Problem, Repair, RepairOptions};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;
use crate::device::{Device, Op, Tensor};

pub(super) struct Liar;

/// A matrix that is not positive definite in this precision gets ten times the damping, this many times.
const RETRIES: usize = 3;

impl Repair for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }

    fn title(&self) -> &'static str {
        "LIAR (linear interpolation)"
    }

    fn summary(&self) -> &'static str {
        "The kept weights take over what can be interpolated from them, by damped least squares with a bias (LIAR, 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, gram: true, ..Needs::default() }
    }

    fn solve<'a>(
        &'a self,
        device: &'a Device,
        problem: &'a Problem,
        truncated: &'a Tensor,
        options: RepairOptions,
    ) -> LocalFuture<'a, Result<Fit>> {
        Box::pin(async move {
            // Where all kept inputs are constant there is nothing to interpolate from, and any damping will do.
            let variance = problem.mean_variance();
            let mut damping = options.ridge * if variance > 0.0 { variance } else { 1.0 };
            let cross = problem.centred_cross(device).await?;
            let mut attempt = 0;
            let solution = loop {
                let system = problem.centred_gram(device, damping).await?;
                // C_xy - C W_K, from the damped matrix: C W_K = (C + lambda I) W_K - lambda W_K.
                let explained = device.matmul(&system, Op::N, truncated, Op::N).await?;
                let left = device.add(&cross, &explained, -1.0).await?;
                let right = device.add(&left, truncated, damping as f32).await?;
                let solution = device.solve_spd(&system, &right).await?;
                if solution.smallest_pivot > 0.0 || attempt == RETRIES {
                    break solution;
                }
                attempt += 1;
                damping = 10.0 * damping.max(1e-6 * variance);
            };
            let weight = if solution.smallest_pivot > 0.0 { device.add(truncated, &solution.x, 1.0).await? } else { truncated.clone() };
            let shift = problem.shift(device, &weight).await?;
            let damping = if variance > 0.0 { damping / variance } else { 0.0 };
            Ok(Fit { weight, shift, damping, smallest_pivot: Some(solution.smallest_pivot) })
        })
    }
}
