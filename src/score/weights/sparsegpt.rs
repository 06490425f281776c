//! The criterion of SparseGPT (Frantar and Alistarh, ICML 2023; Hassibi and Stork, 1992): what the removal of a weight costs once those to
//! the right of it have made up for it.

use super::{Group, RowScores, WeightCriterion, WeightNeeds, WeightSite};

/// Columns that are compared with each other, and swept together, as published.
pub const SWEPT_COLUMNS: usize = 128;

pub(super) struct SparseGpt;

impl WeightCriterion for SparseGpt {
    fn name(&self) -> &'static str {
        "sparsegpt"
    }

    fn title(&self) -> &'static str {
        "SparseGPT"
    }

    fn summary(&self) -> &'static str {
        "What the removal costs once later weights of the row have made up for it, compared in all rows of 128 inputs (2023)."
    }

    fn needs(&self) -> WeightNeeds {
        WeightNeeds { sums: true, gram: true, factor: true }
    }

    fn group(&self) -> Group {
        Group::Columns(SWEPT_COLUMNS)
    }

    fn scores<'a>(&self, site: WeightSite<'a>) -> RowScores<'a> {
        // Weights of inputs that are always zero do nothing, so they go first.
        let squares = site.squares.iter().zip(site.roots);
        let costs: Vec<f64> = squares.map(|(&square, root)| if square > 0.0 { root.powi(-2) } else { 0.0 }).collect();
        Box::new(move |output, scores| {
            let weights = site.row(output).iter().zip(&costs);
            scores.iter_mut().zip(weights).for_each(|(score, (weight, cost))| *score = f64::from(*weight).powi(2) * cost);
        })
    }
}
