//! What the removal of units changes.

use super::{TILINGS, pair, random, tensor};
use crate::device::Device;
use proptest::prelude::*;

/// `copies` copies of the rows of `seed`, each moved by `size` times random values.
fn moved(seed: u64, copies: usize, count: usize, size: f32) -> Vec<f32> {
    let own = random(seed, count);
    random(seed + 1, copies * count).iter().enumerate().map(|(i, change)| own[i % count] + size * change).collect()
}

/// Row sums, [rows].
async fn row_sums(device: &Device, tensor: &crate::device::Tensor) -> Vec<f32> {
    device.read(tensor).await.unwrap().chunks_exact(tensor.cols()).map(|row| row.iter().sum()).collect()
}

#[test]
fn copies_without_units_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(12), |(rows in 1usize..90, cols in 1usize..80, even: bool, size in 1usize..9, count in 1usize..5)| {
        let cols = if even { cols.next_multiple_of(4) } else { cols };
        // Sums of at most eight products.
        pair.agree(2e-6, async |device| {
            let base = tensor(device, rows, cols, 1).await;
            let x = tensor(device, rows, 6 * size, 2).await;
            let directions = tensor(device, 6 * size, cols, 3).await;
            let units: Vec<u32> = (0..count as u32).map(|i| i * 5 % 6).collect();
            let out = device.without_units(&base, &x, &directions, &units, size).await.unwrap();
            assert_eq!((out.rows(), out.cols()), (count * rows, cols));
            vec![device.read(&out).await.unwrap()]
        });
    });
}

#[test]
fn small_changes_of_direction_agree() {
    let Some(pair) = pair() else { return };
    for size in [1.0, 1e-2, 1e-5] {
        proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..90, cols in 2usize..150, even: bool, copies in 1usize..4)| {
            let cols = if even { cols.next_multiple_of(4) } else { cols };
            // The states themselves are rounded, alike on both; sums of at most 150 terms in f32 follow.
            pair.agree(2e-5, async |device| {
                let states = device.upload(copies * rows, cols, &moved(1, copies, rows * cols, size)).await.unwrap();
                let places: Vec<u32> = (0..rows.min(70) as u32).map(|i| (i * 7) % rows as u32).collect();
                let own = device.upload(rows, cols, &random(1, rows * cols)).await.unwrap();
                let reference = device.select(&own, Some(&places), None).await.unwrap();
                let out = device.direction_changes(&states, copies, &places, &reference).await.unwrap();
                vec![device.read(&out).await.unwrap()]
            });
        });
    }
}

#[test]
fn a_row_of_zeros_has_no_direction_and_harms_nothing() {
    let Some(pair) = pair() else { return };
    for device in [&pair.gpu, &pair.cpu] {
        let changes = pollster::block_on(async {
            let states = device.upload(2, 3, &[0.0, 0.0, 0.0, 1.0, 2.0, 3.0]).await.unwrap();
            let reference = device.upload(2, 3, &[1.0, 2.0, 2.0, 0.0, 0.0, 0.0]).await.unwrap();
            device.read(&device.direction_changes(&states, 1, &[0, 1], &reference).await.unwrap()).await.unwrap()
        });
        assert!(changes.iter().all(|change| change.is_finite() && change.abs() < 1.1), "{changes:?}");
    }
}

#[test]
fn changes_of_similarity_agree() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        for size in [1.0, 1e-4] {
            proptest!(ProptestConfig::with_cases(6), |(rows in 1usize..150, cols in 1usize..40, copies in 1usize..4)| {
                // Sums of squares of positive terms, each a sum of at most 80 products.
                pair.agree(2e-5, async |device| {
                    let a = tensor(device, rows, cols, 1).await;
                    let changes: Vec<f32> = random(2, copies * rows * cols).iter().map(|v| size * v).collect();
                    let changes = device.upload(copies * rows, cols, &changes).await.unwrap();
                    let sums = device.similarity_changes(&a, &changes).await.unwrap();
                    assert_eq!(sums.rows(), copies);
                    vec![row_sums(device, &sums).await]
                });
            });
        }
    }
}

#[test]
fn the_cost_of_removals_is_split_into_submissions() {
    let Some(pair) = pair() else { return };
    pair.raw().context.pace.borrow_mut().restrict(1e9);
    pair.agree(2e-5, async |device| {
        let a = tensor(device, 130, 48, 1).await;
        let changes = tensor(device, 9 * 130, 48, 2).await;
        vec![row_sums(device, &device.similarity_changes(&a, &changes).await.unwrap()).await]
    });
}

#[test]
fn divergences_of_small_changes_agree() {
    let Some(pair) = pair() else { return };
    for size in [3.0, 1e-1, 1e-4] {
        proptest!(ProptestConfig::with_cases(6), |(rows in 1usize..80, first in 1usize..600, second in 1usize..50, copies in 1usize..4)| {
            // Each of the two sums against its own size; sums of at most 650 products in f32.
            pair.agree(1e-4, async |device| {
                let sums = device.zeros(copies * rows, 2).await.unwrap();
                let norms = device.upload(rows, 1, &vec![3.0; rows]).await.unwrap();
                for (seed, width) in [(1, first), (3, second)] {
                    let logits = tensor(device, rows, width, seed).await;
                    let changes: Vec<f32> = random(seed + 1, copies * rows * width).iter().map(|v| size * v).collect();
                    let changes = device.upload(copies * rows, width, &changes).await.unwrap();
                    device.divergence_change_tile(&logits, &norms, &changes, &sums).await.unwrap();
                }
                let sums = device.read(&sums).await.unwrap();
                vec![sums.iter().step_by(2).copied().collect(), sums.iter().skip(1).step_by(2).copied().collect()]
            });
        });
    }
}
