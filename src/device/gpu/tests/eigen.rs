//! Eigenvectors of positive semi-definite matrices.

use super::{Pair, TILINGS, pair};
use crate::base::Random;
use crate::device::{Device, Eigen};
use pollster::block_on;

/// x xᵀ of `rank` samples whose sizes fall over `decades`.
fn semidefinite(n: usize, rank: usize, decades: f64) -> Vec<f32> {
    let mut random = Random::new((n * 31 + rank) as u64);
    let mut a = vec![0.0; n * n];
    for sample in 0..rank {
        let size = 10f64.powf(-decades * sample as f64 / rank as f64);
        let x: Vec<f64> = (0..n).map(|_| random.normal() * size).collect();
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] += x[i] * x[j];
            }
        }
    }
    a.iter().map(|&v| v as f32).collect()
}

async fn solve(device: &Device, n: usize, a: &[f32]) -> (Vec<f64>, Vec<f32>) {
    let Eigen { values, vectors } = device.eigen(&device.upload(n, n, a).await.unwrap()).await.unwrap();
    (values, device.read(&vectors).await.unwrap())
}

/// Largest entry of |Vᵀ diag(values) V - A| and of |V Vᵀ - I|.
fn residuals(n: usize, a: &[f32], values: &[f64], vectors: &[f32]) -> (f64, f64) {
    let at = |i: usize, j: usize| f64::from(vectors[i * n + j]);
    let (mut rebuilt, mut orthogonal) = (0f64, 0f64);
    for i in 0..n {
        for j in 0..n {
            let entry: f64 = (0..n).map(|k| at(k, i) * values[k] * at(k, j)).sum();
            rebuilt = rebuilt.max((entry - f64::from(a[i * n + j])).abs());
            let product: f64 = (0..n).map(|k| at(i, k) * at(j, k)).sum();
            orthogonal = orthogonal.max((product - f64::from(u8::from(i == j))).abs());
        }
    }
    (rebuilt, orthogonal)
}

fn check(pair: &Pair, n: usize, rank: usize, decades: f64) {
    let a = semidefinite(n, rank, decades);
    let (expected, _) = block_on(solve(&pair.cpu, n, &a));
    let scope = pair.raw().context.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let (values, vectors) = block_on(solve(&pair.gpu, n, &a));
    assert!(block_on(scope.pop()).is_none());
    let largest = expected.first().copied().unwrap_or(0.0);
    for (i, (value, expected)) in values.iter().zip(&expected).enumerate() {
        // vᵀ A v in f32 is right to some roundings of the largest value.
        assert!((value - expected).abs() <= 1e-5 * largest, "{n}, rank {rank}: value {i} is {value}, on the CPU {expected}");
    }
    let (rebuilt, orthogonal) = residuals(n, &a, &values, &vectors);
    assert!(rebuilt <= 1e-5 * largest, "{n}, rank {rank}: rebuilt to {rebuilt} of {largest}");
    // Two rows count as orthogonal up to a cosine of 2e-6.
    assert!(orthogonal <= 1e-5, "{n}, rank {rank}: orthogonal to {orthogonal}");
}

#[test]
fn odd_shapes_and_low_ranks_agree() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        for (n, rank, decades) in [(1, 1, 0.0), (2, 2, 1.0), (3, 7, 1.0), (17, 40, 2.0), (64, 64, 3.0), (65, 20, 2.0), (130, 300, 3.0)] {
            check(&pair, n, rank, decades);
        }
    }
}

#[test]
fn zeros_have_unit_vectors_and_no_values() {
    let Some(pair) = pair() else { return };
    let (values, vectors) = block_on(solve(&pair.gpu, 5, &[0.0; 25]));
    assert_eq!(values, [0.0; 5]);
    assert_eq!(residuals(5, &[0.0; 25], &values, &vectors), (0.0, 0.0));
}

#[test]
fn what_is_not_finite_is_an_error() {
    let Some(pair) = pair() else { return };
    for device in [&pair.gpu, &pair.cpu] {
        let a = block_on(device.upload(2, 2, &[1.0, f32::NAN, f32::NAN, 1.0])).unwrap();
        assert!(block_on(device.eigen(&a)).is_err());
    }
}
