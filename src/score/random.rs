//! Random: a baseline that every other criterion should beat.
//!
//! The scores of a consumer are uniform draws from a generator whose seed is the calibration's, xor the first output of the
//! generator for the consumer's number 2 * layer + (0 for heads, 1 for neurons); so no consumer's draws depend on what else is scored.

use super::{Criterion, Scores, Site};
use crate::base::{LocalFuture, Random as Generator, Result};
use crate::calibrate::Needs;
use crate::model::Unit;

pub(super) struct Random;

impl Criterion for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn title(&self) -> &'static str {
        "Random"
    }

    fn summary(&self) -> &'static str {
        "Units at random, by the calibration's seed: what any other criterion should beat."
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move { Ok(Scores::Independent(draws(site.seed, site.layer, site.unit, site.units()))) })
    }
}

fn draws(seed: u64, layer: usize, unit: Unit, count: usize) -> Vec<f64> {
    let number = 2 * layer as u64 + unit as u64;
    let mut random = Generator::new(seed ^ Generator::new(number).next_u64());
    (0..count).map(|_| random.uniform()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumers_and_seeds_differ_and_repeat() {
        let of = |seed, layer, unit| draws(seed, layer, unit, 9);
        let all = [of(0, 0, Unit::Heads), of(0, 0, Unit::Neurons), of(0, 1, Unit::Heads), of(0, 1, Unit::Neurons), of(1, 0, Unit::Heads)];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| one != other));
            assert!(one.iter().all(|draw| (0.0..1.0).contains(draw)));
        }
        assert_eq!(of(0, 1, Unit::Neurons), all[3]);
        assert_eq!(draws(0, 1, Unit::Neurons, 4), all[3][..4]);
    }
}
