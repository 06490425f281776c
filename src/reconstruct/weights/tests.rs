use super::*;
use crate::allocate::sparsity::{Pattern, pattern};
use crate::base::{CancelToken, Random};
use crate::device::Preference;
use crate::score::weights::{WeightSite, weight_criterion};
use pollster::block_on;

/// Weights [outputs, inputs] and the second moments of correlated inputs, with the factor of their inverse.
struct Case {
    device: Device,
    weight: Vec<f32>,
    outputs: usize,
    inputs: usize,
    gram: Vec<f64>,
    moments: Tensor,
    factor: Tensor,
    roots: Vec<f64>,
    sums: HostSums,
}

fn case(outputs: usize, inputs: usize) -> Case {
    let mut random = Random::new((outputs * inputs) as u64);
    let device = block_on(Device::open(Preference::Cpu, CancelToken::default())).unwrap();
    let weight = (0..outputs * inputs).map(|_| random.normal() as f32).collect();
    let tokens = 3 * inputs;
    let mut x: Vec<f64> = (0..tokens * inputs).map(|_| random.normal()).collect();
    // Neighbours have much in common, and a mean.
    for row in x.chunks_mut(inputs) {
        for i in 1..inputs {
            row[i] = 0.7 * row[i - 1] + 0.5 * row[i] + 0.2;
        }
    }
    let mut gram = vec![0.0; inputs * inputs];
    for row in x.chunks(inputs) {
        for i in 0..inputs {
            (0..inputs).for_each(|j| gram[i * inputs + j] += row[i] * row[j] / tokens as f64);
        }
    }
    (0..inputs).for_each(|i| gram[i * inputs + i] += 0.01);
    let narrow: Vec<f32> = gram.iter().map(|&v| v as f32).collect();
    let moments = block_on(device.upload(inputs, inputs, &narrow)).unwrap();
    let factor = block_on(device.inverse_factor(&moments)).unwrap().x;
    let roots = block_on(diagonal(&device, &factor)).unwrap().into_iter().map(f64::from).collect();
    let column = |power: i32| (0..inputs).map(|i| x.chunks(inputs).map(|row| row[i].powi(power)).sum()).collect();
    let sums = HostSums { count: tokens as f64, sums: column(1), squares: column(2) };
    Case { device, weight, outputs, inputs, gram, moments, factor, roots, sums }
}

impl Case {
    fn run(&self, criterion: &str, update: &str, pattern_name: &str, share: f64) -> Updated {
        let criterion = weight_criterion(criterion).unwrap();
        let site = WeightSite { weight: &self.weight, inputs: self.inputs, squares: &self.sums.squares, roots: &self.roots };
        let scores = criterion.scores(site);
        let pattern: &'static Pattern = pattern(pattern_name).unwrap();
        let zeros = (share * self.weight.len() as f64) as usize;
        let target = Target { zeros, rows: None, pattern, group: criterion.group() };
        let problem = WeightProblem {
            device: &self.device,
            weight: &self.weight,
            outputs: self.outputs,
            inputs: self.inputs,
            scores: &scores,
            target: &target,
            swept_scores: criterion.needs().factor,
            sums: &self.sums,
            sequences: 4,
            gram: Some(&self.moments),
            factor: Some(&self.factor),
            roots: &self.roots,
            iterations: 200,
        };
        let updated = block_on(weight_update(update).unwrap().update(&problem)).unwrap();
        assert!(updated.weight.iter().zip(updated.mask.zeros()).all(|(value, zero)| !zero || *value == 0.0));
        if pattern.groups.is_none() {
            assert_eq!(updated.mask.count(), zeros);
        } else {
            assert!(updated.mask.zeros().chunks(4).all(|group| group.iter().filter(|zero| **zero).count() == 2));
        }
        updated
    }

    /// tr((W - V) G (W - V)ᵀ).
    fn error(&self, weight: &[f32]) -> f64 {
        let lost: Vec<f64> = self.weight.iter().zip(weight).map(|(a, b)| f64::from(a - b)).collect();
        let of_row = |row: &[f64]| -> f64 {
            (0..self.inputs).map(|i| (0..self.inputs).map(|j| row[i] * self.gram[i * self.inputs + j] * row[j]).sum::<f64>()).sum()
        };
        lost.chunks(self.inputs).map(of_row).sum()
    }
}

#[test]
fn the_factor_is_of_the_inverse() {
    let case = case(1, 70);
    let r = block_on(case.device.read(&case.factor)).unwrap();
    let n = case.inputs;
    for i in 0..n {
        assert!(r[i * n + i] > 0.0 && r[i * n..i * n + i].iter().all(|&v| v == 0.0));
        for j in 0..n {
            // R G Rᵀ is the unit matrix.
            let product: f64 =
                (0..n).map(|a| (0..n).map(|b| f64::from(r[i * n + a]) * case.gram[a * n + b] * f64::from(r[j * n + b])).sum::<f64>()).sum();
            assert!((product - f64::from(i == j)).abs() < 1e-4, "{i} {j} {product}");
        }
    }
}

#[test]
fn each_update_is_better_than_the_one_before() {
    // Two sweeps of columns, the second of them narrow.
    let case = case(9, 140);
    for (pattern, share) in [("unstructured", 0.6), ("2:4", 0.5)] {
        let error = |update| case.error(&case.run("wanda", update, pattern, share).weight);
        let [none, swept, fitted] = ["none", "sparsegpt", "refit"].map(error);
        assert!(fitted < swept && swept < 0.8 * none, "{pattern}: {none} {swept} {fitted}");
        let chosen = case.error(&case.run("sparsegpt", "sparsegpt", pattern, share).weight);
        assert!(chosen < swept, "{pattern}: zeros chosen on the way {chosen}, before {swept}");
        let both = case.error(&case.run("sparsegpt", "refit", pattern, share).weight);
        assert!(both < chosen, "{pattern}: {both} {chosen}");
    }
}

#[test]
fn a_refit_is_the_solution_of_least_squares() {
    let case = case(3, 20);
    let updated = case.run("wanda", "refit", "unstructured", 0.5);
    let lost: Vec<f64> = case.weight.iter().zip(&updated.weight).map(|(a, b)| f64::from(a - b)).collect();
    for (row, lost) in lost.chunks(20).enumerate() {
        for (place, zero) in updated.mask.row(row).iter().enumerate().filter(|(_, zero)| !**zero) {
            // The gradient vanishes where a weight stays.
            let gradient: f64 = (0..20).map(|i| lost[i] * case.gram[i * 20 + place]).sum();
            assert!(gradient.abs() < 1e-3, "{row} {place} {zero} {gradient}");
        }
    }
}

#[test]
fn a_first_removal_costs_what_its_score_says() {
    // SparseGPT's score is the error that one removal leaves, made up for by what is to its right.
    let case = case(1, 12);
    let swept = case.run("sparsegpt", "sparsegpt", "unstructured", 1.0 / 12.0);
    let place = swept.mask.zeros().iter().position(|zero| *zero).unwrap();
    let score = f64::from(case.weight[place]).powi(2) / case.roots[place].powi(2);
    assert!((case.error(&swept.weight) / score - 1.0).abs() < 1e-3);
    let better = (0..12).filter(|&i| f64::from(case.weight[i]).powi(2) / case.roots[i].powi(2) < score * 0.999).count();
    assert_eq!(better, 0);
}

#[test]
fn swaps_bring_the_mean_back() {
    let case = case(6, 40);
    let missing = |updated: &Updated| -> f64 {
        let mean = |row: usize| -> f64 {
            let gone = updated.mask.row(row).iter().enumerate().filter(|(_, zero)| **zero);
            gone.map(|(i, _)| f64::from(case.weight[row * 40 + i]) * case.sums.sums[i]).sum::<f64>().abs()
        };
        (0..6).map(mean).sum()
    };
    let (before, after) = (case.run("wanda", "none", "unstructured", 0.5), case.run("wanda", "dsnot", "unstructured", 0.5));
    assert!(missing(&after) < 0.5 * missing(&before), "{} {}", missing(&before), missing(&after));
    for row in 0..6 {
        let count = |updated: &Updated| updated.mask.row(row).iter().filter(|zero| **zero).count();
        assert_eq!(count(&before), count(&after));
    }
}
