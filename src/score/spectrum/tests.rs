//! Spectra and lowered weights against f64 loops over the calibration inputs themselves.

use super::lowered::lowered;
use super::{FACTORISATIONS, Inputs, Spectrum, spectrum};
use crate::base::{CancelToken, Random};
use crate::calibrate::{KeptMoments, Moments, Shelf, Shelves, Store};
use crate::checkpoint::MemoryScratch;
use crate::device::Device;
use crate::device::cpu::Cpu;
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

/// What a factorisation makes of a weight [m, n], and the mean squared error of the output by rank, bias taken up.
async fn errors(which: usize, m: usize, n: usize) -> (Spectrum, Vec<f64>) {
    let device = Device::Cpu(Cpu::new(CancelToken::default(), "tests"));
    let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
    let store = Store::new(u64::MAX, Shelves { memory: shelf(), disk: shelf() });
    let mut random = Random::new((m * 100 + n) as u64);
    let tokens = 3 * n;
    let x = inputs(tokens, n, &mut random);
    let weight: Vec<f32> = (0..m * n).map(|_| random.normal() as f32).collect();
    let mut moments = Moments::new(&device, n, true).await.unwrap();
    moments.add(&device, &device.upload(tokens, n, &x).await.unwrap()).await.unwrap();
    let kept = KeptMoments::keep(&device, &store, moments).await.unwrap();
    let mut read = Inputs::new(&device, &store, &[&kept], true).await.unwrap();
    let transposed: Vec<f32> = (0..n).flat_map(|j| (0..m).map(|i| weight[i * n + j]).collect::<Vec<_>>()).collect();
    let transposed = device.upload(n, m, &transposed).await.unwrap();
    let scaling = FACTORISATIONS[which].scaling(&read.mean_squares);
    let found = spectrum(&device, &store, &transposed, &mut read, &scaling).await.unwrap();
    let mut errors = Vec::new();
    for rank in 0..=found.values.len() {
        let lowered = lowered(&device, &store, &transposed, &found, rank, &read.means).await.unwrap();
        let product = device.read(&lowered.product).await.unwrap();
        let mut sum = 0.0;
        for row in x.chunks_exact(n) {
            for i in 0..m {
                let lost: f64 = (0..n).map(|j| f64::from(weight[i * n + j] - product[j * m + i]) * f64::from(row[j])).sum();
                sum += (lost - lowered.shift[i]).powi(2);
            }
        }
        errors.push(sum / tokens as f64);
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
