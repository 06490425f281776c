//! Everything of a transformer layer that is not a product, and the statistics.

use super::{TILINGS, pair, random, tensor};
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::{AttentionShape, Segments};
use proptest::prelude::*;

/// A few roundings of f32 on values of unit size.
const ROUNDING: f64 = 4e-6;

#[test]
fn layer_norm_and_add_agree() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        proptest!(ProptestConfig::with_cases(12), |(rows in 1usize..140, cols in 1usize..300, even: bool)| {
            let cols = if even { cols.next_multiple_of(4) } else { cols };
            // A mean far from zero would cancel in a one-pass variance. One column has no variance: eps decides.
            pair.agree(4e-5, async |device| {
                let shifted: Vec<f32> = random(1, rows * cols).iter().map(|v| v + 30.0).collect();
                let x = device.upload(rows, cols, &shifted).await.unwrap();
                let residual = tensor(device, rows, cols, 2).await;
                let gain = tensor(device, 1, cols, 3).await;
                let bias = tensor(device, 1, cols, 4).await;
                let alone = device.layer_norm(&x, None, &gain, &bias, 1e-5).await.unwrap();
                let summed = device.layer_norm(&x, Some(&residual), &gain, &bias, 1e-5).await.unwrap();
                let sum = device.add(&x, &residual, -0.5).await.unwrap();
                vec![device.read(&alone).await.unwrap(), device.read(&summed).await.unwrap(), device.read(&sum).await.unwrap()]
            });
        });
    }
}

#[test]
fn attention_agrees() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        let lengths = prop::collection::vec(1usize..40, 1..5);
        // Head widths are constants of the kernel: a few are enough, each compiles anew.
        let dims = prop::sample::select(vec![1usize, 6, 8, 64]);
        proptest!(ProptestConfig::with_cases(16), |(lengths in lengths, group in 1usize..3, kv_heads in 1usize..3, head_dim in dims, causal: bool)| {
            let segments = Segments::new(lengths);
            let shape = AttentionShape { heads: group * kv_heads, kv_heads, head_dim, causal };
            pair.agree(ROUNDING, async |device| {
                let q = tensor(device, segments.tokens(), shape.heads * head_dim, 5).await;
                let k = tensor(device, segments.tokens(), kv_heads * head_dim, 6).await;
                let v = tensor(device, segments.tokens(), kv_heads * head_dim, 7).await;
                let out = device.attention(&q, &k, &v, &segments, shape).await.unwrap();
                vec![device.read(&out).await.unwrap()]
            });
        });
    }
}

#[test]
fn embed_agrees_for_every_dtype_and_layout() {
    let Some(pair) = pair() else { return };
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        for layout in [Layout::OutIn, Layout::InOut] {
            for (vocabulary, width) in [(11, 5), (50, 32)] {
                pair.agree(ROUNDING, async |device| {
                    let table = |seed| Matrix::from_f32_inputs_major(&random(seed, vocabulary * width), width, vocabulary, dtype, layout).0;
                    let first = device.upload_weight(&table(1)).await.unwrap();
                    let second = device.upload_weight(&table(2)).await.unwrap();
                    let ids: Vec<u32> = (0..77).map(|i| (i * 7 % vocabulary) as u32).collect();
                    let others: Vec<u32> = ids.iter().rev().copied().collect();
                    let sum = device.embed(&[(&first, &ids), (&second, &others), (&first, &others)]).await.unwrap();
                    vec![device.read(&sum).await.unwrap()]
                });
            }
        }
    }
}

#[test]
fn statistics_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(12), |(rows in 1usize..1300, cols in 1usize..90, even: bool)| {
        let cols = if even { cols.next_multiple_of(4) } else { cols };
        pair.agree(ROUNDING, async |device| {
            let x = tensor(device, rows, cols, 8).await;
            let y = tensor(device, rows, cols, 9).await;
            let sums = device.zeros(2, cols).await.unwrap();
            device.column_stats(&x, &sums).await.unwrap();
            device.column_stats(&y, &sums).await.unwrap();
            // A sum of n random signs is about sqrt(n); the error of the dot product is measured against that.
            let dot = device.dot(&x, &y).await.unwrap() / ((rows * cols) as f64).sqrt();
            vec![device.read(&sums).await.unwrap(), vec![dot as f32, 1.0]]
        });
    });
}

#[test]
fn cosine_distances_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(12), |(rows in 2usize..300, cols in 2usize..200, even: bool, near: bool)| {
        let cols = if even { cols.next_multiple_of(4) } else { cols };
        // Rows that hardly differ, whose differences keep three digits in f32; and others, the first of which is zero.
        pair.agree(if near { 2e-3 } else { 1e-5 }, async |device| {
            let mut values = random(12, rows * cols);
            if !near {
                values[..cols].fill(0.0);
            }
            let a = device.upload(rows, cols, &values).await.unwrap();
            let other = tensor(device, rows, cols, 13).await;
            let b = if near { device.add(&a, &other, 1e-3).await.unwrap() } else { other };
            vec![device.read(&device.cosine_distances(&a, &b).await.unwrap()).await.unwrap()]
        });
    });
}

#[test]
fn selections_and_covariances_agree() {
    let Some(pair) = pair() else { return };
    let (rows, cols) = ([4u32, 0, 4, 69, 33], [3u32, 69, 0, 1, 2, 68, 33]);
    pair.agree(ROUNDING, async |device| {
        let a = tensor(device, 70, 70, 10).await;
        let mean = tensor(device, 1, 70, 11).await;
        let mut out = Vec::new();
        for (r, c) in [(None, None), (Some(&rows[..]), None), (None, Some(&cols[..])), (Some(&rows[..]), Some(&cols[..]))] {
            out.push(device.read(&device.select(&a, r, c).await.unwrap()).await.unwrap());
        }
        let covariance = device.covariance(&a, &mean, 17.0, &rows, &cols, 0.25).await.unwrap();
        out.push(device.read(&covariance).await.unwrap());
        out
    });
}
