//! Removal costs against errors that are computed apart, and every criterion on a small model.

use super::system::channels;
use super::{Removal, ScoreOptions, Scores, Whole, criterion, hidden_scores, obs, osscar, swaps};
use crate::base::algebra::{Dense, Sweep, spd_inverse};
use crate::base::{CancelToken, Pace, Random, Run};
use crate::calibrate::{Calibration, LossTargets, Needs, Shelf, Shelves, Store, dense_pass};
use crate::checkpoint::MemoryScratch;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::model::Unit;
use crate::model::testing::{TinyBert, open};
use pollster::block_on;
use proptest::prelude::*;

/// Damped second moments of a consumer's inputs, and its weights.
struct System {
    a: Dense,
    w: Dense,
}

/// A system of correlated inputs of different sizes.
fn system(n: usize, d: usize, seed: u64) -> System {
    let mut random = Random::new(seed);
    let tokens: Vec<Vec<f64>> = (0..2 * n)
        .map(|_| {
            let shared = random.normal();
            (0..n).map(|i| (1.0 + (i % 4) as f64) * (random.normal() + shared * (i % 3) as f64)).collect()
        })
        .collect();
    let mut a = Dense::zeros(n, n);
    for i in 0..n {
        for j in 0..n {
            let damping = if i == j { 0.05 } else { 0.0 };
            a.row_mut(i)[j] = tokens.iter().map(|x| x[i] * x[j]).sum::<f64>() / tokens.len() as f64 + damping;
        }
    }
    let w = Dense::new(n, d, (0..n * d).map(|_| random.normal()).collect()).unwrap();
    System { a, w }
}

impl System {
    /// min over V of tr((W - V)ᵀ A (W - V)), V being zero outside of the kept channels: through the normal equations of the kept.
    fn error(&self, kept: &[usize]) -> f64 {
        let (n, d) = (self.w.rows, self.w.cols);
        let y = |i: usize, c: usize| (0..n).map(|k| self.a.at(i, k) * self.w.at(k, c)).sum::<f64>();
        let whole: f64 = (0..n * d).map(|at| self.w.values[at] * y(at / d, at % d)).sum();
        let values = kept.iter().flat_map(|&i| kept.iter().map(move |&j| self.a.at(i, j))).collect();
        let right = kept.iter().flat_map(|&i| (0..d).map(move |c| y(i, c))).collect();
        let factor = Dense::new(kept.len(), kept.len(), values).unwrap().cholesky().unwrap();
        whole - factor.lower_solve(&Dense::new(kept.len(), d, right).unwrap()).square()
    }

    fn error_of(&self, kept: &[u32], size: usize) -> f64 {
        self.error(&kept.iter().flat_map(|&unit| channels(unit, size)).collect::<Vec<_>>())
    }

    fn sweep(&self) -> Sweep {
        let inverse = paced(async |pace| spd_inverse(self.a.clone(), pace).await).unwrap();
        Sweep::from_inverse(inverse, self.w.clone()).unwrap()
    }

    fn curve(&self, size: usize, one_by_one: usize) -> Vec<Removal> {
        paced(async |pace| osscar::curve(self.sweep(), size, one_by_one, pace).await)
    }

    fn swapped(&self, size: usize, kept: &[u32], swaps: usize) -> Vec<u32> {
        paced(async |pace| swaps::swapped(self.sweep(), size, kept.to_vec(), swaps, pace).await)
    }
}

fn paced<T>(work: impl AsyncFnOnce(&mut Pace<'_>) -> crate::base::Result<T>) -> T {
    let token = CancelToken::default();
    block_on(work(&mut Pace::new(&token))).unwrap()
}

/// What is left of `units` after the first removals, ascending.
fn left(units: usize, removals: &[Removal]) -> Vec<u32> {
    (0..units as u32).filter(|unit| removals.iter().all(|removal| removal.unit != *unit)).collect()
}

/// Errors are differences of sums of the size of the whole output's square.
const ROUNDING: f64 = 1e-9;

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn obs_is_the_error_of_one_removal(units in 2usize..12, size in 1usize..4, seed: u64) {
        let system = system(units * size, 3, seed);
        let scale = ROUNDING * system.error(&[]);
        let costs = paced(async |pace| obs::costs(&system.sweep(), units as u32, size, pace).await);
        for (unit, cost) in costs.iter().enumerate() {
            let others: Vec<u32> = (0..units as u32).filter(|&other| other as usize != unit).collect();
            prop_assert!((cost - system.error_of(&others, size)).abs() < scale);
        }
        // What goes first is what costs least alone.
        let first = system.curve(size, usize::MAX)[0];
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert_eq!(first.unit, costs.iter().position(|&cost| cost == least).unwrap() as u32);
        prop_assert!((first.cost - least).abs() < scale);
    }

    /// Costs add up to the error of pruning and refitting, and each is the least there was: by removing every unit that is left.
    #[test]
    fn curves_are_greedy_and_exact(units in 2usize..14, size in 1usize..4, seed: u64) {
        let system = system(units * size, 3, seed);
        let scale = ROUNDING * system.error(&[]);
        let curve = system.curve(size, usize::MAX);
        prop_assert_eq!(curve.len(), units);
        let mut total = 0.0;
        for (step, removal) in curve.iter().enumerate() {
            let before = left(units, &curve[..step]);
            let cost = |unit: u32| system.error_of(&before.iter().copied().filter(|&u| u != unit).collect::<Vec<_>>(), size) - total;
            let least = before.iter().map(|&unit| cost(unit)).fold(f64::INFINITY, f64::min);
            prop_assert!((removal.cost - cost(removal.unit)).abs() < scale && removal.cost < least + scale);
            total += removal.cost;
        }
        prop_assert!((total - system.error(&[])).abs() < scale);
    }

    /// More than two panels; one by one, and several at a time while many are left.
    #[test]
    fn long_curves_are_exact(seed: u64, one_by_one in prop_oneof![Just(usize::MAX), 8usize..40]) {
        let system = system(150, 2, seed);
        let curve = system.curve(1, one_by_one);
        let mut seen: Vec<u32> = curve.iter().map(|removal| removal.unit).collect();
        for cut in [1, 63, 64, 65, 130, 149] {
            let total: f64 = curve[..cut].iter().map(|removal| removal.cost).sum();
            let error = system.error_of(&left(150, &curve[..cut]), 1);
            prop_assert!((total - error).abs() < ROUNDING * system.error(&[]), "{cut}: {total} {error}");
        }
        seen.sort_unstable();
        prop_assert!(seen.into_iter().eq(0..150));
    }

    /// Each swap is the best of all pairs, until none helps.
    #[test]
    fn swaps_are_the_best_there_are(units in 3usize..9, size in 1usize..4, keep in 1usize..8, seed: u64) {
        let keep = keep.min(units - 1);
        let system = system(units * size, 2, seed);
        let scale = ROUNDING * system.error(&[]);
        // Not the greedy choice, which often cannot be bettered.
        let mut kept: Vec<u32> = Random::new(seed).sample(units, keep).into_iter().map(|unit| unit as u32).collect();
        kept.sort_unstable();
        for _ in 0..20 {
            let error = system.error_of(&kept, size);
            let removed: Vec<u32> = (0..units as u32).filter(|unit| !kept.contains(unit)).collect();
            let mut best = f64::INFINITY;
            for at in 0..keep {
                for &joins in &removed {
                    let mut other = kept.clone();
                    other[at] = joins;
                    best = best.min(system.error_of(&other, size));
                }
            }
            let next = system.swapped(size, &kept, 1);
            let now = system.error_of(&next, size);
            prop_assert!(next.len() == keep && next.is_sorted());
            if next == kept {
                prop_assert!(best > error - scale);
                break;
            }
            prop_assert!(now < error && now < best + scale);
            kept = next;
        }
        // Many at once end where single ones do.
        prop_assert_eq!(system.swapped(size, &kept, 50), kept);
    }

    #[test]
    fn swaps_never_harm_the_greedy_choice(units in 3usize..40, seed: u64) {
        let system = system(units, 2, seed);
        let curve = system.curve(1, usize::MAX);
        let kept = left(units, &curve[..units / 2]);
        let greedy = system.error_of(&kept, 1);
        prop_assert!(system.error_of(&system.swapped(1, &kept, 5), 1) <= greedy);
    }
}

/// Scores of a small BERT over invented sentences, through the store, centred or not.
fn scores(name: &str, affine: bool) -> Vec<[Scores; 2]> {
    on_whole(affine, Needs { statistics: true, gram: true, ..Needs::default() }, |whole| {
        let scores = block_on(criterion(name).unwrap().score_all(whole)).unwrap();
        scores.into_iter().map(|layer| layer.map(Option::unwrap)).collect()
    })
}

/// What `work` makes of a small BERT with the statistics of invented sentences.
fn on_whole<T>(affine: bool, needs: Needs, work: impl FnOnce(&Whole<'_>) -> T) -> T {
    let opened = open(TinyBert::default().folder());
    let device = Device::Cpu(Cpu::new(CancelToken::default(), "tests"));
    let run = Run::default();
    let mut random = Random::new(3);
    let sequences: Vec<Vec<u32>> = (0..30).map(|_| (0..4 + random.below(9)).map(|_| random.below(40) as u32).collect()).collect();
    let calibration = Calibration::new(&sequences, 64);
    let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
    let store = Store::new(0, Shelves { memory: shelf(), disk: shelf() });
    let pass = dense_pass(&device, &run, &opened.checkpoint, &opened.architecture, &calibration, needs, &store);
    let statistics = block_on(pass).unwrap();
    let options = ScoreOptions::default();
    let whole = Whole {
        device: &device,
        run: &run,
        checkpoint: &opened.checkpoint,
        architecture: &opened.architecture,
        units: Unit::ALL.to_vec(),
        calibration: &calibration,
        statistics: &statistics,
        store: &store,
        affine,
        ratio: 0.5,
        options: &options,
        seed: 5,
    };
    work(&whole)
}

/// Where biases stay, readers of a channel lose its mean too.
#[test]
fn channels_count_their_means_where_biases_stay() {
    let needs = Needs { statistics: true, readers: true, ..Needs::default() };
    let of = |affine: bool| {
        on_whole(affine, needs, |whole| {
            let scores = block_on(hidden_scores(whole.checkpoint, whole.architecture, whole.statistics, affine)).unwrap();
            let readers = whole.statistics.readers.as_ref().unwrap();
            let sums = &readers.head;
            (scores, sums.squares.iter().zip(sums.variances()).any(|(square, variance)| square / sums.count > 1.01 * variance))
        })
    };
    let ((centred, means), (raw, _)) = (of(true), of(false));
    assert!(means, "no channel has a mean, so that the test shows nothing");
    assert!(centred.iter().zip(&raw).any(|(a, b)| (a - b).abs() > 1e-3 * a), "{centred:?}");
}

#[test]
fn every_criterion_scores_every_unit() {
    for name in ["flap", "magnitude", "second_moment", "wanda_sp", "obs", "osscar", "kcm", "random"] {
        let layers = scores(name, true);
        assert_eq!(layers.len(), 3);
        for (scores, units) in layers.iter().flat_map(|layer| layer.iter().zip([4, 24])) {
            assert_eq!((scores.len(), scores.values().len()), (units, units), "{name}");
            assert!(scores.values().iter().all(|score| score.is_finite() && *score >= 0.0), "{name}: {scores:?}");
        }
        // The same again, and not the same everywhere.
        assert_eq!(layers, scores(name, true));
        assert!(layers[0] != layers[1]);
    }
}

#[test]
fn a_system_that_is_not_definite_is_said() {
    let token = CancelToken::default();
    for size in [1, 2] {
        let inverse = Dense::new(4, 4, (0..16).map(|at| if at % 5 == 0 { [1.0, -1.0][at % 2] } else { 0.0 }).collect()).unwrap();
        let sweep = Sweep::from_inverse(inverse, Dense::new(4, 1, vec![1.0; 4]).unwrap()).unwrap();
        let curve = block_on(osscar::curve(sweep, size, usize::MAX, &mut Pace::new(&token)));
        assert!(curve.unwrap_err().to_string().contains("not positive definite"), "units of {size}");
    }
}

/// A sum that allocations can add up, whatever a unit costs.
#[test]
fn knowledge_is_of_the_predictions_and_of_the_outputs() {
    let needs = criterion("kprune").unwrap().needs();
    on_whole(true, needs, |whole| {
        let found = block_on(criterion("kprune").unwrap().score_all(whole)).unwrap();
        let gradients = block_on(whole.mask_gradients(LossTargets::Drawn { seed: whole.seed })).unwrap();
        let predictions: usize = gradients.predictions.iter().sum();
        for (layer, scores) in found.iter().enumerate() {
            let host = block_on(whole.host(layer)).unwrap();
            for unit in Unit::ALL {
                let site = whole.site(layer, unit, &host);
                let (sums, weights) = (site.sums().unwrap(), site.consumer_squares().unwrap());
                let squares = gradients.sums(layer, unit, |sequence, gradient| (gradients.predictions[sequence] as f64 * gradient).powi(2));
                for (index, score) in scores[unit as usize].as_ref().unwrap().values().into_iter().enumerate() {
                    let channels = index * site.unit_size..(index + 1) * site.unit_size;
                    let outputs: f64 = channels.map(|c| sums.squares[c] / sums.count * weights[c] / site.consumer().outputs() as f64).sum();
                    let expected = 0.5 * squares[index] / predictions as f64 + 2.5e-4 * outputs;
                    assert!(expected > 0.0 && (score / expected - 1.0).abs() < 1e-9, "{score} is not {expected}");
                }
            }
        }
    });
}

/// A removal that a bias can soften costs less, and never more than what truncation leaves.
#[test]
fn a_bias_lowers_what_a_removal_costs() {
    let (centred, raw, truncated) = (scores("obs", true), scores("obs", false), scores("second_moment", true));
    for ((centred, raw), truncated) in centred.iter().flatten().zip(raw.iter().flatten()).zip(truncated.iter().flatten()) {
        let sums = [centred, raw].map(|scores| scores.values().iter().sum::<f64>());
        assert!(sums[0] < sums[1]);
        // For units of one channel: damping adds its share of the mean diagonal.
        if raw.len() == 24 {
            assert!(raw.values().iter().zip(truncated.values()).filter(|(raw, truncated)| **raw <= *truncated).count() > 20);
        }
    }
}

#[test]
fn a_threshold_on_a_curve_takes_its_beginning() {
    let step = |unit, cost| Removal { unit, cost };
    let curve = Scores::Curve(vec![step(2, 1.0), step(0, 3.0), step(1, 2.0), step(3, 4.0)]);
    assert_eq!(curve.values(), [3.0, 3.0, 1.0, 4.0]);
    assert_eq!(Scores::Independent(vec![1.0, 0.5]).values(), [1.0, 0.5]);
}
