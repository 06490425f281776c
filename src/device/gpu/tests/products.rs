//! Linear layers, products, Grams.

use super::super::context::Tiling;
use super::{TILINGS, pair, random, tensor};
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::{Activation, Op};
use proptest::prelude::*;

/// Sums of up to a few hundred products of unit normals in f32, in another order: a few units in the last place (6e-8) times
/// the square root of the number of terms, relative to a result that grows with that root too.
const SUM: f64 = 4e-6;

/// The same after an activation, which may shrink the result but not the error of the sum under it.
const ACTIVATED: f64 = 2e-5;

fn op(transposed: bool) -> Op {
    if transposed { Op::T } else { Op::N }
}

const ACTIVATIONS: [Activation; 6] =
    [Activation::Identity, Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu, Activation::Tanh];

#[test]
fn matmul_agrees() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        proptest!(ProptestConfig::with_cases(24), |(m in 1usize..150, n in 1usize..150, k in 1usize..90, a: bool, b: bool, even: bool)| {
            // Multiples of four take the kernels with wide loads.
            let [m, n, k] = if even { [m, n, k].map(|v| v.next_multiple_of(4)) } else { [m, n, k] };
            pair.agree(SUM, async |device| {
                let x = if a { tensor(device, k, m, 1).await } else { tensor(device, m, k, 1).await };
                let y = if b { tensor(device, n, k, 2).await } else { tensor(device, k, n, 2).await };
                let out = device.matmul(&x, op(a), &y, op(b)).await.unwrap();
                vec![device.read(&out).await.unwrap()]
            });
        });
    }
}

#[test]
fn linear_agrees_for_every_dtype_layout_and_activation() {
    let Some(pair) = pair() else { return };
    // Without the large tiles, to save time: they load through the same snippets, and the other tests have them.
    for tiling in [Tiling::Direct, Tiling::Tiled] {
        pair.raw().context.force(tiling);
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            for layout in [Layout::OutIn, Layout::InOut] {
                for (which, activation) in ACTIVATIONS.into_iter().enumerate() {
                    // Odd numbers of halves leave half a word; odd rows begin in the middle of one.
                    let [n, outputs, inputs] = [[5, 7, 9], [33, 40, 12], [70, 130, 21], [1, 3, 1], [64, 128, 32], [3, 66, 130]][which];
                    pair.agree(ACTIVATED, async |device| {
                        let x = tensor(device, n, inputs, 3).await;
                        let (matrix, _) = Matrix::from_f32_inputs_major(&random(4, inputs * outputs), inputs, outputs, dtype, layout);
                        let weight = device.upload_weight(&matrix).await.unwrap();
                        let bias = tensor(device, 1, outputs, 5).await;
                        let with = device.linear(&x, &weight, Some(&bias), activation).await.unwrap();
                        let without = device.linear(&x, &weight, None, activation).await.unwrap();
                        vec![device.read(&with).await.unwrap(), device.read(&without).await.unwrap()]
                    });
                }
            }
        }
    }
}

#[test]
fn every_finite_half_is_unpacked_exactly() {
    let Some(pair) = pair() else { return };
    for (dtype, infinite) in [(Dtype::F16, 0x7c00u16), (Dtype::BF16, 0x7f80)] {
        let bits: Vec<u16> =
            (0..=u16::MAX).filter(|bits| bits & infinite != infinite && (dtype == Dtype::F16 || bits & infinite != 0)).collect();
        let bits = &bits[..bits.len() / 4 * 4];
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        // Exact: an embedding only copies. Subnormal halves are normal floats, so none may be flushed.
        pair.agree(0.0, async |device| {
            let matrix = Matrix { rows: bits.len() / 4, cols: 4, dtype, layout: Layout::OutIn, bytes: bytes.clone() };
            let weight = device.upload_weight(&matrix).await.unwrap();
            let ids: Vec<u32> = (0..matrix.rows as u32).collect();
            vec![device.read(&device.embed(&[(&weight, &ids)]).await.unwrap()).await.unwrap()]
        });
    }
}

#[test]
fn activations_are_sound_far_out() {
    let Some(pair) = pair() else { return };
    // Beyond where exp overflows, and near zero, where quotients cancel. Absolute error, since the functions cross zero.
    let values: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.01).chain([-1e4, -200.0, -90.0, -20.0, 20.0, 90.0, 200.0, 1e4, 0.0]).collect();
    for activation in ACTIVATIONS {
        let run = async |device: &crate::device::Device| {
            let x = device.upload(values.len(), 1, &values).await.unwrap();
            let one = Matrix { rows: 1, cols: 1, dtype: Dtype::F32, layout: Layout::OutIn, bytes: 1f32.to_le_bytes().to_vec() };
            let one = device.upload_weight(&one).await.unwrap();
            device.read(&device.linear(&x, &one, None, activation).await.unwrap()).await.unwrap()
        };
        let (gpu, cpu) = (pollster::block_on(run(&pair.gpu)), pollster::block_on(run(&pair.cpu)));
        for ((g, c), x) in gpu.iter().zip(&cpu).zip(&values) {
            // The approximation of erf is off by 1.5e-7 at most, times x / 2; exp by a few units in the last place.
            assert!((g - c).abs() <= 1e-6 * x.abs().max(1.0), "{activation:?}({x}) is {g} on the GPU, {c} on the CPU");
        }
    }
}

#[test]
fn grams_agree_are_symmetric_and_accumulate() {
    let Some(pair) = pair() else { return };
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        for (rows, c, d) in [(1, 1, 1), (600, 37, 5), (1030, 64, 130), (33, 132, 140), (513, 160, 68)] {
            pair.agree(SUM, async |device| {
                let x = tensor(device, rows, c, 6).await;
                let y = tensor(device, rows, d, 7).await;
                let gram = device.upload(c, c, &vec![0.5; c * c]).await.unwrap();
                let cross = device.zeros(c, d).await.unwrap();
                for _ in 0..2 {
                    device.gram(&x, &gram).await.unwrap();
                    device.cross_gram(&x, &y, &cross).await.unwrap();
                }
                let gram = device.read(&gram).await.unwrap();
                for i in 0..c {
                    for j in 0..i {
                        assert_eq!(gram[i * c + j], gram[j * c + i]);
                    }
                }
                vec![gram, device.read(&cross).await.unwrap()]
            });
        }
    }
}
