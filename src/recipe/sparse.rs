//! Recipes of zeros among the weights.

use crate::allocate::sparsity::{LayerBudget, LayerOptions, Pattern, RowBudget, layer_budget, pattern, row_budget, sparsity_allocations};
use crate::base::{Error, Result};
use crate::reconstruct::weights::{WeightUpdate, weight_update};
use crate::score::weights::{WeightCriterion, weight_criterion};
use serde::{Deserialize, Serialize};

/// Pruning of single weights, layer by layer along the pruned model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sparse {
    /// Name of the criterion.
    pub criterion: String,
    /// Where zeros may be.
    pub pattern: String,
    /// Name of the allocation: of zeros to blocks, or to rows.
    pub allocation: String,
    /// Beside an allocation to rows, the one to blocks.
    pub layer_budgets: String,
    /// Share of the blocks' linear weights that becomes zero.
    pub ratio: f64,
    /// What is done to the weights that stay.
    pub update: String,
    /// Damping of second moments, as a multiple of the mean of their diagonal.
    pub ridge: f64,
    /// Tokens on which the allocations to rows watch outputs, and on which errors are told, at most; the last of each sequence first.
    pub samples: usize,
    /// Whether statistics are taken of a whole block before any of it is pruned, or of each of its linear layers after those before it.
    pub order: Order,
    /// Half of the range of shares of zeros between blocks: in points for `owl` (0.08), relative for `alpha` (0.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<f64>,
    /// How many times the mean a score is at least, for `owl` to count it as an outlier.
    pub outlier: f64,
    /// Steps of the update `refit` at most.
    pub iterations: usize,
    /// Of the allocation `curves`: 0 minimises the error of a layer's output as a whole, 1 the sum of its rows' relative errors.
    pub equalise: f64,
}

/// When the statistics of a linear layer are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// While its block is dense, as published.
    #[default]
    Block,
    /// Once what comes before it in its block is pruned.
    Linear,
}

impl Default for Sparse {
    fn default() -> Self {
        Self {
            criterion: "wanda".to_owned(),
            pattern: "unstructured".to_owned(),
            allocation: "uniform".to_owned(),
            layer_budgets: "uniform".to_owned(),
            ratio: 0.5,
            update: "none".to_owned(),
            ridge: 0.01,
            samples: 256,
            order: Order::default(),
            range: None,
            outlier: 5.0,
            iterations: 10,
            equalise: 0.0,
        }
    }
}

impl Sparse {
    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// The message names the field.
    pub(super) fn check(&self) -> Result<()> {
        self.criterion()?;
        let (pattern, update) = (self.pattern()?, self.update()?);
        self.layers()?;
        if self.rows().is_none() && self.layer_budgets != "uniform" {
            return Err(Error::recipe(format!(
                "method.layer_budgets goes beside an allocation to rows; write \"allocation\": \"{}\" instead.",
                self.layer_budgets
            )));
        }
        let refused = |field: &str, value: &dyn std::fmt::Display, wanted: &str| {
            Err(Error::recipe(format!("method.{field} is {value}; it must be {wanted}.")))
        };
        if !(0.0..1.0).contains(&self.ratio) {
            return refused("ratio", &self.ratio, "at least 0 and below 1");
        }
        if let Some((zeros, size)) = pattern.groups {
            let own = zeros as f64 / size as f64;
            if self.ratio != own && self.ratio != 0.0 {
                return refused("ratio", &self.ratio, &format!("{own} with the pattern {}", pattern.name));
            }
            if self.allocation != "uniform" {
                return Err(Error::recipe(format!(
                    "The pattern {} has the same zeros everywhere, so method.allocation is \"uniform\" with it, not \"{}\".",
                    pattern.name, self.allocation
                )));
            }
            if !update.keeps_patterns() {
                return Err(Error::recipe(format!(
                    "The update {} moves zeros, so it does not keep the pattern {}; choose unstructured or another update.",
                    update.name(),
                    pattern.name
                )));
            }
        }
        if !(self.ridge > 0.0 && self.ridge.is_finite()) {
            return refused("ridge", &self.ridge, "above 0");
        }
        if !(1..=4096).contains(&self.samples) {
            return refused("samples", &self.samples, "from 1 to 4096");
        }
        if self.range.is_some_and(|range| !(0.0..1.0).contains(&range)) {
            return refused("range", &self.range.unwrap_or_default(), "at least 0 and below 1");
        }
        if !(self.outlier > 0.0 && self.outlier.is_finite()) {
            return refused("outlier", &self.outlier, "above 0");
        }
        if !(1..=1000).contains(&self.iterations) {
            return refused("iterations", &self.iterations, "from 1 to 1000");
        }
        if !(0.0..=1.0).contains(&self.equalise) {
            return refused("equalise", &self.equalise, "from 0 to 1");
        }
        self.check_used()
    }

    /// Refuses options that nothing heeds.
    fn check_used(&self) -> Result<()> {
        let (own, layers) = (Self::default(), self.layers()?.name());
        let gram = self.criterion()?.needs().union(self.update()?.needs()).gram;
        for (name, given, used, takers) in [
            ("ridge", self.ridge != own.ridge, gram, "the criterion sparsegpt and the updates sparsegpt and refit"),
            ("range", self.range.is_some(), layers == "owl" || layers == "alpha", "the allocations owl and alpha"),
            ("outlier", self.outlier != own.outlier, layers == "owl", "the allocation owl"),
            ("equalise", self.equalise != own.equalise, self.allocation == "curves", "the allocation curves"),
            ("iterations", self.iterations != own.iterations, self.update == "refit", "the update refit"),
        ] {
            if given && !used {
                return Err(Error::recipe(format!("method.{name} is for {takers}; leave it out, or choose one of these.")));
            }
        }
        Ok(())
    }

    /// The criterion.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn criterion(&self) -> Result<&'static dyn WeightCriterion> {
        weight_criterion(&self.criterion)
    }

    /// The pattern.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn pattern(&self) -> Result<&'static Pattern> {
        pattern(&self.pattern)
    }

    /// The update.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn update(&self) -> Result<&'static dyn WeightUpdate> {
        weight_update(&self.update)
    }

    /// The allocation to rows, where there is one.
    pub fn rows(&self) -> Option<&'static dyn RowBudget> {
        row_budget(&self.allocation)
    }

    /// The allocation to blocks.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn layers(&self) -> Result<&'static dyn LayerBudget> {
        if self.rows().is_some() {
            return layer_budget(&self.layer_budgets, "layer_budgets");
        }
        layer_budget(&self.allocation, "allocation").map_err(|_| {
            let names = sparsity_allocations().join(", ");
            Error::recipe(format!("method.allocation is \"{}\"; of single weights choose one of {names}.", self.allocation))
        })
    }

    /// Options of the allocation to blocks.
    pub fn layer_options(&self) -> LayerOptions {
        LayerOptions { range: self.range, outlier: self.outlier }
    }
}
