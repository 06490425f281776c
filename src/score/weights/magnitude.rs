//! The size of a weight, in a linear layer as a whole (Han et al., NeurIPS 2015).

use super::{Group, RowScores, WeightCriterion, WeightNeeds, WeightSite};

pub(super) struct Magnitude;

impl WeightCriterion for Magnitude {
    fn name(&self) -> &'static str {
        "magnitude"
    }

    fn title(&self) -> &'static str {
        "Magnitude"
    }

    fn summary(&self) -> &'static str {
        "The size of the weight, compared in the whole layer; looks at no text (2015)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds::default()
    }

    fn group(&self) -> Group {
        Group::Matrix
    }

    fn scores<'a>(&self, site: WeightSite<'a>) -> RowScores<'a> {
        Box::new(move |output, scores| {
            scores.iter_mut().zip(site.row(output)).for_each(|(score, weight)| *score = f64::from(weight.abs()));
        })
    }
}
