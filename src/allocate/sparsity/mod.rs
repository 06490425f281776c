//! Shares of zeros: of each block, of each row, and the weights that become zero. One file an allocation, one line in
//! [`LAYER_BUDGETS`] or [`ROW_BUDGETS`].

mod adaptive;
mod alpha;
mod hull;
mod mask;
mod owl;
mod pattern;
mod pick;
mod prefix;
mod share;
#[cfg(test)]
mod tests;
mod trim;
mod uniform;

pub use mask::Mask;
pub use pattern::{PATTERNS, Pattern, pattern};
pub use pick::{Target, pick, smallest};
pub use prefix::PrefixCurves;
pub use share::{even_rows, spread};

use crate::base::{Error, LocalFuture, Pace, Result};
use crate::score::weights::{RowScores, WeightSite};

/// Largest share of zeros in a block.
const MOST: f64 = 0.99;

/// An allocation of zeros to blocks.
pub trait LayerBudget: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: how it shares zeros out.
    fn summary(&self) -> &'static str;
    /// Whether it needs the norms of all inputs of the dense model: one more pass over the text.
    fn needs_norms(&self) -> bool {
        false
    }
    /// Whether it looks at a block at all.
    fn measures(&self) -> bool {
        true
    }
    /// What it goes by, of the linear layers of a block.
    fn measure<'a>(&'a self, block: &'a [WeightSite<'a>], options: LayerOptions, pace: &'a mut Pace<'_>) -> LocalFuture<'a, Result<f64>>;
    /// The share of zeros of each block, before it is made sure that there are so many in all.
    fn shares(&self, measures: &[f64], ratio: f64, options: LayerOptions) -> Vec<f64>;
    /// Whether shares are moved by a factor; else by a summand.
    fn scales(&self) -> bool {
        false
    }
}

/// Options of allocations to blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerOptions {
    /// Half of the range of shares, where the recipe says it: in points for OWL, relative for AlphaPruning.
    pub range: Option<f64>,
    /// How many times the mean a score is at least, for OWL to count it.
    pub outlier: f64,
}

/// Every allocation of zeros to blocks.
pub const LAYER_BUDGETS: &[&dyn LayerBudget] = &[&uniform::Uniform, &owl::Owl, &alpha::Alpha];

/// The rows of one linear layer.
pub struct Rows<'a> {
    /// Their scores.
    pub scores: &'a RowScores<'a>,
    /// Number of rows.
    pub outputs: usize,
    /// Weights of each.
    pub inputs: usize,
    /// Zeros in all.
    pub zeros: usize,
    /// Their outputs as weights go, where that is needed.
    pub curves: Option<&'a PrefixCurves>,
    /// How far errors of rows are taken relative to their outputs, 0 to 1.
    pub equalise: f64,
}

/// An allocation of a layer's zeros to its rows.
pub trait RowBudget: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: how it shares zeros out.
    fn summary(&self) -> &'static str;
    /// Whether it needs [`PrefixCurves`].
    fn needs_curves(&self) -> bool {
        false
    }
    /// Zeros of each row, [`Rows::zeros`] in all.
    fn rows(&self, rows: &Rows<'_>) -> Result<Vec<usize>>;
}

/// Every allocation of zeros to rows.
pub const ROW_BUDGETS: &[&dyn RowBudget] = &[&adaptive::Adaptive, &trim::Trim, &hull::Hull];

/// The allocation to blocks of this name.
///
/// # Errors
/// There is none; the message, about the recipe's field `field`, lists those there are.
pub fn layer_budget(name: &str, field: &str) -> Result<&'static dyn LayerBudget> {
    LAYER_BUDGETS.iter().copied().find(|budget| budget.name() == name).ok_or_else(|| {
        let names: Vec<&str> = LAYER_BUDGETS.iter().map(|budget| budget.name()).collect();
        Error::recipe(format!("method.{field} is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}

/// The allocation to rows of this name, if it is one.
pub fn row_budget(name: &str) -> Option<&'static dyn RowBudget> {
    ROW_BUDGETS.iter().copied().find(|budget| budget.name() == name)
}

/// Names of all allocations that a recipe may ask for.
pub fn sparsity_allocations() -> Vec<&'static str> {
    LAYER_BUDGETS.iter().map(|budget| budget.name()).chain(ROW_BUDGETS.iter().map(|budget| budget.name())).collect()
}

/// The share of zeros of each block, of so many weights each, so that `ratio` of all of them become zero.
pub fn block_shares(budget: &dyn LayerBudget, measures: &[f64], weights: &[usize], ratio: f64, options: LayerOptions) -> Vec<f64> {
    let shares = budget.shares(measures, ratio, options);
    let all: f64 = weights.iter().map(|&count| count as f64).sum();
    let moved = |by: f64| -> Vec<f64> {
        let place = |share: f64| if budget.scales() { share * by } else { share + by };
        shares.iter().map(|&share| place(share).clamp(0.0, MOST.max(ratio))).collect()
    };
    let realised = |by: f64| moved(by).iter().zip(weights).map(|(share, &count)| share * count as f64).sum::<f64>() / all.max(1.0);
    let (mut low, mut high) = if budget.scales() { (0.0, 1.0) } else { (-1.0, 1.0) };
    while budget.scales() && realised(high) < ratio && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if realised(middle) < ratio { low = middle } else { high = middle }
    }
    moved(high)
}
