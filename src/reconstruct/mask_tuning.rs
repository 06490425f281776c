//! Mask tuning (Kwon et al., NeurIPS 2022): one scalar for each kept unit, by least squares on the outputs, damped toward 1.
//!
//! A unit g gives z_g = x_g W_g; the scalars m minimise |y - sum_g m_g z_g|^2 + lambda |m - 1|^2 with a bias. With the centred
//! sums C of the kept inputs, (A + lambda I)(m - 1) = r - A 1, where A_gh sums C o (W W^T) over the channels of both units and r_g
//! sums C_xy o W over those of g. The paper solves on the inputs of the pruned model (`error_aware`) against a teacher that is
//! itself pruned; the target here is the dense model.

use super::{Fit, Problem, Repair, RepairOptions};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;
use crate::device::{Device, Op, Tensor};

pub(super) struct MaskTuning;

impl Repair for MaskTuning {
    fn name(&self) -> &'static str {
        "mask_tuning"
    }

    fn title(&self) -> &'static str {
        "Mask tuning"
    }

    fn summary(&self) -> &'static str {
        "One factor for each kept unit, by damped least squares (Kwon et al., 2022)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, gram: true, ..Needs::default() }
    }

    fn falls_back_to(&self) -> bool {
        false
    }

    fn solve<'a>(
        &'a self,
        device: &'a Device,
        problem: &'a Problem,
        truncated: &'a Tensor,
        options: RepairOptions,
    ) -> LocalFuture<'a, Result<Fit>> {
        Box::pin(async move {
            let (channels, outputs) = (truncated.rows(), truncated.cols());
            let units = channels / options.unit_size.max(1);
            let members = membership(device, units, options.unit_size).await?;
            let weights = device.matmul(truncated, Op::N, truncated, Op::T).await?;
            let products = device.multiply(&problem.centred_gram(device, 0.0).await?, &weights).await?;
            let system = match &members {
                Some(members) => {
                    let by_unit = device.matmul(members, Op::T, &products, Op::N).await?;
                    device.matmul(&by_unit, Op::N, members, Op::N).await?
                }
                None => products,
            };
            let cross = device.multiply(&problem.centred_cross(device).await?, truncated).await?;
            let ones = device.upload(outputs, 1, &vec![1.0; outputs]).await?;
            let mut right = device.matmul(&cross, Op::N, &ones, Op::N).await?;
            if let Some(members) = &members {
                right = device.matmul(members, Op::T, &right, Op::N).await?;
            }
            let ones = device.upload(units, 1, &vec![1.0; units]).await?;
            let right = device.add(&right, &device.matmul(&system, Op::N, &ones, Op::N).await?, -1.0).await?;

            let all: Vec<u32> = (0..units as u32).collect();
            let diagonal = trace(device, &system).await?;
            let absolute = options.ridge * diagonal / units.max(1) as f64;
            let damping = options.ridge;
            let none = device.zeros(1, units).await?;
            let damped = device.covariance(&system, &none, 1.0, &all, &all, absolute as f32).await?;
            let solution = device.solve_spd(&damped, &right).await?;
            if solution.smallest_pivot <= 0.0 {
                let shift = problem.shift(device, truncated).await?;
                return Ok(Fit { weight: truncated.clone(), shift, damping, smallest_pivot: Some(solution.smallest_pivot) });
            }
            let change = match &members {
                Some(members) => device.matmul(members, Op::N, &solution.x, Op::N).await?,
                None => solution.x,
            };
            let row = device.upload(1, outputs, &vec![1.0; outputs]).await?;
            let factors = device.matmul(&change, Op::N, &row, Op::N).await?;
            let weight = device.add(truncated, &device.multiply(&factors, truncated).await?, 1.0).await?;
            let shift = problem.shift(device, &weight).await?;
            Ok(Fit { weight, shift, damping, smallest_pivot: Some(solution.smallest_pivot) })
        })
    }
}

/// Which channel belongs to which unit, [channels, units] of zeros and ones; `None` where each channel is a unit.
async fn membership(device: &Device, units: usize, size: usize) -> Result<Option<Tensor>> {
    if size <= 1 {
        return Ok(None);
    }
    let mut values = vec![0.0; units * size * units];
    values.chunks_exact_mut(units.max(1)).enumerate().for_each(|(channel, row)| row[channel / size] = 1.0);
    device.upload(units * size, units, &values).await.map(Some)
}

/// Sum of the diagonal of a square matrix.
async fn trace(device: &Device, matrix: &Tensor) -> Result<f64> {
    let side = matrix.rows();
    let mut identity = vec![0.0; side * side];
    identity.iter_mut().step_by(side + 1).for_each(|value| *value = 1.0);
    device.dot(matrix, &device.upload(side, side, &identity).await?).await
}
