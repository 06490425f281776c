//! The weights with the smallest scores; where scores are equal, those that come first in their row, and rows from the top.

use super::share::{even_rows, spread};
use super::{Mask, Pattern};
use crate::score::weights::{Group, RowScores};
use std::ops::Range;

/// How many weights of a matrix become zero, and where they may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Zeros in all.
    pub zeros: usize,
    /// Zeros of each row, where rows have budgets; they add up to `zeros`.
    pub rows: Option<Vec<usize>>,
    /// Where zeros may be.
    pub pattern: &'static Pattern,
    /// Among which weights they are chosen, where neither rows nor the pattern say it.
    pub group: Group,
}

/// Chooses zeros among weights [outputs, inputs] by their scores.
pub fn pick(scores: &RowScores<'_>, outputs: usize, inputs: usize, target: &Target) -> Mask {
    let mut mask = Mask::new(outputs, inputs);
    if let Some((zeros, size)) = target.pattern.groups {
        let mut row = vec![0.0; inputs];
        for output in 0..outputs {
            scores(output, &mut row);
            for (scores, zero) in row.chunks(size).zip(mask.row_mut(output).chunks_mut(size)) {
                smallest(scores, zeros, zero);
            }
        }
        return mask;
    }
    let rows = target.rows.clone().or_else(|| (target.group == Group::Row).then(|| even_rows(target.zeros, outputs, inputs)));
    if let Some(rows) = rows {
        let mut row = vec![0.0; inputs];
        for (output, zeros) in rows.into_iter().enumerate() {
            scores(output, &mut row);
            smallest(&row, zeros, mask.row_mut(output));
        }
        return mask;
    }
    let width = if let Group::Columns(width) = target.group { width } else { inputs };
    for first in (0..inputs).step_by(width.max(1)) {
        let columns = first..(first + width).min(inputs);
        let zeros = spread(target.zeros, columns.start, columns.end, inputs);
        pick_columns(scores, outputs, columns, zeros, &mut mask);
    }
    mask
}

/// Marks the `count` smallest of some scores.
pub fn smallest(scores: &[f64], count: usize, marks: &mut [bool]) {
    marks.fill(false);
    if count >= scores.len() {
        return marks.fill(true);
    }
    if count == 0 {
        return;
    }
    let mut keys = keys(scores);
    keys.select_nth_unstable(count - 1);
    keys[..count].iter().for_each(|&(_, index)| marks[index as usize] = true);
}

/// Scores as whole numbers that are ordered as they are (`f64::total_cmp`), each with its place, which decides between equal ones: pairs
/// that are sorted several times as fast as places by their scores.
pub(super) fn keys(scores: &[f64]) -> Vec<(i64, u32)> {
    let key = |score: &f64| {
        let bits = score.to_bits() as i64;
        bits ^ ((bits >> 63) as u64 >> 1) as i64
    };
    scores.iter().map(key).zip(0..).collect()
}

/// Marks the `count` smallest scores of some columns of all rows.
fn pick_columns(scores: &RowScores<'_>, outputs: usize, columns: Range<usize>, count: usize, mask: &mut Mask) {
    let mut row = vec![0.0; mask.inputs()];
    let (limit, below) = threshold(outputs, count, |output, seen| {
        scores(output, &mut row);
        row[columns.clone()].iter().for_each(|score| seen(*score));
    });
    let mut equal = count - below;
    let mut row = vec![0.0; mask.inputs()];
    for output in 0..outputs {
        scores(output, &mut row);
        let marks = &mut mask.row_mut(output)[columns.clone()];
        for (score, mark) in row[columns.clone()].iter().zip(marks) {
            let key = score.to_bits();
            *mark = key < limit || (key == limit && equal > 0);
            equal -= usize::from(key == limit && equal > 0);
        }
    }
}

/// The `count`th smallest score, as bits, and how many are smaller. Scores are not negative, so their bits are ordered as they are;
/// 16 bits are settled each time that all of them are seen, so that they need not be kept.
pub(super) fn threshold(rows: usize, count: usize, mut row: impl FnMut(usize, &mut dyn FnMut(f64))) -> (u64, usize) {
    let (mut prefix, mut below) = (0u64, 0);
    if count == 0 {
        return (0, 0);
    }
    for shift in [48, 32, 16, 0] {
        let mut counts = vec![0usize; 1 << 16];
        for index in 0..rows {
            row(index, &mut |score| {
                // Negative zero is zero.
                let key = (score + 0.0).to_bits();
                if shift == 48 || key >> (shift + 16) == prefix {
                    counts[(key >> shift) as usize & 0xffff] += 1;
                }
            });
        }
        let mut digit = 0;
        while digit < 0xffff && below + counts[digit] < count {
            below += counts[digit];
            digit += 1;
        }
        prefix = prefix << 16 | digit as u64;
    }
    (prefix, below)
}
