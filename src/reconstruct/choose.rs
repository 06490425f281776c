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

/// Dampings that are tried before a repair is given up: overfitting to few tokens is the usual harm.
const LADDER: [f64; 3] = [1.0, 10.0, 100.0];

/// Repairs one consumer. A repair is tried on `fit` and checked on `held_out`: it must do no worse there than the repairs
/// weaker than it. The one that is taken is fitted again on both. `accept` refuses weights that cannot be written.
pub async fn repair_site(
    device: &Device,
    wanted: &'static dyn Repair,
    problems: Problems<'_>,
    truncated: &Tensor,
    options: RepairOptions,
    accept: impl AsyncFn(&Fit) -> Result<bool>,
) -> Result<(Fit, Outcome)> {
    let strongest = REPAIRS.iter().position(|repair| repair.name() == wanted.name()).unwrap_or(0);
    // Held-out errors of the weaker repairs, up to the one that is asked for; absent where they cannot be told.
    let mut weaker = Vec::with_capacity(strongest);
    for repair in &REPAIRS[..strongest.max(1)] {
        weaker.push(held_out_error(device, *repair, problems, truncated, options).await?);
    }
    let error_without = weaker[0];
    let mut reason = None;
    let mut all = All { problems, made: None };
    for level in (1..=strongest).rev() {
        let repair = REPAIRS[level];
        if repair.shifts_only() && !problems.fit.affine() {
            reason.get_or_insert_with(|| "a stock config gives this layer no bias".to_owned());
            continue;
        }
        let bar = weaker[..level].iter().flatten().copied().reduce(f64::min);
        for factor in if repair.needs().gram { &LADDER[..] } else { &LADDER[..1] } {
            let options = RepairOptions { ridge: options.ridge * factor };
            let error_with = match level == strongest || bar.is_none() {
                true => held_out_error(device, repair, problems, truncated, options).await?,
                false => weaker[level],
            };
            if let (Some(with), Some(bar)) = (error_with, bar)
                && (with.is_nan() || with > bar)
            {
                reason.get_or_insert_with(|| format!("{} raised the error on held-out tokens", repair.name()));
                continue;
            }
            let found = repair.solve(device, all.get(device).await?, truncated, options).await?;
            if found.smallest_pivot.is_some_and(|pivot| pivot <= 0.0) {
                reason.get_or_insert_with(|| format!("the matrix of {} is not positive definite", repair.name()));
                continue;
            }
            if !accept(&found).await? {
                reason.get_or_insert_with(|| format!("{} gave weights that the output dtype cannot hold", repair.name()));
                continue;
            }
            let outcome = outcome(repair, wanted, reason, &found, all.get(device).await?, error_without, error_with);
            return Ok((found, outcome));
        }
    }
    let truncation = REPAIRS[0].solve(device, problems.fit, truncated, options).await?;
    let outcome = outcome(REPAIRS[0], wanted, reason, &truncation, problems.fit, error_without, error_without);
    Ok((truncation, outcome))
}

/// Error on the held-out tokens of a repair that was fitted on the others; `None` where there are none to tell it by.
async fn held_out_error(
    device: &Device,
    repair: &dyn Repair,
    problems: Problems<'_>,
    truncated: &Tensor,
    options: RepairOptions,
) -> Result<Option<f64>> {
    let Some(held_out) = problems.held_out else { return Ok(None) };
    let trial = repair.solve(device, problems.fit, truncated, options).await?;
    held_out.error(device, &trial).await
}

/// The same problem on two sets of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Problems<'a> {
    /// Tokens to fit trials on.
    pub fit: &'a Problem,
    /// Tokens to check trials on; absent where the calibration set is too small to spare any.
    pub held_out: Option<&'a Problem>,
}

/// The problem on both sets, which is made when it is first asked for: it is as large as each of them.
struct All<'a> {
    problems: Problems<'a>,
    made: Option<Problem>,
}

impl All<'_> {
    async fn get(&mut self, device: &Device) -> Result<&Problem> {
        let Some(held_out) = self.problems.held_out else { return Ok(self.problems.fit) };
        if self.made.is_none() {
            self.made = Some(self.problems.fit.plus(device, held_out).await?);
        }
        Ok(self.made.as_ref().unwrap_or(self.problems.fit))
    }
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
        reason: reason.filter(|_| repair.name() != wanted.name()),
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
