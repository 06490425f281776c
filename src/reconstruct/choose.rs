//! Choosing a repair for one consumer: the one that was asked for, unless tokens that it did not see say that it does harm.

use super::{Fit, Problem, REPAIRS, Repair, RepairOptions, Ridge};
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
    /// Damping, as a multiple of the mean diagonal of the system: the ridge that was really used.
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

/// What a repair may use beside the problems.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SiteOptions {
    /// Damping.
    pub ridge: Ridge,
    /// Channels of one unit.
    pub unit_size: usize,
}

/// A damping to try, with its error on held-out tokens where that was measured already.
type Trial = (f64, Option<Option<f64>>);

/// Repairs one consumer. A repair is tried on the tokens to fit on and checked on those that are held out: it must do no worse
/// there than the repairs that it would fall back to. The one that is taken is fitted again on both. `accept` refuses weights that
/// cannot be written.
pub async fn repair_site(
    device: &Device,
    wanted: &'static dyn Repair,
    problems: Problems<'_>,
    truncated: &Tensor,
    options: SiteOptions,
    accept: impl AsyncFn(&Fit) -> Result<bool>,
) -> Result<(Fit, Outcome)> {
    let with = |ridge: f64| RepairOptions { ridge, unit_size: options.unit_size };
    let strongest = REPAIRS.iter().position(|repair| repair.name() == wanted.name()).unwrap_or(0);
    // From the weakest to the one that is asked for, with the held-out errors of the weaker ones.
    let mut chain: Vec<(&dyn Repair, Option<f64>)> = Vec::new();
    for &repair in REPAIRS[..strongest].iter().filter(|repair| repair.falls_back_to()) {
        chain.push((repair, held_out_error(device, repair, problems, truncated, with(options.ridge.usual())).await?));
    }
    let error_without = match chain.first() {
        Some((_, error)) => *error,
        None => held_out_error(device, REPAIRS[0], problems, truncated, with(0.0)).await?,
    };
    if strongest > 0 {
        chain.push((wanted, None));
    }
    let mut reason = None;
    let mut all = All { problems, made: None };
    while let Some((repair, known)) = chain.pop() {
        if chain.is_empty() {
            break;
        }
        if repair.shifts_only() && !problems.fit.affine() {
            reason.get_or_insert_with(|| "a stock config gives this layer no bias".to_owned());
            continue;
        }
        let bar = chain.iter().filter_map(|(_, error)| *error).reduce(f64::min);
        let trials = match known {
            Some(error) if !repair.needs().gram => vec![(options.ridge.usual(), Some(Some(error)))],
            _ => trials(device, repair, problems, truncated, options).await?,
        };
        for (ridge, measured) in trials {
            let error = match measured {
                Some(error) => error,
                None => held_out_error(device, repair, problems, truncated, with(ridge)).await?,
            };
            match (error, bar) {
                (Some(with), Some(bar)) if with.is_nan() || with > bar => {
                    reason.get_or_insert_with(|| format!("{} raised the error on held-out tokens", repair.name()));
                    continue;
                }
                // What weaker repairs do there can be told.
                (None, Some(_)) => {
                    reason.get_or_insert_with(|| format!("what {} does to held-out tokens cannot be told", repair.name()));
                    continue;
                }
                _ => {}
            }
            let found = repair.solve(device, all.get(device).await?, truncated, with(ridge)).await?;
            if found.smallest_pivot.is_some_and(|pivot| pivot <= 0.0) {
                reason.get_or_insert_with(|| format!("the matrix of {} is not positive definite", repair.name()));
                continue;
            }
            if !accept(&found).await? {
                reason.get_or_insert_with(|| format!("{} gave weights that the output dtype cannot hold", repair.name()));
                continue;
            }
            let outcome = outcome(repair, wanted, reason, &found, error_without, error);
            return Ok((found, outcome));
        }
    }
    let truncation = REPAIRS[0].solve(device, problems.fit, truncated, with(0.0)).await?;
    let outcome = outcome(REPAIRS[0], wanted, reason, &truncation, error_without, error_without);
    Ok((truncation, outcome))
}

/// Dampings to try: in turn where one was asked for; the best on held-out tokens first where the choice is ours.
async fn trials(
    device: &Device,
    repair: &dyn Repair,
    problems: Problems<'_>,
    truncated: &Tensor,
    options: SiteOptions,
) -> Result<Vec<Trial>> {
    let dampings = options.ridge.candidates();
    if !repair.needs().gram || problems.held_out.is_none() {
        return Ok(vec![(options.ridge.usual(), None)]);
    }
    if options.ridge != Ridge::Auto {
        return Ok(dampings.into_iter().map(|ridge| (ridge, None)).collect());
    }
    let mut measured = Vec::with_capacity(dampings.len());
    for ridge in dampings {
        let error = held_out_error(device, repair, problems, truncated, RepairOptions { ridge, unit_size: options.unit_size }).await?;
        measured.push((ridge, error));
    }
    let key = |error: Option<f64>| error.filter(|error| !error.is_nan()).unwrap_or(f64::INFINITY);
    measured.sort_by(|a, b| key(a.1).total_cmp(&key(b.1)));
    Ok(measured.into_iter().map(|(ridge, error)| (ridge, Some(error))).collect())
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
    error_without: Option<f64>,
    error_with: Option<f64>,
) -> Outcome {
    Outcome {
        repair: repair.name(),
        fell_back_from: (repair.name() != wanted.name()).then(|| wanted.name()),
        reason: reason.filter(|_| repair.name() != wanted.name()),
        damping: fit.damping,
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
