//! Spectra and lowered weights against f64 loops over the calibration inputs themselves.

use super::lowered::lowered;
use super::{FACTORISATIONS, Form, Inputs, Singles, Spectrum, lower, spectrum_of, stacked};
use crate::base::{CancelToken, Random};
use crate::calibrate::{KeptMoments, Moments, Shelf, Shelves, Store};
use crate::checkpoint::{Dtype, Layout, Matrix, MemoryScratch};
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::forward::HostLinear;
use pollster::block_on;

/// Inputs of unequal sizes that depend on each other, [tokens, n], around means that are not 0.
fn inputs(tokens: usize, n: usize, random: &mut Random) -> Vec<f32> {
    let mut values = vec![0f32; tokens * n];
    for row in values.chunks_exact_mut(n) {
        let shared = random.normal();
        for (i, value) in row.iter_mut().enumerate() {
            *value = ((random.normal() + shared) * 0.3f64.powi((i % 4) as i32) + 0.2) as f32;
        }
    }
    values
}

/// Layers with one input.
struct Case {
    device: Device,
    store: Store,
    /// [tokens, n]
    x: Vec<f32>,
    n: usize,
    hosts: Vec<HostLinear>,
    read: Inputs,
}

impl Case {
    /// Random layers of so many outputs each, the later the larger their weights; with biases.
    async fn new(outputs: &[usize], n: usize) -> Self {
        let device = Device::Cpu(Cpu::new(CancelToken::default(), "tests"));
        let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
        let store = Store::new(u64::MAX, Shelves { memory: shelf(), disk: shelf() });
        let mut random = Random::new((outputs.iter().sum::<usize>() * 100 + n) as u64);
        let tokens = 3 * n;
        let x = inputs(tokens, n, &mut random);
        let host = |(place, &m): (usize, &usize)| {
            let values: Vec<f32> = (0..m * n).map(|_| (random.normal() * 4f64.powi(place as i32)) as f32).collect();
            // Layouts change nothing but the place of a value.
            let layout = if m % 2 == 0 { Layout::InOut } else { Layout::OutIn };
            let weight = Matrix::from_f32_inputs_major(&values, n, m, Dtype::F32, layout).0;
            let bias = Matrix::from_f32_inputs_major(&vec![0.25; m], 1, m, Dtype::F32, Layout::OutIn).0;
            HostLinear { weight, bias: Some(bias), factor: None }
        };
        let hosts: Vec<HostLinear> = outputs.iter().enumerate().map(host).collect();
        let mut moments = Moments::new(&device, n, true).await.unwrap();
        moments.add(&device, &device.upload(tokens, n, &x).await.unwrap()).await.unwrap();
        let kept = KeptMoments::keep(&device, &store, moments).await.unwrap();
        let read = Inputs::new(&device, &store, &[&kept], true).await.unwrap();
        Self { device, store, x, n, hosts, read }
    }

    fn hosts(&self) -> Vec<&HostLinear> {
        self.hosts.iter().collect()
    }

    async fn spectrum(&mut self, which: usize) -> Spectrum {
        let hosts: Vec<&HostLinear> = self.hosts.iter().collect();
        spectrum_of(&self.device, &self.store, &hosts, &mut self.read, FACTORISATIONS[which]).await.unwrap()
    }

    /// The layers at a rank, with so many single weights; and the error that is told.
    async fn lower(&mut self, spectrum: &Spectrum, which: usize, rank: usize, count: usize, form: Form) -> (Vec<HostLinear>, f64) {
        let hosts: Vec<&HostLinear> = self.hosts.iter().collect();
        let (means, scaling) = (self.read.means.clone(), FACTORISATIONS[which].scaling(&self.read.mean_squares));
        let singles = (count > 0).then_some(Singles { inputs: &mut self.read, scaling: &scaling, count });
        let low = lower(&self.device, &self.store, &hosts, (spectrum, &means), (rank, singles), form, |own| own).await.unwrap();
        (low.linears, low.error)
    }

    /// Mean squared errors of the outputs of each layer, in f64.
    fn errors(&self, low: &[HostLinear]) -> Vec<f64> {
        let tokens = self.x.len() / self.n;
        let one = |(host, low): (&HostLinear, &HostLinear)| {
            let (m, weight, whole) = (host.weight.outputs(), host.weight.to_f32_inputs_major().unwrap(), product(low));
            let (biases, shifted) = (host.bias_values().unwrap(), low.bias_values().unwrap());
            let mut sum = 0.0;
            for row in self.x.chunks_exact(self.n) {
                for i in 0..m {
                    let lost: f64 = (0..self.n).map(|j| f64::from(weight[j * m + i] - whole[j * m + i]) * f64::from(row[j])).sum();
                    sum += (lost + f64::from(biases[i] - shifted[i])).powi(2);
                }
            }
            sum / tokens as f64
        };
        self.hosts.iter().zip(low).map(one).collect()
    }

    /// Mean squares of the outputs of each layer around their means.
    fn energies(&self) -> Vec<f64> {
        let nothing: Vec<HostLinear> = self
            .hosts
            .iter()
            .map(|host| {
                let (m, weight) = (host.weight.outputs(), host.weight.to_f32_inputs_major().unwrap());
                let mean = |i: usize| (0..self.n).map(|j| f64::from(weight[j * m + i]) * self.read.means[j]).sum::<f64>();
                let biases: Vec<f32> = host.bias_values().unwrap().iter().enumerate().map(|(i, bias)| bias + mean(i) as f32).collect();
                let bias = Matrix::from_f32_inputs_major(&biases, 1, m, Dtype::F32, Layout::OutIn).0;
                let weight = Matrix::from_f32_inputs_major(&vec![0.0; self.n * m], self.n, m, Dtype::F32, Layout::OutIn).0;
                HostLinear { weight, bias: Some(bias), factor: None }
            })
            .collect();
        self.errors(&nothing)
    }
}

/// The whole weight of a layer, transposed, [inputs, outputs].
fn product(low: &HostLinear) -> Vec<f32> {
    let weight = low.weight.to_f32_inputs_major().unwrap();
    let Some(factor) = &low.factor else { return weight };
    let (m, rank) = (low.weight.outputs(), low.weight.inputs());
    let inner = factor.inner.to_f32_inputs_major().unwrap();
    let n = factor.inner.inputs();
    let singles = factor.singles.as_ref().map_or(vec![0.0; n * m], |singles| singles.to_f32_inputs_major().unwrap());
    (0..n * m).map(|at| singles[at] + (0..rank).map(|r| inner[at / m * rank + r] * weight[r * m + at % m]).sum::<f32>()).collect()
}

/// What a factorisation makes of a weight [m, n], and the mean squared error of the output by rank, bias taken up.
async fn errors(which: usize, m: usize, n: usize) -> (Spectrum, Vec<f64>) {
    let mut case = Case::new(&[m], n).await;
    let found = case.spectrum(which).await;
    let mut errors = Vec::new();
    for rank in 0..=found.values.len() {
        let (low, _) = case.lower(&found, which, rank, 0, Form::Product).await;
        errors.push(case.errors(&low)[0]);
    }
    (found, errors)
}

#[test]
fn errors_by_rank_are_those_of_the_outputs() {
    for (m, n) in [(9, 9), (5, 12), (13, 6), (1, 7), (7, 1), (32, 20)] {
        for which in 0..FACTORISATIONS.len() {
            let (found, errors) = block_on(errors(which, m, n));
            assert_eq!(found.values.len(), m * n / (m + n));
            for (rank, (told, measured)) in found.errors().iter().zip(&errors).enumerate() {
                // Differences of f32 sums.
                assert!((told - measured).abs() <= 1e-5 * found.total, "{which} {m} x {n} at rank {rank}: {told}, measured {measured}");
            }
        }
    }
}

#[test]
fn whitening_has_the_least_error_at_every_rank() {
    for (m, n) in [(24, 24), (12, 30), (30, 12)] {
        let [whitened, asvd, svd] = [0, 1, 2].map(|which| block_on(errors(which, m, n)).1);
        for rank in 0..whitened.len() {
            for other in [&asvd, &svd] {
                assert!(whitened[rank] <= other[rank] + 1e-5 * whitened[0], "{m} x {n} at rank {rank}");
            }
        }
        // Inputs of unequal sizes: knowing them helps.
        let middle = whitened.len() / 2;
        assert!(asvd[middle] < svd[middle], "{m} x {n}");
    }
}

#[test]
fn a_stack_has_the_sum_of_relative_errors_and_is_no_worse_than_its_layers_apart() {
    block_on(async {
        for (outputs, n) in [(&[9, 9, 9][..], 9), (&[12, 4, 4], 12), (&[7, 20], 10), (&[1, 3, 2], 11)] {
            for which in 0..FACTORISATIONS.len() {
                let mut case = Case::new(outputs, n).await;
                let joint = case.spectrum(which).await;
                assert_eq!((joint.outputs, joint.inputs), (outputs.iter().sum(), n));
                let energies = case.energies();
                let mut apart = Vec::new();
                for place in 0..outputs.len() {
                    let mut one = Case::new(outputs, n).await;
                    one.hosts = vec![one.hosts.swap_remove(place)];
                    apart.push(one.spectrum(which).await);
                }
                for rank in 0..=joint.values.len() {
                    let (low, told) = case.lower(&joint, which, rank, 0, Form::Factors).await;
                    assert!(HostLinear::share(&low.iter().collect::<Vec<_>>()));
                    let relative: f64 = case.errors(&low).iter().zip(&energies).map(|(error, energy)| error / energy).sum();
                    // Differences of f32 sums.
                    let (told, tolerance) = (joint.relative(told), 1e-4 * outputs.len() as f64);
                    assert!((relative - told).abs() < tolerance, "{outputs:?} x {n}, {which}, rank {rank}: {told}, measured {relative}");
                    if which != 0 {
                        continue;
                    }
                    // Directions of its layers are directions of the stack, and a rank of the stack is one of each layer.
                    let at =
                        |rank: usize| apart.iter().map(|one| one.relative(one.errors().get(rank).copied().unwrap_or(0.0))).sum::<f64>();
                    let known = apart.iter().map(|one| one.values.len()).min().unwrap_or(0);
                    assert!(
                        rank >= known || relative > at(rank) - tolerance,
                        "{outputs:?} x {n}, rank {rank}: {relative}, apart {}",
                        at(rank)
                    );
                    let third = rank / outputs.len();
                    assert!(
                        third > known || relative < at(third) + tolerance,
                        "{outputs:?} x {n}, rank {rank}: {relative}, apart {}",
                        at(third)
                    );
                }
            }
        }
    });
}

#[test]
fn single_weights_are_as_many_as_asked_for_and_what_is_told_is_measured() {
    block_on(async {
        for (outputs, n) in [(&[9][..], 9), (&[5], 12), (&[13], 6), (&[6, 4, 4], 8)] {
            for which in 0..FACTORISATIONS.len() {
                let mut case = Case::new(outputs, n).await;
                let (spectrum, energies) = (case.spectrum(which).await, case.energies());
                let rank = spectrum.values.len() / 2;
                for count in [1, 7, spectrum.cost(1)] {
                    let (low, told) = case.lower(&spectrum, which, rank, count, Form::Factors).await;
                    let singles =
                        low.iter().map(|one| one.factor.as_ref().unwrap().singles.as_ref().unwrap().to_f32_inputs_major().unwrap());
                    assert_eq!(singles.flatten().filter(|&value| value != 0.0).count(), count);
                    let relative = |low: &[HostLinear]| case.errors(low).iter().zip(&energies).map(|(a, b)| a / b).sum::<f64>();
                    let measured = relative(&low);
                    assert!(
                        (measured - spectrum.relative(told)).abs() < 1e-4,
                        "{outputs:?} x {n}: {}, {measured}",
                        spectrum.relative(told)
                    );
                    // Multiplied out they are the same.
                    let (whole, _) = case.lower(&spectrum, which, rank, count, Form::Product).await;
                    for (low, whole) in low.iter().zip(&whole) {
                        let worst = product(low).iter().zip(product(whole)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                        assert!(worst < 1e-4, "{worst}");
                    }
                }
            }
        }
    });
}

#[test]
fn single_weights_help_where_some_weights_stand_out() {
    block_on(async {
        let (m, n, rank) = (24, 24, 6);
        for which in 0..FACTORISATIONS.len() {
            let mut case = Case::new(&[m], n).await;
            let mut values = case.hosts[0].weight.to_f32_inputs_major().unwrap();
            // No product of low rank holds these.
            (0..n).for_each(|j| values[j * m + (7 * j + 3) % m] += 20.0);
            case.hosts[0].weight = Matrix::from_f32_inputs_major(&values, n, m, Dtype::F32, Layout::OutIn).0;
            let spectrum = case.spectrum(which).await;
            let alone = case.lower(&spectrum, which, rank, 0, Form::Product).await.1;
            // For one rank.
            let both = case.lower(&spectrum, which, rank - 1, spectrum.cost(1), Form::Product).await.1;
            assert!(both < 0.5 * alone, "{which}: {both}, without single weights {alone}");
        }
    });
}

#[test]
fn a_layer_without_outputs_that_vary_stays_in_the_stack() {
    block_on(async {
        let mut case = Case::new(&[4, 4], 6).await;
        case.hosts[1].weight = Matrix::from_f32_inputs_major(&[0.0; 24], 6, 4, Dtype::F32, Layout::OutIn).0;
        let spectrum = case.spectrum(0).await;
        let (low, error) = case.lower(&spectrum, 0, 2, 0, Form::Product).await;
        assert!(error.is_finite() && product(&low[1]).iter().all(|value| value.abs() < 1e-6));
        let weights = stacked::stacked(&case.device, &case.hosts(), &spectrum.members).await.unwrap();
        let found = lowered(&case.device, &case.store, &weights, &spectrum, 0, &case.read.means).await.unwrap();
        assert!((found.error - spectrum.total).abs() < 1e-6 * spectrum.total);
        assert!(stacked::stacked(&case.device, &case.hosts()[..1], &spectrum.members).await.is_err());
    });
}
