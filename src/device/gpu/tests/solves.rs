//! Symmetric positive definite systems.

use super::{Pair, TILINGS, close, pair, random};
use crate::base::Random;
use crate::device::{Device, Solution};
use pollster::block_on;

/// x^T x of n + extra samples with columns of very different size, damped by `damp` times the mean of the diagonal.
fn system(n: usize, samples: usize, spread: f64, damp: f64) -> Vec<f32> {
    let mut random = Random::new(n as u64);
    let sizes: Vec<f64> = (0..n).map(|_| 10f64.powf(spread * random.uniform())).collect();
    let x: Vec<f64> = (0..samples * n).map(|i| random.normal() * sizes[i % n]).collect();
    let mut a = vec![0.0; n * n];
    for row in x.chunks(n) {
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] += row[i] * row[j];
            }
        }
    }
    let mean = (0..n).map(|i| a[i * n + i]).sum::<f64>() / n as f64;
    (0..n).for_each(|i| a[i * n + i] += damp * mean);
    a.iter().map(|&v| v as f32).collect()
}

async fn solve(device: &Device, n: usize, m: usize, a: &[f32]) -> (Vec<f32>, f64) {
    let a = device.upload(n, n, a).await.unwrap();
    let b = device.upload(n, m, &random(3, n * m)).await.unwrap();
    let Solution { x, smallest_pivot } = device.solve_spd(&a, &b).await.unwrap();
    (device.read(&x).await.unwrap(), smallest_pivot)
}

fn agree(pair: &Pair, n: usize, m: usize, a: &[f32], tolerance: f64) {
    let (expected, pivot) = block_on(solve(&pair.cpu, n, m, a));
    let scope = pair.raw().context.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let (actual, gpu_pivot) = block_on(solve(&pair.gpu, n, m, a));
    assert!(block_on(scope.pop()).is_none());
    close(n, &actual, &expected, tolerance);
    assert!(gpu_pivot > 0.0);
    // A pivot is a difference; f32 keeps fewer of its digits the smaller it is.
    assert!((gpu_pivot - pivot).abs() <= 0.01 * pivot + 1e-6, "smallest pivot {gpu_pivot}, on the CPU {pivot}");
}

#[test]
fn well_conditioned_systems_agree() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        for (n, m) in [(1, 1), (5, 3), (64, 8), (65, 1), (130, 70), (256, 33)] {
            // Condition below 1e2: f32 keeps five digits of the solution.
            agree(&pair, n, m, &system(n, 4 * n + 4, 0.0, 0.1), 1e-5);
        }
    }
}

#[test]
fn ill_conditioned_but_damped_systems_agree() {
    let Some(pair) = pair() else { return };
    // Fewer samples than columns, so that damping alone makes it definite; feature sizes over two decades. Condition about 1e5
    // before and 1e4 after equilibration: f32 keeps two to three digits in the worst component.
    agree(&pair, 150, 20, &system(150, 100, 2.0, 1e-2), 5e-3);
    agree(&pair, 200, 7, &system(200, 60, 1.0, 1e-2), 5e-3);
}

#[test]
fn outlier_features_are_equilibrated() {
    let Some(pair) = pair() else { return };
    // Sizes over four decades make a condition of 1e8, which f32 could not factor; all of it is scaling. Components of the
    // solution differ as much, so only the large ones are compared.
    agree(&pair, 96, 4, &system(96, 400, 4.0, 0.0), 1e-4);
}

#[test]
fn what_is_not_positive_definite_is_flagged_and_stays_finite() {
    let Some(pair) = pair() else { return };
    let n = 100;
    let mut indefinite = system(n, 4 * n, 0.0, 0.0);
    indefinite[70 * n + 70] *= -0.5;
    // Two equal features without damping: singular.
    let mut singular = system(n, 4 * n, 0.0, 0.0);
    for i in 0..n {
        singular[80 * n + i] = singular[20 * n + i];
    }
    for i in 0..n {
        singular[i * n + 80] = singular[i * n + 20];
    }
    for (what, a) in [("indefinite", indefinite), ("singular", singular), ("zero", vec![0.0; n * n])] {
        let (x, pivot) = block_on(solve(&pair.gpu, n, 3, &a));
        assert!(pivot <= 0.0, "{what}: smallest pivot {pivot}");
        assert!(x.iter().all(|v| v.is_finite()), "{what}: not finite");
    }
    let (_, pivot) = block_on(solve(&pair.gpu, n, 3, &vec![f32::NAN; n * n]));
    assert!(pivot.is_nan() || pivot <= 0.0);
}

#[test]
fn inverse_factors_agree() {
    let Some(pair) = pair() else { return };
    let factor = |device: &Device, n: usize, a: &[f32]| {
        let a = block_on(device.upload(n, n, a)).unwrap();
        let Solution { x, smallest_pivot } = block_on(device.inverse_factor(&a)).unwrap();
        assert!(smallest_pivot > 0.0);
        block_on(device.read(&x)).unwrap()
    };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        for n in [1, 5, 64, 65, 130] {
            let a = system(n, 4 * n + 4, 1.0, 0.1);
            let (expected, actual) = (factor(&pair.cpu, n, &a), factor(&pair.gpu, n, &a));
            // Condition below 1e3 once features are scaled: f32 keeps four digits.
            close(n, &actual, &expected, 1e-4);
            assert!((0..n).all(|i| actual[i * n..i * n + i].iter().all(|&below| below == 0.0)), "{n}: not upper triangular");
        }
    }
    let mut indefinite = system(70, 280, 0.0, 0.0);
    indefinite[30 * 70 + 30] *= -0.5;
    for device in [&pair.cpu, &pair.gpu] {
        let a = block_on(device.upload(70, 70, &indefinite)).unwrap();
        assert!(block_on(device.inverse_factor(&a)).unwrap().smallest_pivot <= 0.0);
    }
}
