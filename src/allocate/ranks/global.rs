//! One price of a parameter for the whole model: a direction stays where the error that it takes away, weighted by what that error
//! costs the model's answers, is worth its parameters.
//!
//! Minimises Σ w E(r) under Σ min(r (m + n), m n) ≤ budget by its Lagrangian: with the price λ, each layer takes the rank, or the
//! dense weight, with the least w E + λ cost. The lowest points of all prices are the lower convex hull of a layer's error over its
//! parameters, so all prices are tried at once by taking the hulls' steps in the order of their gain.

use super::{RankAllocation, RankRequest, Ranks, greedy};
use greedy::Step;

pub(super) struct Global;

impl RankAllocation for Global {
    fn name(&self) -> &'static str {
        "global"
    }

    fn title(&self) -> &'static str {
        "Global"
    }

    fn summary(&self) -> &'static str {
        "One price of a parameter for all layers: ranks go where they take away most of the error that the model's answers feel."
    }

    fn chooses_sharing(&self) -> bool {
        true
    }

    fn ranks(&self, request: &RankRequest<'_>) -> Ranks {
        let mut ranks: Ranks = request.spectra.iter().map(|spectrum| Some(request.least(spectrum))).collect();
        let mut steps: Vec<Step> = Vec::new();
        for (layer, (spectrum, &weight)) in request.spectra.iter().zip(request.weights).enumerate() {
            steps.extend(greedy::steps(layer, spectrum, weight, request.least(spectrum)));
        }
        // Stable: steps of a layer stay in their order, and equal ones go by layer.
        steps.sort_by(|a, b| b.gain.total_cmp(&a.gain));
        let mut left = request.budget().saturating_sub(greedy::spent(request, &ranks));
        let mut full = vec![false; ranks.len()];
        for step in steps {
            full[step.layer] |= step.cost > left;
            if !full[step.layer] {
                ranks[step.layer] = step.rank;
                left -= step.cost;
            }
        }
        greedy::spend(request, &mut ranks);
        ranks
    }
}
