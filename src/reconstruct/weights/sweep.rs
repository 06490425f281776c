//! The sweep of SparseGPT over the columns of a weight matrix, 128 at a time, on the device. Where zeros are chosen among all rows of these
//! columns, the host does it, by what their weights have become.

use super::{Updated, WeightProblem};
use crate::allocate::sparsity::{Mask, smallest, spread};
use crate::base::{Error, Pace, Result};
use crate::device::{Device, Tensor, Zeros, is_marked, marks};
use crate::score::weights::SWEPT_COLUMNS;
use std::ops::Range;

/// Values that are turned at once.
const PIECE: usize = 1 << 22;

/// Zeros and updated weights: zeros are chosen on the way where the scores are the sweep's own, and before it otherwise.
pub(super) async fn sweep(problem: &WeightProblem<'_>) -> Result<Updated> {
    let WeightProblem { device, outputs, inputs, target, .. } = *problem;
    let factor = problem.factor.ok_or_else(|| Error::internal("a sweep without a factor"))?;
    let mut mask = if problem.swept_scores { Mask::new(outputs, inputs) } else { problem.picked() };
    let groups = target.pattern.groups.filter(|_| problem.swept_scores);
    // Weights of inputs that are always zero do nothing.
    let dead: Vec<bool> = (0..inputs).map(|input| problem.sums.squares.get(input).is_some_and(|square| *square == 0.0)).collect();
    let weight = turned(device, problem.weight, outputs, inputs).await?;
    let mut chosen = Vec::new();
    let mut pace = Pace::new(device.cancel());
    for first in (0..inputs).step_by(SWEPT_COLUMNS) {
        pace.step().await?;
        let columns = first..(first + SWEPT_COLUMNS).min(inputs);
        if let Some((count, size)) = groups {
            let zeros = Zeros::Groups { count, size, dead: &dead[columns.clone()] };
            chosen.push((columns.clone(), device.sweep_columns(&weight, factor, columns, zeros).await?));
            continue;
        }
        if problem.swept_scores {
            choose(problem, &device.read_rows(&weight, columns.clone()).await?, &dead, columns.clone(), &mut mask);
        }
        let words = marks(columns.len(), outputs, |output, column| mask.row(output)[first + column]);
        let words = device.upload(words.len() / outputs.max(1), outputs, &words).await?;
        device.sweep_columns(&weight, factor, columns, Zeros::Marked(&words)).await?;
    }
    // Only now, so that nobody waits for the device in between.
    for (columns, words) in chosen {
        let words = device.read(&words).await?;
        for output in 0..outputs {
            let zeros = mask.row_mut(output)[columns.clone()].iter_mut().enumerate();
            zeros.for_each(|(column, zero)| *zero = is_marked(&words, outputs, output, column));
        }
    }
    Ok(Updated { mask, weight: turned_back(device, &weight).await? })
}

/// The weights on the device, [inputs, outputs]: the columns that are swept, and those to come, are whole rows.
async fn turned(device: &Device, weight: &[f32], outputs: usize, inputs: usize) -> Result<Tensor> {
    let rows = async |inputs_now: Range<usize>| {
        Ok(inputs_now.flat_map(|input| (0..outputs).map(move |output| weight[output * inputs + input])).collect())
    };
    device.upload_by(inputs, outputs, PIECE / outputs.max(1), rows).await
}

/// The values of a turned matrix, [outputs, inputs].
async fn turned_back(device: &Device, weight: &Tensor) -> Result<Vec<f32>> {
    let (inputs, outputs) = (weight.rows(), weight.cols());
    let mut values = vec![0.0; inputs * outputs];
    let step = (PIECE / outputs.max(1)).max(1);
    for first in (0..inputs).step_by(step) {
        let rows = first..(first + step).min(inputs);
        let piece = device.read_rows(weight, rows.clone()).await?;
        for (output, row) in values.chunks_exact_mut(inputs.max(1)).enumerate() {
            row[rows.clone()].iter_mut().enumerate().for_each(|(place, value)| *value = piece[place * outputs + output]);
        }
    }
    Ok(values)
}

/// Chooses the zeros of some columns by what their weights, `current` [columns, outputs], are now.
fn choose(problem: &WeightProblem<'_>, current: &[f32], dead: &[bool], columns: Range<usize>, mask: &mut Mask) {
    let WeightProblem { outputs, inputs, target, roots, .. } = *problem;
    let cost = |input: usize| roots.get(input).filter(|_| !dead[input]).map_or(0.0, |root| root.powi(-2));
    let costs: Vec<f64> = columns.clone().map(cost).collect();
    let score = |output: usize| {
        move |(column, cost): (usize, &f64)| {
            let value = f64::from(current[column * outputs + output]);
            value * value * cost
        }
    };
    let share = |zeros: usize| spread(zeros, columns.start, columns.end, inputs);
    if let Some(rows) = &target.rows {
        for (output, &zeros) in rows.iter().enumerate() {
            let scores: Vec<f64> = costs.iter().enumerate().map(score(output)).collect();
            smallest(&scores, share(zeros), &mut mask.row_mut(output)[columns.clone()]);
        }
        return;
    }
    let scores: Vec<f64> = (0..outputs).flat_map(|output| costs.iter().enumerate().map(score(output))).collect();
    let mut zeros = vec![false; scores.len()];
    smallest(&scores, share(target.zeros), &mut zeros);
    for (output, zeros) in zeros.chunks_exact(columns.len()).enumerate() {
        mask.row_mut(output)[columns.clone()].copy_from_slice(zeros);
    }
}
