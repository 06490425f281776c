//! The same share of every weight.

use super::{RankAllocation, RankRequest, Ranks, greedy};

pub(super) struct Uniform;

impl RankAllocation for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn title(&self) -> &'static str {
        "Uniform"
    }

    fn summary(&self) -> &'static str {
        "Every layer keeps the same share of its parameters."
    }

    fn weighs(&self) -> bool {
        false
    }

    fn ranks(&self, request: &RankRequest<'_>) -> Ranks {
        let mut ranks: Ranks = request.spectra.iter().map(|spectrum| Some(request.even(spectrum))).collect();
        // What rounding leaves goes to the layers that it took most from: one rank each at most.
        let lost = |spectrum: &crate::score::Spectrum| {
            let exact = request.kept * spectrum.dense() as f64 / (spectrum.inputs + spectrum.outputs) as f64;
            exact - exact.floor()
        };
        let mut order: Vec<usize> = (0..ranks.len()).collect();
        order.sort_by(|&a, &b| lost(&request.spectra[b]).total_cmp(&lost(&request.spectra[a])));
        let mut left = request.budget().saturating_sub(greedy::spent(request, &ranks));
        for index in order {
            let spectrum = &request.spectra[index];
            if let Some(rank) = ranks[index].filter(|&rank| rank < spectrum.values.len() && spectrum.cost(1) <= left) {
                ranks[index] = Some(rank + 1);
                left -= spectrum.cost(1);
            }
        }
        ranks
    }
}
