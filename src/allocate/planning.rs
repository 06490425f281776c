//! What an allocation is given beside the request, and what it gives.

use super::split::{Loss, losses};
use super::{CloseCall, LatencyTable, Plan, Probe, Request};
use crate::base::{Error, Result};
use crate::model::{Layer, Unit};
use crate::score::{LayerScores, Whole};

/// A request with what was found out about the model.
pub struct Planning<'a> {
    /// What is asked for.
    pub request: Request<'a>,
    /// The model, on its device, with its statistics.
    pub whole: &'a Whole<'a>,
    /// Scores of the units, by layer.
    pub scores: &'a [LayerScores],
}

/// What an allocation gives.
#[derive(Debug)]
pub struct Allocated {
    /// Which units stay.
    pub plan: Plan,
    /// Units that another device might have decided otherwise.
    pub close_calls: Vec<CloseCall>,
    /// Times that were measured for it.
    pub latency: Option<LatencyTable>,
    /// Share of the blocks' time that the plan removes, by those.
    pub time: Option<f64>,
    /// Probes that were made for it.
    pub probes: Option<Vec<Probe>>,
}

/// What an allocation runs through the model, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passes {
    /// Whose hidden states are kept at the same time.
    pub kept: usize,
    /// That pass through all blocks.
    pub passed: usize,
    /// That pass through the head.
    pub answered: usize,
}

impl Allocated {
    /// A plan that needed nothing but scores.
    pub fn new(plan: Plan, close_calls: Vec<CloseCall>) -> Self {
        Self { plan, close_calls, latency: None, time: None, probes: None }
    }
}

impl Request<'_> {
    /// Units of a kind that stay in a layer with `count` of them, at least.
    pub(super) fn least(&self, count: usize) -> usize {
        ((self.floor * count as f64).ceil() as usize).max(1)
    }

    /// By kind and layer, the units that may go in the order in which they would, as the scores say; none of other kinds.
    pub(super) fn losses(&self, scores: &[LayerScores]) -> Result<[Vec<Vec<Loss>>; 2]> {
        let mut all = self.unscored();
        for &unit in self.units {
            for (into, scores) in all[unit as usize].iter_mut().zip(scores) {
                *into = losses(scores[unit as usize].as_ref().ok_or_else(|| Error::internal("an allocation without scores"))?);
            }
        }
        Ok(all)
    }

    /// As many units as there are, of no difference.
    pub(super) fn unscored(&self) -> [Vec<Vec<Loss>>; 2] {
        Unit::ALL.map(|unit| {
            let count = |layer: &Layer| if self.units.contains(&unit) { layer.units(unit) } else { 0 };
            let losses = |count: usize| (0..count as u32).rev().map(|index| Loss { index, value: 0.0, error: 0.0 }).collect();
            self.architecture.layers.iter().map(|layer| losses(count(layer))).collect()
        })
    }

    /// The sentence for a ratio that cannot be reached, with the nearest below and above that can.
    pub(super) fn unreachable(&self, nearest: [Option<f64>; 2]) -> Error {
        let units: Vec<&str> = self.units.iter().map(|unit| unit.name()).collect();
        // Where more can be removed than was asked for, it is the sizes of units that do not fit.
        let floor = match nearest[1] {
            None if self.floor > 0.0 => format!(" while method.floor keeps {} of them in every layer", shown(self.floor)),
            _ => String::new(),
        };
        let nearest = nearest_that_can(nearest.into_iter().flatten());
        Error::recipe(format!("A ratio of {} cannot be reached by removing {}{floor}; {nearest}.", shown(self.ratio), only(&units)))
    }
}

/// A ratio for people: three digits at most.
pub(super) fn shown(ratio: f64) -> String {
    let text = format!("{ratio:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Names of kinds; of a single one, that it is alone.
pub(super) fn only(names: &[&str]) -> String {
    names.join(" and ") + if names.len() == 1 { " alone" } else { "" }
}

/// The end of a sentence about a ratio that cannot be reached.
pub(super) fn nearest_that_can(ratios: impl Iterator<Item = f64>) -> String {
    let ratios: Vec<String> = ratios.map(|ratio| format!("{ratio:.3}")).collect();
    let verb = if ratios.len() == 1 { "ratio that can is" } else { "ratios that can are" };
    format!("the nearest {verb} {}", ratios.join(" and "))
}
