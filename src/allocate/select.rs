//! The best units by score, with ties broken by index, and the calls that were close.

use crate::model::{Structure, Unit};
use crate::score::{Removal, Scores};
use serde::Serialize;

/// Relative error that scores may have from f32 statistics on another device; a unit nearer to the cut than this is a close call.
pub const STATISTIC_ERROR: f64 = 1e-4;

/// A unit that another device might have decided otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CloseCall {
    /// Layer, from 0; absent where the unit runs through all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Kind of unit; a layer is a unit of its own.
    pub unit: Structure,
    /// Index of the unit.
    pub index: u32,
    /// Whether it was kept.
    pub kept: bool,
}

/// Indices of the `keep` units that matter most, ascending, and the close calls among all.
pub fn select(scores: &Scores, keep: usize, layer: usize, unit: Unit) -> (Vec<u32>, Vec<CloseCall>) {
    let scores = match scores {
        Scores::Independent(scores) => scores,
        Scores::Curve(curve) => return select_from_curve(curve, keep, layer, unit),
    };
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
    let (kept, removed) = order.split_at(keep.min(order.len()));
    let mut close = Vec::new();
    if let (Some(&last), Some(&next)) = (kept.last(), removed.first()) {
        let (last, next) = (scores[last as usize], scores[next as usize]);
        let margin = STATISTIC_ERROR * last.abs().max(next.abs());
        // Kept units close to the best removed one, and removed units close to the worst kept one.
        let call = |&index: &u32, kept| CloseCall { layer: Some(layer), unit: unit.into(), index, kept };
        close.extend(kept.iter().filter(|&&i| scores[i as usize] - next <= margin).map(|i| call(i, true)));
        close.extend(removed.iter().filter(|&&i| last - scores[i as usize] <= margin).map(|i| call(i, false)));
    }
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    (kept, close)
}

/// What is left when a removal curve is walked until `keep` units are left. Where the next step costs nearly what the last one
/// did, the two units may change places on another device.
fn select_from_curve(curve: &[Removal], keep: usize, layer: usize, unit: Unit) -> (Vec<u32>, Vec<CloseCall>) {
    let cut = curve.len().saturating_sub(keep);
    let (removed, left) = curve.split_at(cut);
    let mut close = Vec::new();
    if let (Some(last), Some(next)) = (removed.last(), left.first())
        && (next.cost - last.cost).abs() <= STATISTIC_ERROR * last.cost.abs().max(next.cost.abs())
    {
        close.push(CloseCall { layer: Some(layer), unit: unit.into(), index: next.unit, kept: true });
        close.push(CloseCall { layer: Some(layer), unit: unit.into(), index: last.unit, kept: false });
    }
    let mut kept: Vec<u32> = left.iter().map(|removal| removal.unit).collect();
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
    fn walks_a_curve() {
        let step = |unit, cost| Removal { unit, cost };
        let curve = Scores::Curve(vec![step(2, 1.0), step(0, 3.0), step(1, 3.000_1), step(3, 9.0)]);
        let of = |keep| {
            let (kept, close) = select(&curve, keep, 0, Unit::Neurons);
            (kept, close.iter().map(|call| (call.index, call.kept)).collect::<Vec<_>>())
        };
        assert_eq!(of(3), (vec![0, 1, 3], vec![]));
        assert_eq!(of(2), (vec![1, 3], vec![(1, true), (0, false)]));
        assert_eq!(of(4), (vec![0, 1, 2, 3], vec![]));
    }

    #[test]
    fn lists_close_calls_only() {
        assert_eq!(of(&[1.0, 1.000_05, 2.0], 2), (vec![1, 2], vec![1, 0]));
        assert_eq!(of(&[1.0, 1.001, 2.0], 2), (vec![1, 2], vec![]));
    }
}
