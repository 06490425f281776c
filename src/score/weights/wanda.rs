//! Wanda (Sun et al., ICLR 2024): the size of a weight times the norm of its input over the calibration text, compared inside each
//! output row.

use super::{Group, RowScores, WeightCriterion, WeightNeeds, WeightSite};

pub(super) struct Wanda;

impl WeightCriterion for Wanda {
    fn name(&self) -> &'static str {
        "wanda"
    }

    fn title(&self) -> &'static str {
        "Wanda"
    }

    fn summary(&self) -> &'static str {
        "The size of the weight times how large its input is over the calibration text, compared inside each output (2024)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds { sums: true, ..WeightNeeds::default() }
    }

    fn group(&self) -> Group {
        Group::Row
    }

    fn scores<'a>(&self, site: WeightSite<'a>) -> RowScores<'a> {
        let norms: Vec<f64> = site.squares.iter().map(|square| square.sqrt()).collect();
        Box::new(move |output, scores| {
            let weights = site.row(output).iter().zip(&norms);
            scores.iter_mut().zip(weights).for_each(|(score, (weight, norm))| *score = f64::from(weight.abs()) * norm);
        })
    }
}
