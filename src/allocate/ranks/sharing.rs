//! Which layers share the factor that reads their input, by one price of a parameter for the whole model.

use super::RankRequest;
use crate::score::Spectrum;

/// Steps of the bisection: far below the price between two ranks.
const STEPS: usize = 80;

/// Layers with one input: each for itself, and as one. Pairs of a spectrum and of what a unit of its error energy costs.
pub struct Sharing<'a> {
    /// Of each layer.
    pub apart: Vec<(&'a Spectrum, f64)>,
    /// Of all of them, sharing a factor.
    pub joint: (&'a Spectrum, f64),
}

/// Which of these layers are to share a factor: those where w E + λ cost, the least of all ranks and of the dense weight, is lower jointly, at
/// the least price λ with which the model keeps to the budget of kept · Σ m n parameters. No rank goes below `floor` times the uniform one.
pub fn share(groups: &[Sharing<'_>], kept: f64, floor: f64) -> Vec<bool> {
    let request = RankRequest { spectra: &[], weights: &[], kept, floor };
    let all: usize = groups.iter().map(|group| group.joint.0.dense()).sum();
    // Of parameters, and logarithms of prices.
    let (budget, mut low, mut high) = (kept * all as f64, -230.0f64, 230.0f64);
    let choose = |price: f64| -> Vec<(bool, usize)> { groups.iter().map(|group| group.cheaper(&request, price)).collect() };
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        let cost: usize = choose(middle.exp()).into_iter().map(|(_, cost)| cost).sum();
        if cost as f64 <= budget { high = middle } else { low = middle }
    }
    choose(high.exp()).into_iter().map(|(joint, _)| joint).collect()
}

impl Sharing<'_> {
    /// Whether sharing is better at a price, and the parameters that the better of both takes.
    fn cheaper(&self, request: &RankRequest<'_>, price: f64) -> (bool, usize) {
        let (joint, joint_cost) = least(request, self.joint, price);
        let (apart, apart_cost) = self.apart.iter().fold((0.0, 0), |(sum, total), &part| {
            let (value, cost) = least(request, part, price);
            (sum + value, total + cost)
        });
        // Dense either way, nothing is shared.
        if joint < apart { (true, joint_cost) } else { (false, apart_cost) }
    }
}

/// The least w E + λ cost over ranks and the dense weight, and the parameters that it takes.
fn least(request: &RankRequest<'_>, (spectrum, weight): (&Spectrum, f64), price: f64) -> (f64, usize) {
    let dense = (price * spectrum.dense() as f64, spectrum.dense());
    let ranks = spectrum.errors().into_iter().enumerate().skip(request.least(spectrum));
    let values = ranks.map(|(rank, error)| (weight * error + price * spectrum.cost(rank) as f64, spectrum.cost(rank)));
    values.fold(dense, |best, one| if one.0 < best.0 { one } else { best })
}
