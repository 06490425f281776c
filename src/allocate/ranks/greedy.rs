//! Spending parameters where each takes away the most error.

use super::{RankRequest, Ranks, kept_parameters};
use crate::score::Spectrum;

/// One step of a layer towards more parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// Which layer.
    pub(super) layer: usize,
    /// Its rank after the step; none where it is dense then.
    pub(super) rank: Option<usize>,
    /// Parameters that it takes.
    pub(super) cost: usize,
    /// Error that it takes away, by the parameter.
    pub(super) gain: f64,
}

/// Parameters that ranks take.
pub(super) fn spent(request: &RankRequest<'_>, ranks: &Ranks) -> usize {
    request.spectra.iter().zip(ranks).map(|(spectrum, &rank)| kept_parameters(spectrum, rank)).sum()
}

/// The steps of a layer from rank `least` up to dense along the lower convex hull of its error over its parameters; their gains fall.
pub(super) fn steps(layer: usize, spectrum: &Spectrum, weight: f64, least: usize) -> Vec<Step> {
    let errors = spectrum.errors();
    let mut points: Vec<(Option<usize>, usize, f64)> =
        (least..errors.len()).map(|rank| (Some(rank), spectrum.cost(rank), weight * errors[rank])).collect();
    points.retain(|point| point.1 < spectrum.dense());
    points.push((None, spectrum.dense(), 0.0));
    let mut hull: Vec<(Option<usize>, usize, f64)> = Vec::new();
    let slope = |a: &(Option<usize>, usize, f64), b: &(Option<usize>, usize, f64)| (a.2 - b.2) / (b.1 - a.1).max(1) as f64;
    for point in points {
        while let [.., a, b] = &hull[..] {
            if slope(a, b) > slope(b, &point) {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull.windows(2).map(|pair| Step { layer, rank: pair[1].0, cost: pair[1].1 - pair[0].1, gain: slope(&pair[0], &pair[1]) }).collect()
}

/// Goes on from `ranks`, rank by rank, while parameters are left: always the step that takes away the most by the parameter, and fits.
pub(super) fn spend(request: &RankRequest<'_>, ranks: &mut Ranks) {
    let mut left = request.budget().saturating_sub(spent(request, ranks));
    let all: Vec<Vec<f64>> = request.spectra.iter().map(Spectrum::errors).collect();
    loop {
        let mut best: Option<Step> = None;
        for (layer, (spectrum, errors)) in request.spectra.iter().zip(&all).enumerate() {
            let Some(rank) = ranks[layer] else { continue };
            let (now, weight) = (spectrum.cost(rank), request.weights[layer]);
            let jump = spectrum.dense() - now;
            let next = (rank < spectrum.values.len() && spectrum.cost(rank + 1) < spectrum.dense())
                .then(|| (Some(rank + 1), spectrum.cost(1), errors[rank] - errors[rank + 1]));
            for (rank, cost, taken) in next.into_iter().chain([(None, jump, errors[rank])]) {
                let gain = weight * taken / cost.max(1) as f64;
                if cost <= left && best.is_none_or(|best| gain > best.gain) {
                    best = Some(Step { layer, rank, cost, gain });
                }
            }
        }
        let Some(step) = best else { return };
        ranks[step.layer] = step.rank;
        left -= step.cost;
    }
}
