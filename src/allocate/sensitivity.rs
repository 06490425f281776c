//! Sensitivity: what pruning one sublayer alone costs at the model's end is probed, and the parameters go where they cost least.

mod growth;
mod probe;

pub use probe::Probe;

use super::split::{Loss, Split, losses};
use super::{Allocated, Allocation, Costs, Passes, Planning, Request, STATISTIC_ERROR};
use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::Needs;
use growth::Growth;
pub(super) use probe::probed;
use probe::{Task, probe};

pub(super) struct Sensitivity;

impl Allocation for Sensitivity {
    fn name(&self) -> &'static str {
        "sensitivity"
    }

    fn title(&self) -> &'static str {
        "Sensitivity"
    }

    fn summary(&self) -> &'static str {
        "Each sublayer is pruned alone to see how far the model's answers move; parameters go where that costs least."
    }

    fn runs_model(&self) -> bool {
        true
    }

    fn by_bias(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, ..Needs::default() }
    }

    fn passes(&self, request: &Request<'_>, tokens: usize) -> Passes {
        let (tokens, depth) = (tokens.min(probe::TOKENS), request.architecture.layers.len());
        let probes = shares(request).len() * request.units.len();
        // The probes of a layer go through the layers from it on, beside the dense model.
        Passes {
            kept: tokens * (probes * depth + 1),
            passed: tokens * (probes * (depth + 1) / 2 + 1),
            answered: tokens * (probes * depth + 2),
        }
    }

    fn check(&self, request: &Request<'_>) -> Result<()> {
        let within = &within_probes(request);
        Split::new(within, &within.unscored(), &Costs::parameters(within.architecture)).nearest().check(request)
    }

    fn plan<'a>(&'a self, planning: &'a Planning<'a>) -> LocalFuture<'a, Result<Allocated>> {
        Box::pin(async move {
            let (request, scores) = (&within_probes(&planning.request), planning.scores);
            let probes = probe(planning.whole, scores, &tasks(request)).await?;
            let costs = Costs::parameters(request.architecture);
            let mut all = request.unscored();
            for (layer, scores) in scores.iter().enumerate() {
                for &unit in request.units {
                    let scores = scores[unit as usize].as_ref().ok_or_else(|| Error::internal("an allocation without scores"))?;
                    let points: Vec<(f64, f64)> =
                        probes.iter().filter(|probe| (probe.layer, probe.unit) == (layer, unit)).map(Probe::point).collect();
                    all[unit as usize][layer] = priced(losses(scores), &Growth::fit(&points), |left| costs.last(layer, unit, left));
                }
            }
            let split = Split::new(request, &all, &costs).nearest();
            let mut allocated = split.allocated(&planning.request, split.by_threshold())?;
            allocated.probes = Some(probes);
            Ok(allocated)
        })
    }
}

/// Shares of a sublayer that are removed to probe it: half of what sublayers must lose in the mean, and half of what is then left
/// too. Most end between the two.
fn shares(request: &Request<'_>) -> [f64; 2] {
    let costs = Costs::parameters(request.architecture);
    let removable: f64 = request.units.iter().map(|&unit| costs.removable(unit)).sum();
    let mean = if removable > 0.0 { (request.ratio * costs.total() / removable).min(1.0) } else { 0.0 };
    [mean / 2.0, (1.0 + mean) / 2.0]
}

/// No sublayer loses more than was probed: costs do not add up where several are nearly gone.
fn within_probes<'a>(request: &Request<'a>) -> Request<'a> {
    let [_, most] = shares(request);
    Request { floor: request.floor.max(1.0 - most), ..*request }
}

/// What is to be probed, by layer.
fn tasks(request: &Request<'_>) -> Vec<Task> {
    let (mut tasks, shares) = (Vec::new(), shares(request));
    for (layer, of) in request.architecture.layers.iter().enumerate() {
        for &unit in request.units {
            let all = of.units(unit);
            let mut kept: Vec<usize> = shares.iter().map(|share| (all as f64 * (1.0 - share)).round() as usize).collect();
            kept.retain(|&kept| kept > 0 && kept < all);
            kept.dedup();
            tasks.extend(kept.into_iter().map(|keep| Task { layer, unit, keep }));
        }
    }
    tasks
}

/// The units in their order, with what each adds to the fitted cost by the parameter. It never falls, so the order stays.
fn priced(order: Vec<Loss>, growth: &Growth, price: impl Fn(usize) -> f64) -> Vec<Loss> {
    let all = order.len();
    let mut dearest = 0f64;
    let priced = order.into_iter().enumerate().map(|(gone, loss)| {
        let share = (gone as f64 + 0.5) / all as f64;
        dearest = dearest.max(growth.slope(share) / all as f64 / price(all - gone).max(1.0));
        Loss { value: dearest, error: STATISTIC_ERROR * dearest, ..loss }
    });
    priced.collect()
}

#[cfg(test)]
mod tests;
