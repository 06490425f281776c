//! The next token from its logits: the largest, or a draw.

use crate::base::{Error, Random, Result};

/// How tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the largest (of equal ones that of the lowest id).
    pub temperature: f64,
    /// Only so many of the most probable tokens are drawn from; 0 is no limit.
    pub top_k: usize,
    /// Only the most probable tokens that together have this probability are drawn from (nucleus sampling, Holtzman et al.,
    /// 2020); 1 is no limit. Where `top_k` is given too, it is applied first.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Sampling {
    /// Fails with a sentence that names the option that makes no sense.
    pub fn check(&self) -> Result<()> {
        let Self { temperature, top_p, .. } = *self;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(Error::recipe(format!(
                "The temperature is {temperature}; give 0 for the most probable token each time, or a number above 0."
            )));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::recipe(format!("top-p is {top_p}; give a probability above 0 and at most 1.")));
        }
        Ok(())
    }
}

/// Draws tokens by one seeded stream of random numbers.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    random: Random,
}

impl Sampler {
    /// A sampler at the start of its stream.
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling, random: Random::new(sampling.seed) }
    }

    /// The next token's id.
    ///
    /// # Errors
    /// A logit is not finite.
    pub fn choose(&mut self, logits: &[f32]) -> Result<u32> {
        if logits.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Error::input("The model gives logits that are not finite; its weights are damaged or overflow."));
        }
        if self.sampling.temperature == 0.0 {
            return Ok(largest(logits));
        }
        let candidates = candidates(logits, &self.sampling);
        let mut left = self.random.uniform() * candidates.iter().map(|(_, weight)| weight).sum::<f64>();
        for &(id, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return Ok(id);
            }
        }
        // Rounding may leave a rest of the last weight's size.
        Ok(candidates.last().map_or(0, |&(id, _)| id))
    }
}

/// The lowest id of the largest logit.
fn largest(logits: &[f32]) -> u32 {
    logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (id, &logit)| if logit > best.1 { (id, logit) } else { best }).0 as u32
}

/// The tokens that may be drawn, each with a weight in proportion to its probability. By descending probability where some are cut
/// off, else by id.
fn candidates(logits: &[f32], sampling: &Sampling) -> Vec<(u32, f64)> {
    // The largest is taken off before the division: a small temperature then gives -inf, whose weight is 0, and never inf - inf.
    let top = f64::from(logits.iter().fold(f32::NEG_INFINITY, |top, &logit| top.max(logit)));
    let scaled = |logit: f32| if f64::from(logit) == top { 0.0 } else { (f64::from(logit) - top) / sampling.temperature };
    let mut found: Vec<(u32, f64)> = logits.iter().zip(0..).map(|(&logit, id)| (id, scaled(logit))).collect();
    let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let limit = if sampling.top_k == 0 { found.len() } else { sampling.top_k.min(found.len()) };
    if limit < found.len() {
        found.select_nth_unstable_by(limit, order);
        found.truncate(limit);
    }
    if limit < logits.len() || sampling.top_p < 1.0 {
        found.sort_unstable_by(order);
    }
    found.iter_mut().for_each(|(_, value)| *value = value.exp());
    if sampling.top_p < 1.0 {
        let wanted = sampling.top_p * found.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut sum = 0.0;
        let enough = found.iter().position(|(_, weight)| {
            sum += weight;
            sum >= wanted
        });
        found.truncate(enough.map_or(found.len(), |last| last + 1));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 0 };

    /// Logits of the probabilities 0.1, 0.4, 0.2, 0.3.
    fn logits() -> Vec<f32> {
        [0.1f32, 0.4, 0.2, 0.3].iter().map(|p| p.ln() + 5.0).collect()
    }

    fn ids(sampling: Sampling) -> Vec<u32> {
        candidates(&logits(), &sampling).into_iter().map(|(id, _)| id).collect()
    }

    fn shares(sampling: Sampling, draws: usize) -> [f64; 4] {
        let mut sampler = Sampler::new(sampling);
        let mut shares = [0.0; 4];
        for _ in 0..draws {
            shares[sampler.choose(&logits()).unwrap() as usize] += 1.0 / draws as f64;
        }
        shares
    }

    #[test]
    fn limits_keep_the_most_probable() {
        assert_eq!(ids(ALL), [0, 1, 2, 3]);
        assert_eq!(ids(Sampling { top_k: 2, ..ALL }), [1, 3]);
        assert_eq!(ids(Sampling { top_k: 9, ..ALL }), [0, 1, 2, 3]);
        assert_eq!(ids(Sampling { top_p: 0.39, ..ALL }), [1]);
        assert_eq!(ids(Sampling { top_p: 0.69, ..ALL }), [1, 3]);
        assert_eq!(ids(Sampling { top_p: 0.71, ..ALL }), [1, 3, 2]);
        assert_eq!(ids(Sampling { top_p: 1e-9, ..ALL }), [1]);
        // Of the two that top_k leaves, the first has 4/7.
        assert_eq!(ids(Sampling { top_k: 2, top_p: 0.57, ..ALL }), [1]);
        assert_eq!(ids(Sampling { top_k: 2, top_p: 0.58, ..ALL }), [1, 3]);
        let equal = candidates(&[1.0, 2.0, 2.0, 2.0], &Sampling { top_k: 2, ..ALL });
        assert_eq!(equal.iter().map(|&(id, _)| id).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn draws_have_the_probabilities_of_the_temperature() {
        // The standard deviation of a share of 20,000 draws is at most 0.0035.
        for (temperature, power) in [(1.0, 1.0), (0.5, 2.0), (2.0, 0.5)] {
            let weights = [0.1f64, 0.4, 0.2, 0.3].map(|p| p.powf(power));
            let total: f64 = weights.iter().sum();
            let found = shares(Sampling { temperature, ..ALL }, 20_000);
            for (found, weight) in found.iter().zip(weights) {
                assert!((found - weight / total).abs() < 0.02, "{found} is not {}", weight / total);
            }
        }
        let found = shares(Sampling { top_k: 3, top_p: 0.7, ..ALL }, 20_000);
        assert!(found[0] == 0.0 && found[2] == 0.0 && (found[1] - 4.0 / 7.0).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn a_seed_gives_the_same_tokens_and_another_seed_others() {
        let tokens = |seed| -> Vec<u32> {
            let mut sampler = Sampler::new(Sampling { seed, ..ALL });
            (0..50).map(|_| sampler.choose(&logits()).unwrap()).collect()
        };
        assert_eq!(tokens(3), tokens(3));
        assert_ne!(tokens(3), tokens(4));
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_largest() {
        let mut greedy = Sampler::new(Sampling { temperature: 0.0, ..ALL });
        assert_eq!(greedy.choose(&[1.0, 3.0, 3.0, -2.0]).unwrap(), 1);
        // So small that all but the largest vanish, and nothing overflows.
        for temperature in [1e-300, 1e-310, 5e-324] {
            assert_eq!(Sampler::new(Sampling { temperature, ..ALL }).choose(&[1.0, 3.0, 2.0]).unwrap(), 1);
            assert_eq!(candidates(&[-1.0, -3.0], &Sampling { temperature, ..ALL }), [(0, 1.0), (1, 0.0)]);
        }
        assert!(greedy.choose(&[1.0, f32::NAN]).unwrap_err().to_string().contains("not finite"));
    }

    #[test]
    fn options_without_sense_are_named() {
        for (sampling, word) in [
            (Sampling { temperature: -1.0, ..ALL }, "temperature"),
            (Sampling { temperature: f64::NAN, ..ALL }, "temperature"),
            (Sampling { top_p: 0.0, ..ALL }, "top-p"),
            (Sampling { top_p: 1.5, ..ALL }, "top-p"),
        ] {
            assert!(sampling.check().unwrap_err().to_string().contains(word));
        }
        assert!(ALL.check().is_ok());
    }
}
