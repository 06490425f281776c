//! Choosing a repair for one consumer: the one that was asked for, unless tokens that it did not see say that it does harm.

use super::{Fit, Problem, REPAIRS, Repair, RepairOptions};
use crate::base::Result;
use crate::device::{Device, Tensor};
use serde::Serialize;

/// What was done to one consumer, for the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Repair that was used.
    pub repair: &'static str,
    /// Repair that was asked for, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fell_back_from: Option<&'static str>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Damping, relative to the mean variance of the kept inputs times the number of tokens.
    pub damping: f64,
    /// Smallest relative pivot of the factorisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_pivot: Option<f64>,
    /// Relative squared error without repair, on tokens that were not fitted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_without: Option<f64>,
    /// Relative squared error with the repair, fitted on the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_with: Option<f64>,
}

/// Repairs one consumer. Each repair is tried on `fit` and checked on `held_out`; the one that is taken is fitted again on
/// `all`. `accept` refuses weights that the output dtype cannot hold.
pub async fn repair_site(
    device: &Device,
    wanted: &'static dyn Repair,
    problems: Problems<'_>,
    truncated: &Tensor,
    options: RepairOptions,
    accept: impl AsyncFn(&Fit) -> Result<bool>,
) -> Result<(Fit, Outcome)> {
    let Problems { fit, held_out, all } = problems;
    let strongest = REPAIRS.iter().position(|repair| repair.name() == wanted.name()).unwrap_or(0);
    let mut reason = None;
    let mut error_without = None;
    let truncation = REPAIRS[0].solve(device, fit, truncated, options).await?;
    if let Some(held_out) = held_out {
        error_without = held_out.error(device, &truncation).await?;
    }
    for level in (1..=strongest).rev() {
        let repair = REPAIRS[level];
        let mut error_with = None;
        if let (Some(held_out), Some(without)) = (held_out, error_without) {
            let trial = repair.solve(device, fit, truncated, options).await?;
            error_with = held_out.error(device, &trial).await?;
            if error_with.is_none_or(|with| with.is_nan() || with > without) {
                reason.get_or_insert_with(|| format!("{} raised the error on held-out tokens", repair.name()));
                continue;
            }
        }
        let found = repair.solve(device, all, truncated, options).await?;
        if found.smallest_pivot.is_some_and(|pivot| pivot <= 0.0) {
            reason.get_or_insert_with(|| format!("the matrix of {} is not positive definite", repair.name()));
            continue;
        }
        if !accept(&found).await? {
            reason.get_or_insert_with(|| format!("{} gave weights that the output dtype cannot hold", repair.name()));
            continue;
        }
        let outcome = outcome(repair, wanted, reason, &found, all, error_without, error_with);
        return Ok((found, outcome));
    }
    let outcome = outcome(REPAIRS[0], wanted, reason, &truncation, all, error_without, error_without);
    Ok((truncation, outcome))
}

/// The same problem on three sets of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Problems<'a> {
    /// Tokens to fit trials on.
    pub fit: &'a Problem,
    /// Tokens to check trials on; absent where the calibration set is too small to spare any.
    pub held_out: Option<&'a Problem>,
    /// Both together, for the final fit.
    pub all: &'a Problem,
}

fn outcome(
    repair: &dyn Repair,
    wanted: &dyn Repair,
    reason: Option<String>,
    fit: &Fit,
    problem: &Problem,
    error_without: Option<f64>,
    error_with: Option<f64>,
) -> Outcome {
    let scale = problem.mean_variance();
    Outcome {
        repair: repair.name(),
        fell_back_from: (repair.name() != wanted.name()).then(|| wanted.name()),
        reason,
        damping: if scale > 0.0 { fit.damping / scale } else { 0.0 },
        smallest_pivot: fit.smallest_pivot,
        error_without,
        error_with,
    }
}

impl Outcome {
    /// Nothing was asked for.
    pub fn untouched() -> Self {
        Self {
            repair: "none",
            fell_back_from: None,
            reason: None,
            damping: 0.0,
            smallest_pivot: None,
            error_without: None,
            error_with: None,
        }
    }
}
