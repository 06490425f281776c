//! What the outputs of a linear layer on some tokens become while the weights of each row go, one after another in the order of their
//! scores: sums from which every measure of every allocation of zeros to rows follows without another product.

use super::pick::keys;
use crate::base::{Pace, Result};
use crate::device::{Device, Tensor};
use crate::score::weights::RowScores;

/// Numbers of zeros at which the sums are kept: at each up to this many inputs, else at evenly spread ones, with straight lines between.
const POINTS: usize = 256;
/// Values that the device is given at once.
const PIECE: usize = 1 << 21;

/// Sums of each row at growing numbers of zeros.
///
/// They are of what is lost, l = y - ŷ, where y is the row's output on the tokens and ŷ what is left of it: where little has gone they are
/// small, so that f32 on a device loses nothing to cancellation.
#[derive(Debug, Clone)]
pub struct PrefixCurves {
    /// Inputs, which is the most zeros of a row.
    pub inputs: usize,
    /// Zeros between two points.
    step: usize,
    /// Points of a row.
    points: usize,
    /// <y, l> and |l|², [rows, points].
    sums: Vec<[f64; 2]>,
}

impl PrefixCurves {
    /// Walks every row. `weight` is [rows, inputs]; `tokens` [inputs, count].
    ///
    /// # Errors
    /// The run was cancelled, or the device fails.
    pub async fn new(device: &Device, weight: &[f32], inputs: usize, scores: &RowScores<'_>, tokens: &Tensor) -> Result<Self> {
        let step = step(inputs);
        let points = inputs.div_ceil(step) + 1;
        let at_once = rows_at_once(inputs, tokens.cols());
        let mut sums = Vec::with_capacity(weight.len() / inputs.max(1) * points);
        let mut row_scores = vec![0.0; inputs];
        let mut pace = Pace::new(device.cancel());
        for (piece, values) in weight.chunks((at_once * inputs).max(1)).enumerate() {
            let rows = values.len() / inputs.max(1);
            let mut order = Vec::with_capacity(values.len());
            for row in 0..rows {
                pace.step().await?;
                scores(piece * at_once + row, &mut row_scores);
                let mut keys = keys(&row_scores);
                keys.sort_unstable();
                order.extend(keys.into_iter().map(|(_, input)| input));
            }
            let part = device.upload(rows, inputs, values).await?;
            for row in device.prefix_sums(&part, &order, tokens, step).await?.chunks_exact((points - 1).max(1)) {
                sums.push([0.0; 2]);
                sums.extend(row);
            }
        }
        Ok(Self { inputs, step, points, sums })
    }

    /// Most bytes in f32 while curves of a layer are made on so many tokens, beside the tokens.
    pub fn bytes(outputs: usize, inputs: usize, count: usize) -> usize {
        let rows = outputs.min(rows_at_once(inputs, count));
        // Weights, their order, outputs, and two sums a point.
        4 * rows * (2 * inputs + count + 2 * inputs.div_ceil(step(inputs)))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.sums.len() / self.points.max(1)
    }

    /// <y, ŷ> and |ŷ|² of a row with so many zeros.
    pub fn at(&self, row: usize, zeros: usize) -> (f64, f64) {
        let (own, [dot, square]) = (self.own(row), self.lost(row, zeros));
        (own - dot, own - 2.0 * dot + square)
    }

    /// <y, l> and |l|² of a row with so many zeros.
    fn lost(&self, row: usize, zeros: usize) -> [f64; 2] {
        let zeros = zeros.min(self.inputs);
        let start = row * self.points + zeros / self.step;
        let past = zeros % self.step;
        if past == 0 || zeros == self.inputs {
            return self.sums[if zeros == self.inputs { (row + 1) * self.points - 1 } else { start }];
        }
        // The last stretch may be shorter.
        let length = self.step.min(self.inputs - zeros / self.step * self.step);
        let share = past as f64 / length as f64;
        let (here, next) = (self.sums[start], self.sums[start + 1]);
        [0, 1].map(|which| here[which] + share * (next[which] - here[which]))
    }

    /// |y|² of a row.
    pub fn own(&self, row: usize) -> f64 {
        self.sums[(row + 1) * self.points - 1][1]
    }

    /// |y - ŷ|² of a row at its points, with the numbers of zeros.
    pub fn errors(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let sums = &self.sums[row * self.points..(row + 1) * self.points];
        sums.iter().enumerate().map(|(point, sums)| ((point * self.step).min(self.inputs), sums[1]))
    }

    /// Squared error of an allocation of zeros to rows.
    pub fn error(&self, zeros: &[usize]) -> f64 {
        zeros.iter().enumerate().map(|(row, &zeros)| self.lost(row, zeros)[1]).sum()
    }
}

/// Zeros between two points.
fn step(inputs: usize) -> usize {
    inputs.div_ceil(POINTS).max(1)
}

/// Rows that the device is given at once, with so many tokens.
fn rows_at_once(inputs: usize, count: usize) -> usize {
    (PIECE / inputs.max(count).max(1)).max(1)
}
