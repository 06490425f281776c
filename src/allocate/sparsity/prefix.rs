//! What the outputs of a linear layer on some tokens become while the weights of each row go, one after another in the order of their
//! scores: sums from which every measure of every allocation of zeros to rows follows without another product.

use crate::base::{Pace, Result};
use crate::score::weights::RowScores;

/// Numbers of zeros at which the sums are kept: at each up to this many inputs, else at evenly spread ones, with straight lines between.
const POINTS: usize = 256;

/// Sums of each row at growing numbers of zeros.
#[derive(Debug, Clone)]
pub struct PrefixCurves {
    /// Inputs, which is the most zeros of a row.
    pub inputs: usize,
    /// Zeros between two points.
    step: usize,
    /// Points of a row.
    points: usize,
    /// <y, ŷ>, [rows, points]: y is the row's output on the tokens, ŷ what is left of it.
    dots: Vec<f64>,
    /// |ŷ|², [rows, points].
    squares: Vec<f64>,
}

impl PrefixCurves {
    /// Walks every row. `weight` is [rows, inputs]; `tokens` [inputs, count].
    ///
    /// # Errors
    /// The run was cancelled.
    pub async fn new(weight: &[f32], inputs: usize, scores: &RowScores<'_>, tokens: &[f64], pace: &mut Pace<'_>) -> Result<Self> {
        let count = tokens.len() / inputs.max(1);
        let step = inputs.div_ceil(POINTS).max(1);
        let points = inputs.div_ceil(step) + 1;
        let rows = weight.len() / inputs.max(1);
        let (mut dots, mut squares) = (Vec::with_capacity(rows * points), Vec::with_capacity(rows * points));
        let mut row_scores = vec![0.0; inputs];
        for (index, row) in weight.chunks_exact(inputs.max(1)).enumerate() {
            pace.step().await?;
            scores(index, &mut row_scores);
            let mut order: Vec<u32> = (0..inputs as u32).collect();
            order.sort_unstable_by(|a, b| row_scores[*a as usize].total_cmp(&row_scores[*b as usize]).then(a.cmp(b)));
            let mut own = vec![0.0; count];
            for (weight, token) in row.iter().zip(tokens.chunks_exact(count.max(1))) {
                subtract(&mut own, -f64::from(*weight), token);
            }
            let mut left = own.clone();
            let square = products(&own, &own).0;
            dots.push(square);
            squares.push(square);
            for chunk in order.chunks(step) {
                let (last, others) = chunk.split_last().map_or((0, &[][..]), |(last, others)| (*last as usize, others));
                for &input in others {
                    let input = input as usize;
                    subtract(&mut left, f64::from(row[input]), &tokens[input * count..(input + 1) * count]);
                }
                subtract(&mut left, f64::from(row[last]), &tokens[last * count..(last + 1) * count]);
                let (dot, square) = products(&own, &left);
                dots.push(dot);
                squares.push(square);
            }
        }
        Ok(Self { inputs, step, points, dots, squares })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.dots.len() / self.points.max(1)
    }

    /// <y, ŷ> and |ŷ|² of a row with so many zeros.
    pub fn at(&self, row: usize, zeros: usize) -> (f64, f64) {
        let zeros = zeros.min(self.inputs);
        let start = row * self.points + zeros / self.step;
        let here = (self.dots[start], self.squares[start]);
        let past = zeros % self.step;
        if past == 0 || zeros == self.inputs {
            let last = if zeros == self.inputs { (row + 1) * self.points - 1 } else { start };
            return (self.dots[last], self.squares[last]);
        }
        // The last stretch may be shorter.
        let length = self.step.min(self.inputs - zeros / self.step * self.step);
        let share = past as f64 / length as f64;
        (here.0 + share * (self.dots[start + 1] - here.0), here.1 + share * (self.squares[start + 1] - here.1))
    }

    /// |y|² of a row.
    pub fn own(&self, row: usize) -> f64 {
        self.dots[row * self.points]
    }

    /// |y - ŷ|² of a row at its points, with the numbers of zeros.
    pub fn errors(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let own = self.own(row);
        let range = row * self.points..(row + 1) * self.points;
        let values = self.dots[range.clone()].iter().zip(&self.squares[range]);
        values.enumerate().map(move |(point, (dot, square))| {
            // Rounding may leave less than nothing.
            ((point * self.step).min(self.inputs), (own - 2.0 * dot + square).max(0.0))
        })
    }

    /// Squared error of an allocation of zeros to rows.
    pub fn error(&self, zeros: &[usize]) -> f64 {
        let error = |(row, &zeros): (usize, &usize)| {
            let (dot, square) = self.at(row, zeros);
            self.own(row) - 2.0 * dot + square
        };
        zeros.iter().enumerate().map(error).sum()
    }
}

/// left -= weight * token.
fn subtract(left: &mut [f64], weight: f64, token: &[f64]) {
    left.iter_mut().zip(token).for_each(|(left, token)| *left -= weight * token);
}

/// <own, left> and <left, left>, in lanes that the compiler can vectorise.
fn products(own: &[f64], left: &[f64]) -> (f64, f64) {
    let (mut dots, mut squares) = ([0.0; 4], [0.0; 4]);
    let (own4, left4) = (own.chunks_exact(4), left.chunks_exact(4));
    let rest = own4.remainder().iter().zip(left4.remainder()).fold((0.0, 0.0), |(dot, square), (a, b)| (dot + a * b, square + b * b));
    for (own, left) in own4.zip(left4) {
        for lane in 0..4 {
            dots[lane] += own[lane] * left[lane];
            squares[lane] += left[lane] * left[lane];
        }
    }
    (dots.iter().sum::<f64>() + rest.0, squares.iter().sum::<f64>() + rest.1)
}
