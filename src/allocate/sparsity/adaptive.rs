//! The variant of Wanda (Sun et al., 2024, their `use_variant`): every row loses the weights that together have the same share of its
//! scores.

use super::pick::threshold;
use super::{RowBudget, Rows};
use crate::base::Result;

pub(super) struct Adaptive;

impl RowBudget for Adaptive {
    fn name(&self) -> &'static str {
        "adaptive"
    }

    fn title(&self) -> &'static str {
        "Row-adaptive"
    }

    fn summary(&self) -> &'static str {
        "Every row loses the same share of its scores: rows with many small ones become sparser (Wanda's variant, 2024)."
    }

    /// The share at which so many weights go in all is found exactly: it is one of those that the weights' own sums have.
    fn rows(&self, rows: &Rows<'_>) -> Result<Vec<usize>> {
        let mut scores = vec![0.0; rows.inputs];
        let mut shares = |row: usize, seen: &mut dyn FnMut(f64)| {
            (rows.scores)(row, &mut scores);
            scores.sort_unstable_by(f64::total_cmp);
            let total: f64 = scores.iter().sum();
            let mut sum = 0.0;
            for score in &scores {
                sum += score;
                seen(if total > 0.0 { sum / total } else { 0.0 });
            }
        };
        let (limit, below) = threshold(rows.outputs, rows.zeros, &mut shares);
        let mut equal = rows.zeros - below;
        let mut zeros = vec![0; rows.outputs];
        for (row, zeros) in zeros.iter_mut().enumerate() {
            shares(row, &mut |share| {
                let key = share.to_bits();
                let taken = key < limit || (key == limit && equal > 0);
                equal -= usize::from(key == limit && equal > 0);
                *zeros += usize::from(taken);
            });
        }
        Ok(zeros)
    }
}
