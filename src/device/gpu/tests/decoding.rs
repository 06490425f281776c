//! What decoders add.

use super::{pair, random, tensor};
use crate::device::{AttentionShape, Segments};
use proptest::prelude::*;

#[test]
fn norms_gates_and_stacks_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..90, cols in 1usize..200)| {
        // Sums of at most 200 squares in f32.
        pair.agree(1e-5, async |device| {
            let (x, y) = (tensor(device, rows, cols, 1).await, tensor(device, rows, cols, 2).await);
            let gain = tensor(device, 1, cols, 3).await;
            let normed = device.rms_norm(&x, &gain, 1e-5).await.unwrap();
            let gated = device.multiply(&x, &y).await.unwrap();
            let stacked = device.stack(&x, &y).await.unwrap();
            vec![device.read(&normed).await.unwrap(), device.read(&gated).await.unwrap(), device.read(&stacked).await.unwrap()]
        });
    });
}

#[test]
fn rotary_positions_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..40, heads in 1usize..4, half in 1usize..20, far in 0u32..5000)| {
        // Both compute the angles in f64; two products and a sum in f32 are left.
        pair.agree(1e-6, async |device| {
            let x = tensor(device, rows, heads * 2 * half, 4).await;
            let positions: Vec<u32> = (0..rows as u32).map(|row| row % 7 + far).collect();
            let frequencies: Vec<f32> = (0..half).map(|pair| 10_000f32.powf(-(pair as f32) / half as f32)).collect();
            let turned = device.rotary(&x, &positions, &frequencies, 2 * half).await.unwrap();
            vec![device.read(&turned).await.unwrap()]
        });
    });
}

#[test]
fn cached_attention_agrees() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(length in 2usize..60, new in 1usize..4, group in 1usize..3, spare in 0usize..9)| {
        let (new, shape) = (new.min(length), AttentionShape { heads: 2 * group, kv_heads: 2, head_dim: 8, causal: true });
        pair.agree(4e-6, async |device| {
            let q = tensor(device, new, shape.heads * 8, 5).await;
            let (k, v) = (tensor(device, length, 16, 6).await, tensor(device, length, 16, 7).await);
            let out = device.attention(&q, &k, &v, &Segments::new([length]), shape).await.unwrap();
            // The same from a cache with room to spare, that is filled in two steps.
            let (keys, values) = (device.zeros(length + spare, 16).await.unwrap(), device.zeros(length + spare, 16).await.unwrap());
            let first: Vec<u32> = (0..(length - new) as u32).collect();
            let rest: Vec<u32> = ((length - new) as u32..length as u32).collect();
            for (whole, cache) in [(&k, &keys), (&v, &values)] {
                for rows in [&first, &rest] {
                    let part = device.select(whole, Some(rows), None).await.unwrap();
                    device.place(&part, cache, rows.first().map_or(0, |&row| row as usize)).await.unwrap();
                }
            }
            let cached = device.attention(&q, &keys, &values, &Segments::new([length]), shape).await.unwrap();
            let (out, cached) = (device.read(&out).await.unwrap(), device.read(&cached).await.unwrap());
            assert_eq!(out, cached);
            vec![out, device.read(&keys).await.unwrap()]
        });
    });
}

#[test]
fn tiled_softmax_and_divergence_agree() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..80, first in 1usize..600, second in 1usize..50)| {
        // Sums of at most 600 exponentials in f32; the divergence is a difference of logarithms of unit size.
        pair.agree(2e-5, async |device| {
            let begin: Vec<f32> = (0..rows).flat_map(|_| [-1e30, 0.0, 0.0, 0.0]).collect();
            let targets: Vec<u32> = (0..rows).map(|row| (row * 31 % (first + second)) as u32).collect();
            let (a, b) = (tensor(device, rows, first, 8).await, tensor(device, rows, second, 9).await);
            let state = device.upload(rows, 4, &begin).await.unwrap();
            device.softmax_tile(&a, 0, &targets, &state).await.unwrap();
            device.softmax_tile(&b, first, &targets, &state).await.unwrap();
            let other = tensor(device, rows, first, 10).await;
            let norms = device.upload(rows, 1, &random(11, rows)).await.unwrap();
            let sums = device.zeros(rows, 1).await.unwrap();
            device.divergence_tile(&a, &norms, &other, &norms, &sums).await.unwrap();
            vec![device.read(&state).await.unwrap(), device.read(&sums).await.unwrap()]
        });
    });
}

#[test]
fn the_first_of_equal_maxima_is_found() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(8), |(rows in 1usize..80, first in 1usize..300, second in 1usize..300, seed in 0u64..1000)| {
        // Few distinct values, so that most maxima are shared; what is found must be exact.
        let coarse = |seed, count| -> Vec<f32> { random(seed, count).iter().map(|v| v.round()).collect() };
        let (a, b) = (coarse(seed, rows * first), coarse(seed + 1, rows * second));
        let expected: Vec<f32> = (0..rows)
            .map(|row| {
                let logits = a[row * first..(row + 1) * first].iter().chain(&b[row * second..(row + 1) * second]);
                let (place, _) = logits.enumerate().fold((0, f32::MIN), |best, (i, &v)| if v > best.1 { (i, v) } else { best });
                place as f32
            })
            .collect();
        for device in [&pair.gpu, &pair.cpu] {
            let found = pollster::block_on(async {
                let state = device.upload(rows, 4, &[-1e30, 0.0, 0.0, 0.0].repeat(rows)).await.unwrap();
                let targets = vec![0; rows];
                device.softmax_tile(&device.upload(rows, first, &a).await.unwrap(), 0, &targets, &state).await.unwrap();
                device.softmax_tile(&device.upload(rows, second, &b).await.unwrap(), first, &targets, &state).await.unwrap();
                device.read(&state).await.unwrap()
            });
            let places: Vec<f32> = found.chunks_exact(4).map(|row| row[3]).collect();
            prop_assert_eq!(&places, &expected);
        }
    });
}
