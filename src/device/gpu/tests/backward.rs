//! Gradients with respect to inputs.

use super::super::context::Tiling;
use super::{TILINGS, pair, random, tensor};
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::{Activation, AttentionShape, Segments};
use proptest::prelude::*;

/// Sums of a few hundred products in f32, in another order; see products.rs.
const SUM: f64 = 4e-6;

#[test]
fn linear_backward_agrees_for_every_dtype_and_layout() {
    let Some(pair) = pair() else { return };
    for tiling in [Tiling::Direct, Tiling::Tiled] {
        pair.raw().context.force(tiling);
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            for layout in [Layout::OutIn, Layout::InOut] {
                for [n, outputs, inputs] in [[5, 7, 9], [70, 130, 21], [1, 3, 1], [64, 128, 32]] {
                    pair.agree(SUM, async |device| {
                        let upstream = tensor(device, n, outputs, 1).await;
                        let (matrix, _) = Matrix::from_f32_inputs_major(&random(2, inputs * outputs), inputs, outputs, dtype, layout);
                        let weight = device.upload_weight(&matrix).await.unwrap();
                        vec![device.read(&device.linear_backward(&upstream, &weight).await.unwrap()).await.unwrap()]
                    });
                }
            }
        }
    }
}

#[test]
fn slopes_are_sound_near_and_far() {
    let Some(pair) = pair() else { return };
    let values: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.02).chain([-1e30, -1e4, -90.0, -20.0, 20.0, 90.0, 1e4, 1e30]).collect();
    for activation in [Activation::Identity, Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu, Activation::Tanh] {
        // The approximation of erf is off by 1.5e-7; 1 - tanh^2 loses as much, times at most 5 where it is not 0. Slopes are of
        // unit size.
        pair.agree(3e-6, async |device| {
            let x = device.upload(values.len(), 1, &values).await.unwrap();
            let upstream = device.upload(values.len(), 1, &vec![2.0; values.len()]).await.unwrap();
            let slopes = device.activate_backward(&x, &upstream, activation).await.unwrap();
            let near = device.upload(801, 1, &values[..801]).await.unwrap();
            let activated = device.activate(&near, activation).await.unwrap();
            vec![device.read(&slopes).await.unwrap(), device.read(&activated).await.unwrap()]
        });
    }
}

#[test]
fn norm_gradients_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(12), |(rows in 1usize..140, cols in 2usize..300, even: bool)| {
        let cols = if even { cols.next_multiple_of(4) } else { cols };
        // The mean lies far from zero, as in layers.rs, and so costs digits.
        pair.agree(1e-4, async |device| {
            let shifted: Vec<f32> = random(1, rows * cols).iter().map(|v| v + 10.0).collect();
            let x = device.upload(rows, cols, &shifted).await.unwrap();
            let (gain, upstream) = (tensor(device, 1, cols, 2).await, tensor(device, rows, cols, 3).await);
            let layer = device.layer_norm_backward(&x, &gain, &upstream, 1e-3).await.unwrap();
            let rms = device.rms_norm_backward(&x, &gain, &upstream, 1e-5).await.unwrap();
            vec![device.read(&layer).await.unwrap(), device.read(&rms).await.unwrap()]
        });
    });
}

#[test]
fn attention_gradients_agree() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        let lengths = prop::collection::vec(1usize..40, 1..5);
        // Head widths are constants of the kernels: a few are enough, each compiles anew.
        let dims = prop::sample::select(vec![1usize, 6, 8, 64]);
        proptest!(ProptestConfig::with_cases(12), |(lengths in lengths, group in 1usize..3, kv_heads in 1usize..3, head_dim in dims, causal: bool)| {
            let segments = Segments::new(lengths);
            let shape = AttentionShape { heads: group * kv_heads, kv_heads, head_dim, causal };
            // Differences of numbers of unit size, which are small where one key takes all.
            pair.agree(4e-5, async |device| {
                let n = segments.tokens();
                let q = tensor(device, n, shape.heads * head_dim, 5).await;
                let k = tensor(device, n, kv_heads * head_dim, 6).await;
                let v = tensor(device, n, kv_heads * head_dim, 7).await;
                let upstream = tensor(device, n, shape.heads * head_dim, 8).await;
                let context = device.attention(&q, &k, &v, &segments, shape).await.unwrap();
                let mut out = Vec::new();
                for gradient in device.attention_backward([&q, &k, &v], &context, &upstream, &segments, shape).await.unwrap() {
                    out.push(device.read(&gradient).await.unwrap());
                }
                if segments.ranges().all(|rows| rows.len() == 1) {
                    // One key takes all: these are 0 up to rounding, which nothing can be relative to.
                    out.drain(..2);
                }
                out
            });
        });
    }
}

#[test]
fn sums_by_segment_agree() {
    let Some(pair) = pair() else { return };
    let lengths = prop::collection::vec(0usize..90, 1..30);
    proptest!(ProptestConfig::with_cases(12), |(lengths in lengths, cols in 1usize..70, even: bool)| {
        let cols = if even { cols.next_multiple_of(4) } else { cols };
        let segments = Segments::new(lengths);
        pair.agree(SUM, async |device| {
            let (a, b) = (tensor(device, segments.tokens(), cols, 1).await, tensor(device, segments.tokens(), cols, 2).await);
            vec![device.read(&device.segment_dots(&a, &b, &segments).await.unwrap()).await.unwrap()]
        });
    });
}

#[test]
fn softmax_gradients_agree_over_tiles() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..80, first in 1usize..300, cols in 1usize..300)| {
        pair.agree(1e-5, async |device| {
            let logits = tensor(device, rows, cols, 1).await;
            // Some targets lie in the tile, some beside it.
            let targets: Vec<u32> = (0..rows).map(|row| (row * 31 % (first + cols)) as u32).collect();
            let norms: Vec<f32> = (0..rows).flat_map(|row| [1.0 + row as f32 / 9.0, 0.25]).collect();
            let norms = device.upload(rows, 2, &norms).await.unwrap();
            let gradient = device.softmax_backward_tile(&logits, first, &targets, &norms).await.unwrap();
            vec![device.read(&gradient).await.unwrap()]
        });
    });
}

#[test]
fn draws_over_tiles_are_those_of_the_distribution() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..80, first in 1usize..600, second in 1usize..600, seed in 0u64..1000)| {
        let (a, b) = (random(seed, rows * first), random(seed + 1, rows * second));
        let uniform: Vec<f32> = {
            let mut random = crate::base::Random::new(seed);
            (0..rows).map(|row| if row == 0 { 0.0 } else { random.uniform() as f32 }).collect()
        };
        let row_of = |row: usize| a[row * first..(row + 1) * first].iter().chain(&b[row * second..(row + 1) * second]).map(|&v| f64::from(v));
        let norms: Vec<f32> = (0..rows).map(|row| row_of(row).map(f64::exp).sum::<f64>().ln() as f32).collect();
        for device in [&pair.gpu, &pair.cpu] {
            let drawn = pollster::block_on(async {
                let begin: Vec<f32> = uniform.iter().flat_map(|&u| [u, 0.0]).collect();
                let state = device.upload(rows, 2, &begin).await.unwrap();
                let norms = device.upload(rows, 1, &norms).await.unwrap();
                device.sample_tile(&device.upload(rows, first, &a).await.unwrap(), 0, &norms, &state).await.unwrap();
                device.sample_tile(&device.upload(rows, second, &b).await.unwrap(), first, &norms, &state).await.unwrap();
                device.read(&state).await.unwrap()
            });
            for row in 0..rows {
                // The number lies in the drawn column's share of the cumulated probabilities, up to rounding of f32.
                let (place, u) = (drawn[2 * row + 1] as usize, f64::from(uniform[row]));
                let shares: Vec<f64> = row_of(row).map(|logit| (logit - f64::from(norms[row])).exp()).collect();
                let below: f64 = shares[..place].iter().sum();
                prop_assert!(below - 2e-6 <= u && u <= below + shares[place] + 2e-6, "{u} drew column {place}: {below} + {}", shares[place]);
            }
        }
    });
}

#[test]
fn small_bindings_split_the_backward_pass() {
    let Some(pair) = pair() else { return };
    // x is 90 kB; a span takes 192 rows of it, and a sequence lies across its end.
    pair.raw().context.restrict_binding(56 << 10);
    let (n, c) = (333, 68);
    let segments = Segments::new([60, 1, 60, 7, 60, 10, 59, 76]);
    let shape = AttentionShape { heads: 17, kv_heads: 17, head_dim: 4, causal: true };
    pair.agree(4e-5, async |device| {
        let (x, upstream) = (tensor(device, n, c, 1).await, tensor(device, n, c, 2).await);
        let gain = tensor(device, 1, c, 3).await;
        let rows = device.upload(n, 2, &[1.0, 0.5].repeat(n)).await.unwrap();
        let targets: Vec<u32> = (0..n as u32).map(|row| row % 90).collect();
        let context = device.attention(&x, &x, &x, &segments, shape).await.unwrap();
        let mut outputs = vec![
            device.layer_norm_backward(&x, &gain, &upstream, 1e-5).await.unwrap(),
            device.activate_backward(&x, &upstream, Activation::Silu).await.unwrap(),
            device.softmax_backward_tile(&x, 20, &targets, &rows).await.unwrap(),
            device.segment_dots(&x, &upstream, &segments).await.unwrap(),
        ];
        outputs.extend(device.attention_backward([&x, &x, &x], &context, &upstream, &segments, shape).await.unwrap());
        let mut values = Vec::new();
        for output in &outputs {
            values.push(device.read(output).await.unwrap());
        }
        values
    });
}
