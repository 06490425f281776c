//! The sweep of SparseGPT over the columns of a weight matrix, 128 at a time: inside of these on the host in f64, what follows for the
//! columns to the right by one product on the device.

use super::{Updated, WeightProblem};
use crate::allocate::sparsity::{Mask, pick, smallest, spread};
use crate::base::{Error, Pace, Result};
use crate::device::Op;
use crate::score::weights::{Group, RowScores, SWEPT_COLUMNS};
use std::ops::Range;

/// R inside of the columns that are swept, [width, width].
struct Corner {
    width: usize,
    values: Vec<f64>,
}

/// Zeros and updated weights: zeros are chosen on the way where the scores are the sweep's own, and before it otherwise.
pub(super) async fn sweep(problem: &WeightProblem<'_>) -> Result<Updated> {
    let WeightProblem { device, outputs, inputs, target, .. } = *problem;
    let factor = problem.factor.ok_or_else(|| Error::internal("a sweep without a factor"))?;
    let mut mask = if problem.swept_scores { Mask::new(outputs, inputs) } else { problem.picked() };
    let mut weight = problem.weight.to_vec();
    // Turned, so that the columns to come are whole rows.
    let turned: Vec<f32> = (0..inputs).flat_map(|input| (0..outputs).map(move |output| problem.weight[output * inputs + input])).collect();
    let mut rest = device.upload(inputs, outputs, &turned).await?;
    drop(turned);
    let mut pace = Pace::new(device.cancel());
    for first in (0..inputs).step_by(SWEPT_COLUMNS) {
        let columns = first..(first + SWEPT_COLUMNS).min(inputs);
        let width = columns.len();
        let current = device.read_rows(&rest, 0..width).await?;
        let mut block = vec![0.0; outputs * width];
        for (place, row) in block.chunks_exact_mut(width).enumerate() {
            row.iter_mut().enumerate().for_each(|(column, value)| *value = f64::from(current[column * outputs + place]));
        }
        let rows: Vec<u32> = (columns.start as u32..columns.end as u32).collect();
        let corner = device.read(&device.select(factor, Some(&rows), Some(&rows)).await?).await?;
        let corner = Corner { width, values: corner.into_iter().map(f64::from).collect() };
        if problem.swept_scores && target.pattern.groups.is_none() {
            choose(problem, &block, &corner, columns.clone(), &mut mask);
        }
        let dead: Vec<bool> = columns.clone().map(|input| problem.sums.squares.get(input).is_some_and(|square| *square == 0.0)).collect();
        let groups = target.pattern.groups.filter(|_| problem.swept_scores);
        let mut errors = vec![0f32; outputs * width];
        for (output, (row, errors)) in block.chunks_exact_mut(width).zip(errors.chunks_exact_mut(width)).enumerate() {
            if output % 64 == 0 {
                pace.step().await?;
            }
            let zeros = &mut mask.row_mut(output)[columns.clone()];
            sweep_row(row, zeros, errors, &corner, groups, &dead);
            let into = &mut weight[output * inputs..][columns.clone()];
            into.iter_mut().zip(row).for_each(|(into, value)| *into = *value as f32);
        }
        if columns.end < inputs {
            let later: Vec<u32> = (columns.end as u32..inputs as u32).collect();
            let beside = device.select(factor, Some(&rows), Some(&later)).await?;
            let errors = device.upload(outputs, width, &errors).await?;
            let change = device.matmul(&beside, Op::T, &errors, Op::T).await?;
            let left: Vec<u32> = (width as u32..rest.rows() as u32).collect();
            rest = device.add(&device.select(&rest, Some(&left), None).await?, &change, -1.0).await?;
        }
    }
    Ok(Updated { mask, weight })
}

/// Chooses the zeros of some columns by what their weights are now.
fn choose(problem: &WeightProblem<'_>, block: &[f64], corner: &Corner, columns: Range<usize>, mask: &mut Mask) {
    let WeightProblem { outputs, inputs, target, .. } = *problem;
    let width = columns.len();
    let costs: Vec<f64> = columns
        .clone()
        .enumerate()
        .map(|(place, input)| match problem.sums.squares.get(input) {
            // Weights of inputs that are always zero do nothing.
            Some(square) if *square == 0.0 => 0.0,
            _ => corner.values[place * width + place].powi(-2),
        })
        .collect();
    let scores: RowScores<'_> = Box::new(|output, scores| {
        let values = block[output * width..(output + 1) * width].iter().zip(&costs);
        scores.iter_mut().zip(values).for_each(|(score, (value, cost))| *score = value * value * cost);
    });
    let share = |zeros: usize| spread(zeros, columns.start, columns.end, inputs);
    let rows = target.rows.as_ref().map(|rows| rows.iter().map(|&zeros| share(zeros)).collect());
    let part = super::Target { zeros: share(target.zeros), rows, group: Group::Matrix, ..*target };
    let chosen = pick(&scores, outputs, width, &part);
    (0..outputs).for_each(|output| mask.row_mut(output)[columns.clone()].copy_from_slice(chosen.row(output)));
}

/// One row: each weight that goes leaves an error, which those to the right of it make up for.
fn sweep_row(row: &mut [f64], zeros: &mut [bool], errors: &mut [f32], corner: &Corner, groups: Option<(usize, usize)>, dead: &[bool]) {
    let width = corner.width;
    for column in 0..width {
        if let Some((count, size)) = groups
            && column % size == 0
        {
            let end = (column + size).min(width);
            let cost = |place: usize| if dead[place] { 0.0 } else { corner.values[place * width + place].powi(-2) };
            let scores: Vec<f64> = (column..end).map(|place| row[place] * row[place] * cost(place)).collect();
            smallest(&scores, count, &mut zeros[column..end]);
        }
        if !zeros[column] {
            continue;
        }
        let own = &corner.values[column * width..(column + 1) * width];
        let error = row[column] / own[column];
        row[column] = 0.0;
        errors[column] = error as f32;
        row[column + 1..].iter_mut().zip(&own[column + 1..]).for_each(|(value, factor)| *value -= error * factor);
    }
}
