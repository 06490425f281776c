//! Relative importance and activations (RIA, Zhang et al., ICLR 2024): the share that a weight has in the sizes of its row and of its
//! column, times the square root of the norm of its input.

use super::{Group, RowScores, WeightCriterion, WeightNeeds, WeightSite};

/// Power of the norms, as published.
const POWER: f64 = 0.5;

pub(super) struct Ria;

impl WeightCriterion for Ria {
    fn name(&self) -> &'static str {
        "ria"
    }

    fn title(&self) -> &'static str {
        "RIA"
    }

    fn summary(&self) -> &'static str {
        "The weight's share in its row and in its column, times the root of how large its input is, compared in the whole layer (2024)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds { sums: true, ..WeightNeeds::default() }
    }

    fn group(&self) -> Group {
        Group::Matrix
    }

    fn scores<'a>(&self, site: WeightSite<'a>) -> RowScores<'a> {
        let mut columns = vec![0.0; site.inputs];
        for row in site.weight.chunks_exact(site.inputs.max(1)) {
            columns.iter_mut().zip(row).for_each(|(sum, weight)| *sum += f64::from(weight.abs()));
        }
        let norms: Vec<f64> = site.squares.iter().map(|square| square.sqrt().powf(POWER)).collect();
        Box::new(move |output, scores| {
            let row = site.row(output);
            let sum: f64 = row.iter().map(|weight| f64::from(weight.abs())).sum();
            for (input, (score, weight)) in scores.iter_mut().zip(row).enumerate() {
                let size = f64::from(weight.abs());
                // A weight of nothing has no share, of nothing either.
                *score = if size > 0.0 { (size / columns[input] + size / sum) * norms[input] } else { 0.0 };
            }
        })
    }
}
