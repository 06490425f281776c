//! What all allocations must do, and the searches against every split that there is.

use super::*;
use crate::base::{CancelToken, Random, Run};
use crate::calibrate::{Calibration, Shelf, Shelves, Statistics, Store};
use crate::checkpoint::MemoryScratch;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::model::testing::{Opened, TinyBert, open};
use crate::score::{LayerScores, Removal, ScoreOptions, Scores, Whole};
use pollster::block_on;

/// A model, and what plans of it are made over.
pub(super) struct Bench {
    pub(super) model: Opened,
    pub(super) device: Device,
    pub(super) run: Run,
    pub(super) calibration: Calibration,
    pub(super) statistics: Statistics,
    pub(super) store: Store,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::of(&TinyBert::default())
    }

    pub(super) fn of(model: &TinyBert) -> Self {
        let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
        Self {
            model: open(model.folder()),
            device: Device::Cpu(Cpu::new(CancelToken::default(), "a test")),
            run: Run::default(),
            calibration: Calibration::new(&[vec![2, 7, 9, 3], vec![2, 5, 3], vec![2, 8, 8, 6, 11, 3]], 8),
            statistics: Statistics::default(),
            store: Store::new(u64::MAX, Shelves { memory: shelf(), disk: shelf() }),
        }
    }

    pub(super) fn whole<'a>(&'a self, units: &'a [Unit], options: &'a ScoreOptions) -> Whole<'a> {
        Whole {
            affine: true,
            ratio: 0.5,
            device: &self.device,
            run: &self.run,
            checkpoint: &self.model.checkpoint,
            architecture: &self.model.architecture,
            units: units.to_vec(),
            calibration: &self.calibration,
            statistics: &self.statistics,
            store: &self.store,
            options,
            seed: 0,
        }
    }

    pub(super) fn request<'a>(&'a self, units: &'a [Unit], ratio: f64) -> Request<'a> {
        Request { architecture: &self.model.architecture, units, ratio, floor: 0.0, stock: false, length: Some(17.0) }
    }

    fn plan(&self, allocation: &dyn Allocation, request: Request<'_>, scores: &[LayerScores]) -> Result<Allocated> {
        let options = ScoreOptions::default();
        let whole = self.whole(request.units, &options);
        block_on(allocation.plan(&Planning { request, whole: &whole, scores }))
    }
}

/// Scores that differ between layers in size and in spread, as those of models do.
pub(super) fn scores(architecture: &Architecture, seed: u64) -> Vec<LayerScores> {
    let mut random = Random::new(seed);
    let mut of = |count: usize| {
        let (scale, spread) = (random.normal().exp(), random.uniform() + 0.2);
        Some(Scores::Independent((0..count).map(|_| scale * (spread * random.normal()).exp()).collect()))
    };
    architecture.layers.iter().map(|layer| Unit::ALL.map(|unit| of(layer.units(unit)))).collect()
}

const BOTH: &[Unit] = &Unit::ALL;
const UNITS: [&[Unit]; 3] = [&[Unit::Heads], &[Unit::Neurons], BOTH];
/// Those that decide by scores alone.
const BY_SCORES: [&dyn Allocation; 3] = [&global::Global, &search::PARAMETERS, &search::FLOPS];

/// Costs in an allocation's budget.
fn costs(allocation: &dyn Allocation, architecture: &Architecture) -> Costs {
    match allocation.budget() {
        Budget::Flops => Costs::flops(architecture, 17.0),
        _ => Costs::parameters(architecture),
    }
}

#[test]
fn costs_are_those_of_plans() {
    let architecture = &Bench::new().model.architecture;
    let mut plan = Plan::dense(architecture);
    assert_eq!(Costs::parameters(architecture).total(), architecture.linear_parameters() as f64);
    plan.layers[0].heads.truncate(1);
    plan.layers[2].neurons.truncate(5);
    assert_eq!(Costs::parameters(architecture).of(&plan), plan.linear_parameters(architecture) as f64);
    let by_hand = 2.0 * plan.linear_parameters(architecture) as f64 + 4.0 * 17.0 * 4.0 * (1 + 4 + 4) as f64;
    assert_eq!(Costs::flops(architecture, 17.0).of(&plan), by_hand);
}

#[test]
fn what_was_checked_is_met_and_layers_keep_something() {
    let bench = Bench::new();
    let mut met = 0;
    for (case, &allocation) in (0..40).flat_map(|case| BY_SCORES.iter().map(move |allocation| (case, allocation))) {
        let mut random = Random::new(case);
        let (units, ratio, floor) = (UNITS[case as usize % 3], 0.95 * random.uniform(), [0.0, 0.3][case as usize % 2]);
        let scores = scores(&bench.model.architecture, case);
        let request = || Request { floor, ..bench.request(units, ratio) };
        let found = bench.plan(allocation, request(), &scores);
        assert_eq!(allocation.check(&request()).is_ok(), found.is_ok(), "{} at {ratio}", allocation.name());
        let Ok(Allocated { plan, .. }) = found else { continue };
        met += 1;
        let costs = costs(allocation, &bench.model.architecture);
        let realised = 1.0 - costs.of(&plan) / costs.total();
        assert!((realised - ratio).abs() <= TOLERANCE, "{}: {realised} for {ratio}", allocation.name());
        for (kept, layer) in plan.layers.iter().zip(&bench.model.architecture.layers) {
            for unit in BOTH {
                let (kept, all) = (kept.kept(*unit).len(), layer.units(*unit));
                assert!(kept as f64 >= (floor * all as f64).max(1.0) && (units.contains(unit) || kept == all));
            }
        }
    }
    assert!(met > 40, "only {met} could be met");
}

#[test]
fn a_ratio_out_of_reach_is_refused_with_the_nearest() {
    let bench = Bench::new();
    let says = |allocation: &dyn Allocation, request: Request<'_>, words: &[&str]| {
        let message = allocation.check(&request).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)) && message.ends_with('.'), "{message}");
    };
    for allocation in [BY_SCORES[0], BY_SCORES[1], &sensitivity::Sensitivity] {
        // A head of a layer is 268 of 5688 parameters, and 9 of 12 may go; a neuron is 33, and 69 of 72 may go.
        says(allocation, bench.request(&[Unit::Heads], 0.3), &["removing heads alone", "are 0.283 and 0.330."]);
        says(allocation, bench.request(&[Unit::Heads], 0.6), &["removing heads alone; the nearest ratio that can is 0.424."]);
        says(allocation, bench.request(&[Unit::Neurons], 0.5), &["removing neurons alone", "ratio that can is 0.400."]);
        says(
            allocation,
            Request { floor: 0.5, ..bench.request(BOTH, 0.6) },
            &["heads and neurons while method.floor keeps 0.5 of", "is 0.492."],
        );
        says(
            allocation,
            Request { floor: 0.1, ..bench.request(&[Unit::Heads], 0.300_000_000_000_000_04) },
            &["A ratio of 0.3 cannot", "heads alone;"],
        );
    }
    says(&search::FLOPS, bench.request(BOTH, 0.95), &["nearest"]);
    // Before the text is read nothing can be said of FLOPs.
    search::FLOPS.check(&Request { length: None, ..bench.request(BOTH, 0.95) }).unwrap();
}

/// Losses of removable units of a kind, by layer, ascending, with their layer.
fn removable(scores: &[LayerScores], unit: Unit) -> Vec<(f64, usize)> {
    let mut all = Vec::new();
    for (layer, scores) in scores.iter().enumerate() {
        let mut values = scores[unit as usize].as_ref().unwrap().values();
        values.sort_by(f64::total_cmp);
        values.pop();
        all.extend(values.into_iter().map(|value| (value, layer)));
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// Widths when the first units of two lists are gone.
fn widths_without(architecture: &Architecture, gone: [&[(f64, usize)]; 2]) -> Vec<[usize; 2]> {
    let mut widths: Vec<[usize; 2]> = architecture.layers.iter().map(|layer| Unit::ALL.map(|unit| layer.units(unit))).collect();
    for (kind, gone) in gone.into_iter().enumerate() {
        gone.iter().for_each(|&(_, layer)| widths[layer][kind] -= 1);
    }
    widths
}

/// What was removed: the sum of its scores.
fn lost(plan: &Plan, scores: &[LayerScores]) -> f64 {
    let of = |kept: &[u32], scores: &Scores| -> f64 {
        scores.values().iter().enumerate().filter(|(index, _)| !kept.contains(&(*index as u32))).map(|(_, value)| value).sum()
    };
    let layers = plan.layers.iter().zip(scores);
    layers
        .map(|(kept, scores)| Unit::ALL.map(|unit| of(kept.kept(unit), scores[unit as usize].as_ref().unwrap())).iter().sum::<f64>())
        .sum()
}

/// The least loss among all splits whose cost, by widths, is in a range.
pub(super) fn least_of_all(
    architecture: &Architecture,
    scores: &[LayerScores],
    cost: impl Fn(&[[usize; 2]]) -> f64,
    range: std::ops::RangeInclusive<f64>,
) -> Option<f64> {
    let [heads, neurons] = Unit::ALL.map(|unit| removable(scores, unit));
    let mut least: Option<f64> = None;
    for (k, n) in (0..=heads.len()).flat_map(|k| (0..=neurons.len()).map(move |n| (k, n))) {
        if range.contains(&cost(&widths_without(architecture, [&heads[..k], &neurons[..n]]))) {
            let loss = heads[..k].iter().chain(&neurons[..n]).map(|(value, _)| value).sum::<f64>();
            least = Some(least.map_or(loss, |least| least.min(loss)));
        }
    }
    least
}

#[test]
fn a_search_loses_the_least_of_all_splits() {
    let bench = Bench::new();
    let architecture = &bench.model.architecture;
    for seed in 0..12 {
        let scores = scores(architecture, seed);
        let ratio = 0.1 + 0.06 * seed as f64;
        let found = bench.plan(&search::PARAMETERS, bench.request(BOTH, ratio), &scores).unwrap().plan;
        let parameters = |widths: &[[usize; 2]]| {
            let layers = architecture.layers.iter().zip(widths);
            layers.map(|(layer, &[heads, neurons])| layer.linear_parameters(heads, neurons)).sum::<u64>() as f64
        };
        // Half a neuron too much may stay, and half a point too much may go.
        let total = architecture.linear_parameters() as f64;
        let range = (1.0 - ratio - TOLERANCE) * total..=(1.0 - ratio) * total + 33.0 / 2.0;
        let least = least_of_all(architecture, &scores, parameters, range).unwrap();
        assert!((lost(&found, &scores) - least).abs() <= 1e-12 * least, "{} is not {least}", lost(&found, &scores));
    }
}

/// K-prune puts one threshold over scores by the operation: the search under FLOPs removes what lies below it, to the last unit.
#[test]
fn the_least_loss_is_a_threshold_by_the_operation() {
    let bench = Bench::new();
    let architecture = &bench.model.architecture;
    let costs = Costs::flops(architecture, 17.0);
    let mut within = 0;
    for seed in 0..12 {
        let scores = scores(architecture, seed);
        let ratio = 0.1 + 0.06 * seed as f64;
        let found = bench.plan(&search::FLOPS, bench.request(BOTH, ratio), &scores).unwrap().plan;
        let price = |unit: Unit| costs.last(0, unit, 2);
        let of = |unit: Unit| removable(&scores, unit).into_iter().map(move |(value, _)| (value, price(unit)));
        let mut all: Vec<(f64, f64)> = Unit::ALL.into_iter().flat_map(of).collect();
        all.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let target = ratio * costs.total() - price(Unit::Neurons) / 2.0;
        let (mut saved, mut threshold, mut last) = (0.0, 0.0, 0.0);
        for (value, cost) in all {
            if saved >= target {
                break;
            }
            (saved, threshold, last) = (saved + cost, threshold + value, value);
        }
        let loss = lost(&found, &scores);
        assert!(loss >= (threshold - last) * (1.0 - 1e-12), "{loss} is less than what lies below the threshold");
        if saved <= (ratio + TOLERANCE) * costs.total() {
            within += 1;
            assert!(loss <= threshold * (1.0 + 1e-12), "{loss} is more than what lies below the threshold, {threshold}");
        }
    }
    assert!(within > 3, "only {within} thresholds could be compared");
}

#[test]
fn units_compete_by_how_they_stand_out_in_their_layer() {
    let bench = Bench::new();
    let architecture = &bench.model.architecture;
    for seed in 0..12 {
        let scores = scores(architecture, seed);
        let found = bench.plan(&global::Global, bench.request(BOTH, 0.1 + 0.05 * seed as f64), &scores).unwrap().plan;
        let mut standing: Vec<(f64, bool, Unit)> = Vec::new();
        for (kept, scores) in found.layers.iter().zip(&scores) {
            for unit in Unit::ALL {
                let values = scores[unit as usize].as_ref().unwrap().values();
                let count = values.len() as f64;
                let mean = values.iter().sum::<f64>() / count;
                let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
                let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let competing = values.iter().enumerate().filter(|(_, value)| **value < best);
                standing.extend(competing.map(|(i, value)| ((value - mean) / deviation, kept.kept(unit).contains(&(i as u32)), unit)));
            }
        }
        standing.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Each kind by itself is cut at a threshold.
        for unit in Unit::ALL {
            let kept: Vec<bool> = standing.iter().filter(|(.., of)| *of == unit).map(|(_, kept, _)| *kept).collect();
            assert!(kept.is_sorted(), "{unit:?} are not cut at a threshold: {kept:?}");
        }
        // Between the two thresholds lies no more than what the last head was too large by.
        let first = standing.iter().position(|(_, kept, _)| *kept).unwrap();
        let between = standing[first..].iter().filter(|(_, kept, _)| !kept).count();
        assert!(between * 33 <= 268, "{between} units were removed before ones that stand out less");
    }
}

#[test]
fn equal_scores_stay_in_the_lower_layers_and_at_the_lower_indices() {
    let bench = Bench::new();
    let equal: Vec<LayerScores> = bench
        .model
        .architecture
        .layers
        .iter()
        .map(|layer| Unit::ALL.map(|unit| Some(Scores::Independent(vec![1.0; layer.units(unit)]))))
        .collect();
    for allocation in [BY_SCORES[0], BY_SCORES[1]] {
        // 30 neurons: 23 of the last layer, 7 of the one below.
        let found = bench.plan(allocation, bench.request(&[Unit::Neurons], 30.0 * 33.0 / 5688.0), &equal).unwrap();
        assert_eq!(found.plan.layers.iter().map(|layer| layer.neurons.len()).collect::<Vec<_>>(), [24, 17, 1]);
        assert_eq!(found.plan.layers[1].neurons, (0..17).collect::<Vec<u32>>());
        assert_eq!(found.close_calls.len(), 69, "all but the one that stays in each layer");
    }
}

#[test]
fn close_calls_are_those_across_layers() {
    let bench = Bench::new();
    let mut scores = scores(&bench.model.architecture, 3);
    let neurons = |first: f64| Some(Scores::Independent((0..24).map(|i| first + f64::from(i)).collect()));
    for (layer, first) in [(0, 10.0), (1, 10.000_5), (2, 100.0)] {
        scores[layer][1] = neurons(first);
    }
    // One of the two that lose least; the other is nearly the same.
    let found = bench.plan(&search::PARAMETERS, bench.request(&[Unit::Neurons], 33.0 / 5688.0), &scores).unwrap();
    let calls: Vec<(usize, u32, bool)> = found.close_calls.iter().map(|call| (call.layer.unwrap(), call.index, call.kept)).collect();
    assert_eq!(calls, [(1, 0, true), (0, 0, false)]);
    assert_eq!(found.plan.layers[0].neurons, (1..24).collect::<Vec<u32>>());
}

#[test]
fn a_curve_is_walked_in_its_own_order() {
    let bench = Bench::new();
    let mut scores = scores(&bench.model.architecture, 1);
    // The third step costs less than the second, so both count the same; index 0 would go first by index alone.
    let order = [5, 9, 0, 7];
    let rest = (0..24).filter(|unit| !order.contains(unit));
    let step = |(place, unit): (usize, u32)| Removal { unit, cost: [1.0, 3.0, 2.0].get(place).copied().unwrap_or(1e6) };
    scores[1][1] = Some(Scores::Curve(order.into_iter().chain(rest).enumerate().map(step).collect()));
    for layer in [0, 2] {
        scores[layer][1] = Some(Scores::Independent(vec![1e9; 24]));
    }
    let kept = |removed: f64| {
        let found = bench.plan(&search::PARAMETERS, bench.request(&[Unit::Neurons], removed * 33.0 / 5688.0), &scores).unwrap();
        (0..24).filter(|unit| !found.plan.layers[1].neurons.contains(unit)).collect::<Vec<u32>>()
    };
    assert_eq!([kept(1.0), kept(2.0), kept(3.0)], [vec![5], vec![5, 9], vec![0, 5, 9]]);
}
