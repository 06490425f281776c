//! Uniform: every layer keeps the same share of its heads, and its FFN takes up what whole heads round away.

use super::{Allocated, Allocation, LayerPlan, Plan, Planning, Request, TOLERANCE, Widths, select};
use crate::base::{Error, LocalFuture, Result};
use crate::model::{Layer, Unit};

pub(super) struct Uniform;

impl Allocation for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn title(&self) -> &'static str {
        "Uniform"
    }

    fn summary(&self) -> &'static str {
        "Every layer loses the same share; FFN width takes up what whole heads round away."
    }

    fn uneven(&self) -> bool {
        false
    }

    fn check(&self, request: &Request<'_>) -> Result<()> {
        let realised = realised(request, request.ratio);
        if (realised - request.ratio).abs() <= TOLERANCE {
            return Ok(());
        }
        Err(request.unreachable(nearest(request)))
    }

    fn plan<'a>(&'a self, planning: &'a Planning<'a>) -> LocalFuture<'a, Result<Allocated>> {
        Box::pin(async move {
            let request = &planning.request;
            let mut plan = Plan::dense(request.architecture);
            let mut close_calls = Vec::new();
            for (index, (layer, scores)) in request.architecture.layers.iter().zip(planning.scores).enumerate() {
                let widths = widths(request, layer, request.ratio);
                for (unit, keep) in [(Unit::Heads, widths.heads), (Unit::Neurons, widths.neurons)] {
                    if keep == layer.units(unit) {
                        continue;
                    }
                    let scores = scores[unit as usize].as_ref().ok_or_else(|| Error::internal("an allocation without scores"))?;
                    let (kept, close) = select(scores, keep, index, unit);
                    *LayerPlan::kept_mut(&mut plan.layers[index], unit) = kept;
                    close_calls.extend(close);
                }
            }
            Ok(Allocated::new(plan, close_calls))
        })
    }
}

/// Units that one layer keeps at a ratio: at least one of each kind. Heads alone are counted so that their parameters come
/// nearest; where neurons can take up the rest, they keep the same share as everything else.
fn widths(request: &Request<'_>, layer: &Layer, ratio: f64) -> Widths {
    let all = layer.units(Unit::Heads);
    let target = (1.0 - ratio) * layer.linear_parameters(all, layer.neurons) as f64;
    let heads = request.units.contains(&Unit::Heads);
    if !request.units.contains(&Unit::Neurons) {
        let miss = |count: usize| (layer.linear_parameters(count, layer.neurons) as f64 - target).abs();
        return Widths { heads: if heads { nearest_heads(request, layer, miss) } else { all }, neurons: layer.neurons };
    }
    let miss = |count: usize| (count as f64 - all as f64 * (1.0 - ratio)).abs();
    let heads = if heads { nearest_heads(request, layer, miss) } else { all };
    let (without, with) = (layer.linear_parameters(heads, 0) as f64, layer.linear_parameters(heads, layer.neurons) as f64);
    Widths { heads, neurons: nearest_count(layer.neurons, (target - without) / (with - without).max(1.0)) }
}

/// The number of units of attention that misses least, of those that the output can say; the larger of two.
fn nearest_heads(request: &Request<'_>, layer: &Layer, miss: impl Fn(usize) -> f64) -> usize {
    let all = layer.units(Unit::Heads);
    let legal = (1..=all).rev().filter(|&count| !request.stock || request.architecture.stock_heads(layer, count));
    legal.fold(all, |best, count| if miss(count) < miss(best) { count } else { best })
}

/// The whole number nearest to a share of `count`, within 1..=count.
fn nearest_count(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).clamp(1, count.max(1))
}

/// Share of parameters that is removed when `ratio` is asked for.
fn realised(request: &Request<'_>, ratio: f64) -> f64 {
    let layers = &request.architecture.layers;
    let kept: u64 = layers
        .iter()
        .map(|layer| {
            let widths = widths(request, layer, ratio);
            layer.linear_parameters(widths.heads, widths.neurons)
        })
        .sum();
    1.0 - kept as f64 / request.architecture.linear_parameters().max(1) as f64
}

/// The nearest realisable ratios below and above the one asked for, of those that realise themselves.
fn nearest(request: &Request<'_>) -> [Option<f64>; 2] {
    let legal = (0..=1000)
        .map(|step| realised(request, f64::from(step) / 1000.0))
        .filter(|&ratio| (realised(request, ratio) - ratio).abs() <= TOLERANCE);
    legal.fold([None, None], |[below, above]: [Option<f64>; 2], ratio| {
        if ratio <= request.ratio {
            [Some(below.map_or(ratio, |b| b.max(ratio))), above]
        } else {
            [below, Some(above.map_or(ratio, |a| a.min(ratio)))]
        }
    })
}
