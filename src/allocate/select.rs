//! The best units by score, with ties broken by index, and the calls that were close.

use crate::model::Unit;
use crate::score::Scores;
use serde::Serialize;

/// Relative error that scores may have from f32 statistics on another device; a unit nearer to the cut than this is a close call.
pub const STATISTIC_ERROR: f64 = 1e-4;

/// A unit that another device might have decided otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CloseCall {
    /// Layer, from 0.
    pub layer: usize,
    /// Kind of unit.
    pub unit: Unit,
    /// Index of the unit.
    pub index: u32,
    /// Whether it was kept.
    pub kept: bool,
}

/// Indices of the `keep` units that matter most, ascending, and the close calls among all.
pub fn select(scores: &Scores, keep: usize, layer: usize, unit: Unit) -> (Vec<u32>, Vec<CloseCall>) {
    let Scores::Independent(scores) = scores;
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
    let (kept, removed) = order.split_at(keep.min(order.len()));
    let mut close = Vec::new();
    if let (Some(&last), Some(&next)) = (kept.last(), removed.first()) {
        let (last, next) = (scores[last as usize], scores[next as usize]);
        let margin = STATISTIC_ERROR * last.abs().max(next.abs());
        // Kept units close to the best removed one, and removed units close to the worst kept one.
        let call = |&index: &u32, kept| CloseCall { layer, unit, index, kept };
        close.extend(kept.iter().filter(|&&i| scores[i as usize] - next <= margin).map(|i| call(i, true)));
        close.extend(removed.iter().filter(|&&i| last - scores[i as usize] <= margin).map(|i| call(i, false)));
    }
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    (kept, close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &[f64], keep: usize) -> (Vec<u32>, Vec<u32>) {
        let (kept, close) = select(&Scores::Independent(scores.to_vec()), keep, 0, Unit::Heads);
        (kept, close.iter().map(|call| call.index).collect())
    }

    #[test]
    fn keeps_the_best_and_breaks_ties_by_index() {
        assert_eq!(of(&[1.0, 5.0, 3.0, 4.0], 2), (vec![1, 3], vec![]));
        assert_eq!(of(&[2.0, 2.0, 2.0, 9.0], 2), (vec![0, 3], vec![0, 1, 2]));
        assert_eq!(of(&[1.0, 2.0], 2), (vec![0, 1], vec![]));
    }

    #[test]
    fn lists_close_calls_only() {
        assert_eq!(of(&[1.0, 1.000_05, 2.0], 2), (vec![1, 2], vec![1, 0]));
        assert_eq!(of(&[1.0, 1.001, 2.0], 2), (vec![1, 2], vec![]));
    }
}
