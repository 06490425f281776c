//! What a sublayer takes by its width, as measured.

use crate::model::Unit;
use serde::{Deserialize, Serialize};

/// Time of a block's attention and of its FFN by the number of units that are left in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyTable {
    /// Tokens in the batch that was timed.
    pub tokens: usize,
    /// Heads and seconds, by ascending heads.
    pub heads: Vec<(usize, f64)>,
    /// Neurons and seconds, by ascending neurons.
    pub neurons: Vec<(usize, f64)>,
}

impl LatencyTable {
    /// A table of measured times, [units, seconds] by ascending units; where more units took less time, both take their mean.
    pub(super) fn new(tokens: usize, heads: Vec<(usize, f64)>, neurons: Vec<(usize, f64)>) -> Self {
        Self { tokens, heads: monotone(heads), neurons: monotone(neurons) }
    }

    /// Seconds with `count` units: linear between what was measured, constant outside.
    pub(super) fn seconds(&self, unit: Unit, count: usize) -> f64 {
        let points = match unit {
            Unit::Heads => &self.heads,
            Unit::Neurons => &self.neurons,
        };
        let above = points.partition_point(|&(units, _)| units < count);
        match (above.checked_sub(1).and_then(|below| points.get(below)), points.get(above)) {
            (Some(&(left, from)), Some(&(right, to))) => from + (to - from) * (count - left) as f64 / (right - left) as f64,
            (Some(&(_, seconds)), None) | (None, Some(&(_, seconds))) => seconds,
            (None, None) => 0.0,
        }
    }
}

/// Least squares among sequences that do not fall: neighbours that do are pooled (Ayer et al., 1955).
fn monotone(points: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for &(_, seconds) in &points {
        let mut pool = (seconds, 1);
        while let Some((mean, count)) = pools.pop_if(|(mean, _)| *mean > pool.0) {
            let all = count + pool.1;
            pool = ((mean * count as f64 + pool.0 * pool.1 as f64) / all as f64, all);
        }
        pools.push(pool);
    }
    let fitted = pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    points.iter().zip(fitted).map(|(&(units, _), seconds)| (units, seconds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_do_not_fall_and_are_linear_between() {
        let table = LatencyTable::new(8, vec![(1, 2.0), (2, 1.0), (4, 3.0)], vec![(1, 1.0), (5, 4.0), (9, 3.0), (13, 2.0)]);
        assert_eq!(table.heads, [(1, 1.5), (2, 1.5), (4, 3.0)]);
        assert_eq!(table.neurons, [(1, 1.0), (5, 3.0), (9, 3.0), (13, 3.0)]);
        let heads = |count| table.seconds(Unit::Heads, count);
        assert_eq!([0, 1, 2, 3, 4, 5].map(heads), [1.5, 1.5, 1.5, 2.25, 3.0, 3.0]);
        assert_eq!([2, 3, 4].map(|count| table.seconds(Unit::Neurons, count)), [1.5, 2.0, 2.5]);
    }
}
