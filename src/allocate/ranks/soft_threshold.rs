//! Soft thresholds on singular values (SoftLMs, Bhatnagar et al., 2024): one threshold a layer, learned, decides its rank.
//!
//! The gate is that of the authors' later code (STAR-KV, 2026): f(σ) = σ tanh(s (σ - α)) above the threshold α and 0 below, with
//! α = 0 at first. There the weights are trained with it on the model's own loss; here nothing is trained but α, on the weighted error
//! of the layers' outputs, Σ w gain (1 - f(σ)/σ)², whose gradient is known in closed form, and on the price of the parameters behind
//! open gates. The price rises while the ranks are above the budget, and falls while they are below it. Then the thresholds are frozen,
//! the ranks are #{σ > α}, and the values above are kept as they are, since for a given rank the projection is what has the least error.
//!
//! The published sharpness s = 50 lets a threshold feel only what lies within 0.04 root mean squares above it, so that it stops for
//! good in the first wider gap between values. The sharpness begins at a tenth of that.

use super::{RankAllocation, RankRequest, Ranks, greedy};
use crate::score::Spectrum;

/// Sharpness of the gate at first and at last, on singular values relative to their root mean square.
const SHARPNESS: [f64; 2] = [5.0, 50.0];
/// Adam's step, decay of the means of gradients and of their squares (Kingma and Ba, 2015).
const STEP: f64 = 4e-3;
const MEANS: [f64; 2] = [0.9, 0.99];
/// Steps with the price following the budget.
const STEPS: usize = 1500;
/// Growth of the price by the step, in logarithms, where all parameters are too many.
const FOLLOW: f64 = 0.2;
/// How the price rises by the step after that until the budget is met, and for how many at most.
const RISE: f64 = 1.02;
const CLOSING: usize = 2000;

pub(super) struct SoftThreshold;

impl RankAllocation for SoftThreshold {
    fn name(&self) -> &'static str {
        "soft_threshold"
    }

    fn title(&self) -> &'static str {
        "Soft threshold"
    }

    fn summary(&self) -> &'static str {
        "A learned threshold a layer closes gates on singular values until the budget is met (SoftLMs, without training weights)."
    }

    fn ranks(&self, request: &RankRequest<'_>) -> Ranks {
        let mut gates: Vec<Gate> = request
            .spectra
            .iter()
            .zip(request.weights)
            .map(|(spectrum, &weight)| Gate::new(spectrum, weight, request.least(spectrum)))
            .collect();
        // A price at which no gate would close.
        let dear = gates.iter().flat_map(Gate::worths).filter(|&worth| worth > 0.0).fold(f64::INFINITY, f64::min);
        let mut price = if dear.is_finite() { dear / 2.0 } else { 1.0 };
        let mut ranks: Ranks = Vec::new();
        let all: usize = request.spectra.iter().map(Spectrum::dense).sum();
        for step in 1..=STEPS + CLOSING {
            ranks = gates.iter().map(Gate::rank).collect();
            let over = greedy::spent(request, &ranks) as f64 - request.budget() as f64;
            let sharpness = SHARPNESS[0] * (SHARPNESS[1] / SHARPNESS[0]).powf((step as f64 / STEPS as f64).min(1.0));
            if step <= STEPS {
                price *= (FOLLOW * over / all.max(1) as f64).exp();
            } else if over > 0.0 {
                price *= RISE;
            } else {
                break;
            }
            gates.iter_mut().for_each(|gate| gate.learn(price, sharpness, step as i32));
        }
        if greedy::spent(request, &ranks) > request.budget() {
            ranks = request.spectra.iter().map(|spectrum| Some(request.least(spectrum))).collect();
        }
        // The step that met the budget may have gone below it.
        greedy::spend(request, &mut ranks);
        ranks
    }
}

/// One layer's threshold.
struct Gate {
    /// Singular values over their root mean square.
    values: Vec<f64>,
    /// Weighted error energy behind each.
    gains: Vec<f64>,
    cost: f64,
    dense: usize,
    least: usize,
    alpha: f64,
    moments: [f64; 2],
}

impl Gate {
    fn new(spectrum: &Spectrum, weight: f64, least: usize) -> Self {
        let mean = spectrum.values.iter().map(|value| value * value).sum::<f64>() / spectrum.values.len().max(1) as f64;
        let scale = if mean > 0.0 { 1.0 / mean.sqrt() } else { 0.0 };
        Self {
            values: spectrum.values.iter().map(|value| value * scale).collect(),
            gains: spectrum.gains.iter().map(|gain| weight * gain).collect(),
            cost: spectrum.cost(1) as f64,
            dense: spectrum.dense(),
            least,
            alpha: 0.0,
            moments: [0.0; 2],
        }
    }

    /// Error by the parameter behind each value.
    fn worths(&self) -> impl Iterator<Item = f64> {
        self.gains.iter().map(|gain| gain / self.cost)
    }

    /// The rank above the threshold; none where it does not pay, and the weight is merged back.
    fn rank(&self) -> Option<usize> {
        let rank = self.values.iter().filter(|&&value| value > self.alpha).count();
        // All values are those of ranks that pay: where all are open, those that do not pay are too.
        let open = rank == self.values.len() || rank as f64 * self.cost >= self.dense as f64;
        (!open).then_some(rank.max(self.least))
    }

    /// One step of Adam along the gradient of error and price by the threshold.
    fn learn(&mut self, price: f64, sharpness: f64, step: i32) {
        let mut gradient = 0.0;
        for (&value, &gain) in self.values.iter().zip(&self.gains).filter(|&(&value, _)| value > self.alpha) {
            let open = (sharpness * (value - self.alpha)).tanh();
            // d tanh / d alpha.
            let closing = -sharpness * (1.0 - open * open);
            gradient += closing * (price * self.cost - 2.0 * gain * (1.0 - open));
        }
        let [first, second] = MEANS;
        self.moments =
            [first * self.moments[0] + (1.0 - first) * gradient, second * self.moments[1] + (1.0 - second) * gradient * gradient];
        let mean = self.moments[0] / (1.0 - first.powi(step));
        let square = self.moments[1] / (1.0 - second.powi(step));
        if square > 0.0 {
            self.alpha = (self.alpha - STEP * mean / square.sqrt()).max(0.0);
        }
    }
}
