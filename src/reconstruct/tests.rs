//! Repairs against plain f64 least squares, and the choice between them.

use super::{Fit, Outcome, Problem, Problems, RepairOptions, Ridge, SiteOptions, Wanted, repair, repair_site};
use crate::base::{CancelToken, Random};
use crate::calibrate::Moments;
use crate::device::cpu::Cpu;
use crate::device::{Device, Op, Tensor};
use pollster::block_on;
use proptest::prelude::*;

fn device() -> Device {
    Device::Cpu(Cpu::new(CancelToken::default(), "tests"))
}

struct Data {
    device: Device,
    tokens: usize,
    inputs: usize,
    outputs: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    moments: Moments,
    dense: Tensor,
}

/// Tokens whose channels are correlated and off-centre, so that there is something to interpolate and a mean to carry.
fn data(tokens: usize, inputs: usize, outputs: usize, seed: u64) -> Data {
    let device = device();
    let mut random = Random::new(seed);
    let mut x = vec![0f32; tokens * inputs];
    for row in x.chunks_exact_mut(inputs) {
        let shared = random.normal();
        row.iter_mut().enumerate().for_each(|(i, v)| *v = (shared * (i % 3) as f64 + random.normal() + 0.5) as f32);
    }
    let weight: Vec<f32> = (0..inputs * outputs).map(|_| random.normal() as f32).collect();
    let mut moments = block_on(Moments::new(&device, inputs, true)).unwrap();
    let tensor = block_on(device.upload(tokens, inputs, &x)).unwrap();
    block_on(moments.add(&device, &tensor)).unwrap();
    let dense = block_on(device.upload(inputs, outputs, &weight)).unwrap();
    Data { device, tokens, inputs, outputs, x, weight, moments, dense }
}

impl Data {
    fn problem(&self, kept: &[u32]) -> Problem {
        self.problem_of(kept, true)
    }

    fn problem_of(&self, kept: &[u32], affine: bool) -> Problem {
        let sums = block_on(self.moments.read_sums(&self.device)).unwrap();
        let gram = self.moments.gram.as_ref();
        let wanted = block_on(Wanted::new(&self.device, &sums, gram, &self.dense)).unwrap();
        block_on(Problem::plain(&self.device, &sums, gram, &wanted, kept, affine)).unwrap()
    }

    fn truncated(&self, kept: &[u32]) -> Tensor {
        block_on(self.device.select(&self.dense, Some(kept), None)).unwrap()
    }

    /// Mean squared error of weights V and a shift over the tokens themselves, over the variance of the dense output.
    fn error(&self, kept: &[u32], v: &[f32], shift: &[f64]) -> f64 {
        let output = |row: &[f32], d: usize| -> f64 {
            (0..self.inputs).map(|i| f64::from(row[i]) * f64::from(self.weight[i * self.outputs + d])).sum()
        };
        let (mut error, mut spread) = (0.0, 0.0);
        for d in 0..self.outputs {
            let wanted: Vec<f64> = self.x.chunks_exact(self.inputs).map(|row| output(row, d)).collect();
            let mean = wanted.iter().sum::<f64>() / self.tokens as f64;
            for (row, wanted) in self.x.chunks_exact(self.inputs).zip(&wanted) {
                let given: f64 =
                    kept.iter().enumerate().map(|(k, &i)| f64::from(row[i as usize]) * f64::from(v[k * self.outputs + d])).sum();
                error += (wanted - given - shift[d]).powi(2);
                spread += (wanted - mean).powi(2);
            }
        }
        error / spread
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// The error that a problem tells is the error over the tokens that it sums up. Tolerance: centred f32 sums over at most
    /// 200 tokens, relative to a spread of order 1.
    #[test]
    fn told_errors_are_real(tokens in 20usize..200, inputs in 2usize..12, outputs in 1usize..6, seed: u64) {
        let data = data(tokens, inputs, outputs, seed);
        let kept: Vec<u32> = (0..inputs as u32).filter(|i| i % 2 == 0).collect();
        let (problem, truncated) = (data.problem(&kept), data.truncated(&kept));
        for name in ["none", "bias", "mask_tuning", "liar"] {
            let fit = block_on(repair(name).unwrap().solve(&data.device, &problem, &truncated, RepairOptions { ridge: 0.01, unit_size: 1 })).unwrap();
            let told = block_on(problem.error(&data.device, &fit)).unwrap().unwrap();
            let real = data.error(&kept, &block_on(data.device.read(&fit.weight)).unwrap(), &fit.shift);
            prop_assert!((told - real).abs() <= 1e-4 * real.max(1.0), "{name}: told {told}, real {real}");
        }
    }

    /// No small change of LIAR's weights or shift lowers the damped squared error: it is the minimum.
    #[test]
    fn liar_is_a_minimum(inputs in 2usize..10, seed: u64, ridge in 0.001f64..0.1) {
        let data = data(300, inputs, 3, seed);
        let kept: Vec<u32> = (0..inputs as u32).filter(|i| i % 2 == 0).collect();
        let (problem, truncated) = (data.problem(&kept), data.truncated(&kept));
        let fit = block_on(repair("liar").unwrap().solve(&data.device, &problem, &truncated, RepairOptions { ridge, unit_size: 1 })).unwrap();
        let (best, before) = (block_on(data.device.read(&fit.weight)).unwrap(), block_on(data.device.read(&truncated)).unwrap());
        let spread = data.error(&kept, &vec![0.0; best.len()], &[0.0; 3]);
        prop_assert!(spread > 0.0);
        // Objective in units of the outputs' summed variance, as `error` gives it.
        let scale: f64 = {
            let unit = data.error(&kept, &best, &fit.shift.iter().map(|s| s + 1.0).collect::<Vec<_>>()) - data.error(&kept, &best, &fit.shift);
            // A shift by 1 in every output adds tokens * outputs to the squared error.
            (data.tokens * data.outputs) as f64 / unit
        };
        let cost = |v: &[f32], shift: &[f64]| {
            let pull: f64 = v.iter().zip(&before).map(|(v, b)| f64::from(v - b).powi(2)).sum();
            data.error(&kept, v, shift) * scale + fit.damping * problem.mean_variance() * pull
        };
        let lowest = cost(&best, &fit.shift);
        for i in 0..best.len() {
            for step in [-0.05f32, 0.05] {
                let mut moved = best.clone();
                moved[i] += step;
                prop_assert!(cost(&moved, &fit.shift) >= lowest * (1.0 - 1e-6));
            }
        }
    }
}

/// Mask tuning against its own least squares in f64, written out over tokens: units of one and of two channels, with a bias.
/// Tolerance: f32 sums over 300 tokens on a system of at most six unknowns.
#[test]
fn mask_tuning_is_least_squares_over_scalars() {
    for unit_size in [1, 2] {
        let (inputs, ridge) = (12, 0.02);
        let data = data(300, inputs, 3, 11);
        let kept: Vec<u32> = (0..inputs as u32).filter(|i| (i / 2) % 2 == 0).collect();
        let options = RepairOptions { ridge, unit_size };
        let truncated = data.truncated(&kept);
        let fit = block_on(repair("mask_tuning").unwrap().solve(&data.device, &data.problem(&kept), &truncated, options)).unwrap();
        let units = kept.len() / unit_size;

        // Columns z_g over tokens and outputs, each centred per output; y likewise.
        let rows = data.tokens * data.outputs;
        let mut columns = vec![vec![0.0; rows]; units + 1];
        for d in 0..data.outputs {
            for (t, x) in data.x.chunks_exact(inputs).enumerate() {
                let term = |i: usize| f64::from(x[i]) * f64::from(data.weight[i * data.outputs + d]);
                for (k, &i) in kept.iter().enumerate() {
                    columns[k / unit_size][d * data.tokens + t] += term(i as usize);
                }
                columns[units][d * data.tokens + t] = (0..inputs).map(term).sum();
            }
        }
        for column in &mut columns {
            for part in column.chunks_exact_mut(data.tokens) {
                let mean = part.iter().sum::<f64>() / data.tokens as f64;
                part.iter_mut().for_each(|v| *v -= mean);
            }
        }
        let dot = |a: usize, b: usize| -> f64 { columns[a].iter().zip(&columns[b]).map(|(a, b)| a * b).sum() };
        let damping = ridge * (0..units).map(|g| dot(g, g)).sum::<f64>() / units as f64;
        let written = block_on(data.device.read(&fit.weight)).unwrap();
        let before = block_on(data.device.read(&truncated)).unwrap();
        let factors: Vec<f64> = (0..units).map(|g| f64::from(written[g * unit_size * 3] / before[g * unit_size * 3])).collect();
        for (i, (w, b)) in written.iter().zip(&before).enumerate() {
            assert!((f64::from(*w) - f64::from(*b) * factors[i / 3 / unit_size]).abs() < 1e-4, "one factor a unit");
        }
        // The gradient of the damped objective vanishes.
        for g in 0..units {
            let gradient = (0..units).map(|h| dot(g, h) * factors[h]).sum::<f64>() - dot(g, units) + damping * (factors[g] - 1.0);
            assert!(gradient.abs() < 1e-3 * dot(g, g), "{unit_size}: {gradient}");
        }
    }
}

/// `auto` takes the damping that does best on held-out tokens.
#[test]
fn the_best_damping_is_chosen() {
    let fit = data(14, 9, 3, 2);
    let mut held_out = data(400, 9, 3, 3);
    (held_out.dense, held_out.weight) = (fit.dense.clone(), fit.weight.clone());
    let kept = [0, 1, 2, 3, 4, 5];
    let (on_fit, on_held_out, truncated) = (fit.problem(&kept), held_out.problem(&kept), fit.truncated(&kept));
    let liar = repair("liar").unwrap();
    let error = |ridge: f64| {
        let found = block_on(liar.solve(&fit.device, &on_fit, &truncated, RepairOptions { ridge, unit_size: 1 })).unwrap();
        block_on(on_held_out.error(&fit.device, &found)).unwrap().unwrap()
    };
    let best = Ridge::GRID.into_iter().map(error).fold(f64::INFINITY, f64::min);
    let problems = Problems { fit: &on_fit, held_out: Some(&on_held_out) };
    let options = SiteOptions { ridge: Ridge::Auto, unit_size: 1 };
    let chosen = block_on(repair_site(&fit.device, liar, problems, &truncated, options, async |_| Ok(true))).unwrap().1;
    assert!((chosen.error_with.unwrap() - best).abs() <= 1e-12, "{chosen:?} {best}");
}

/// Problems of two sets of tokens add up to the problem of all of them. Tolerance: f32 sums in another order.
#[test]
fn problems_add_up() {
    let (a, mut b) = (data(150, 8, 3, 5), data(90, 8, 3, 6));
    (b.dense, b.weight) = (a.dense.clone(), a.weight.clone());
    let mut both = data(150, 8, 3, 5);
    let more = block_on(both.device.upload(90, 8, &b.x)).unwrap();
    block_on(both.moments.add(&both.device, &more)).unwrap();
    let kept = [0, 3, 4, 6];
    let (sum, whole) = (block_on(a.problem(&kept).plus(&a.device, &b.problem(&kept))).unwrap(), both.problem(&kept));
    let options = RepairOptions { ridge: 0.01, unit_size: 1 };
    let solve = |problem: &Problem| block_on(repair("liar").unwrap().solve(&a.device, problem, &a.truncated(&kept), options)).unwrap();
    let (from_sum, from_whole) = (solve(&sum), solve(&whole));
    let read = |fit: &Fit| block_on(a.device.read(&fit.weight)).unwrap();
    for (s, w) in read(&from_sum).iter().zip(read(&from_whole)) {
        assert!((s - w).abs() < 1e-5, "{s} {w}");
    }
    assert!((sum.count() - 240.0).abs() < 1e-9 && (from_sum.damping / from_whole.damping - 1.0).abs() < 1e-5);
}

/// Runs the choice with everything fitted on `fit` and checked on `held_out`.
fn choose(fit: &Data, held_out: &Data, kept: &[u32], accept: bool) -> Outcome {
    let (on_fit, on_held_out) = (fit.problem(kept), held_out.problem(kept));
    let problems = Problems { fit: &on_fit, held_out: Some(&on_held_out) };
    let truncated = fit.truncated(kept);
    let options = SiteOptions { ridge: Ridge::Fixed(1e-6), unit_size: 1 };
    block_on(repair_site(&fit.device, repair("liar").unwrap(), problems, &truncated, options, async |_| Ok(accept))).unwrap().1
}

/// The weights that give the outputs leave nothing, up to rounding, and products that are twice too large are found out.
#[test]
fn sums_that_do_not_belong_together_tell_no_error() {
    let data = data(200, 6, 3, 4);
    let device = &data.device;
    let x = block_on(device.upload(data.tokens, data.inputs, &data.x)).unwrap();
    let y = block_on(device.matmul(&x, Op::N, &data.dense, Op::N)).unwrap();
    let mut outputs = block_on(Moments::new(device, data.outputs, false)).unwrap();
    block_on(outputs.add(device, &y)).unwrap();
    let cross = block_on(device.zeros(data.inputs, data.outputs)).unwrap();
    block_on(device.cross_gram(&x, &y, &cross)).unwrap();
    let doubled = block_on(device.add(&cross, &cross, 1.0)).unwrap();
    let fit = Fit { weight: data.dense.clone(), shift: vec![0.0; data.outputs], damping: 0.0, smallest_pivot: None };
    for affine in [true, false] {
        let error = |cross: &Tensor| {
            let problem = block_on(Problem::aware(device, &data.moments, Some(cross), &outputs, affine)).unwrap();
            block_on(problem.error(device, &fit)).unwrap()
        };
        assert!(error(&cross).unwrap() < 1e-4);
        assert_eq!(error(&doubled), None);
    }
}

#[test]
fn a_repair_that_generalises_is_kept() {
    let (fit, held_out) = (data(400, 9, 3, 1), Data { dense: data(400, 9, 3, 1).dense, ..data(400, 9, 3, 1) });
    let outcome = choose(&fit, &held_out, &[0, 2, 4, 5, 8], true);
    assert_eq!((outcome.repair, outcome.fell_back_from), ("liar", None));
    assert!(outcome.error_with.unwrap() < outcome.error_without.unwrap());
}

#[test]
fn a_consumer_without_a_bias_is_not_said_to_be_compensated() {
    let (fit, kept) = (data(400, 9, 3, 1), [0, 2, 4, 5, 8]);
    let options = SiteOptions { ridge: Ridge::Fixed(1e-6), unit_size: 1 };
    for (wanted, affine, used) in [("bias", true, "bias"), ("bias", false, "none"), ("liar", false, "liar")] {
        let problem = fit.problem_of(&kept, affine);
        let problems = Problems { fit: &problem, held_out: Some(&problem) };
        let truncated = fit.truncated(&kept);
        let chosen = repair_site(&fit.device, repair(wanted).unwrap(), problems, &truncated, options, async |_| Ok(true));
        let (found, outcome) = block_on(chosen).unwrap();
        assert_eq!(outcome.repair, used);
        assert_eq!(outcome.reason.is_some_and(|reason| reason.contains("no bias")), used == "none");
        assert_eq!(found.shift.iter().any(|&shift| shift != 0.0), affine);
    }
}

#[test]
fn a_repair_that_overfits_falls_back_with_a_reason() {
    // Six tokens cannot tell nine channels apart; the held-out tokens have other correlations.
    let fit = data(6, 9, 3, 2);
    let mut held_out = data(400, 9, 3, 3);
    held_out.dense = fit.dense.clone();
    let outcome = choose(&fit, &held_out, &[0, 1, 2, 3, 4, 5], true);
    assert!(outcome.error_with.unwrap() <= outcome.error_without.unwrap());
    if outcome.repair != "liar" {
        assert_eq!(outcome.fell_back_from, Some("liar"));
        assert!(outcome.reason.unwrap().contains("held-out"));
    } else {
        assert!(outcome.damping > 1e-6, "only a stronger damping can have passed");
    }
}

#[test]
fn weights_that_cannot_be_written_are_refused() {
    let fit = data(400, 9, 3, 4);
    let outcome = choose(&fit, &fit, &[0, 2, 4], false);
    assert_eq!((outcome.repair, outcome.fell_back_from), ("none", Some("liar")));
    assert!(outcome.reason.unwrap().contains("dtype"));
}
