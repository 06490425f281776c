//! Limits, pacing, cancelling, counting, faults.

use super::{TILINGS, pair, random, tensor};
use crate::base::{CancelToken, ErrorKind};
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::gpu::Gpu;
use crate::device::{Activation, AttentionShape, Device, Op, Segments};
use pollster::block_on;

/// Another order of the same f32 sums; see products.rs.
const SUM: f64 = 4e-6;

async fn everything(device: &Device) -> Vec<Vec<f32>> {
    let (n, c) = (333, 68);
    let x = tensor(device, n, c, 1).await;
    let square = tensor(device, c, c, 2).await;
    let (matrix, _) = Matrix::from_f32_inputs_major(&random(3, c * 300), c, 300, Dtype::BF16, Layout::OutIn);
    let weight = device.upload_weight(&matrix).await.unwrap();
    let bias = tensor(device, 1, 300, 4).await;
    let gain = tensor(device, 1, c, 5).await;
    let gram = device.zeros(c, c).await.unwrap();
    device.gram(&x, &gram).await.unwrap();
    let sums = device.zeros(2, c).await.unwrap();
    device.column_stats(&x, &sums).await.unwrap();
    let segments = Segments::new([100, 1, 120, 112]);
    let shape = AttentionShape { heads: 17, kv_heads: 17, head_dim: 4, causal: true };
    let all: Vec<u32> = (0..c as u32).rev().collect();
    let outputs = [
        device.linear(&x, &weight, Some(&bias), Activation::Gelu).await.unwrap(),
        device.matmul(&x, Op::T, &x, Op::N).await.unwrap(),
        device.matmul(&x, Op::N, &square, Op::T).await.unwrap(),
        device.layer_norm(&x, None, &gain, &gain, 1e-5).await.unwrap(),
        device.attention(&x, &x, &x, &segments, shape).await.unwrap(),
        device.add(&x, &x, 2.0).await.unwrap(),
        device.select(&x, None, Some(&all)).await.unwrap(),
        gram,
        sums,
    ];
    let mut values = Vec::new();
    for output in &outputs {
        values.push(device.read(output).await.unwrap());
    }
    values.push(vec![device.dot(&x, &x).await.unwrap() as f32]);
    values
}

#[test]
fn small_bindings_split_every_operation() {
    let Some(pair) = pair() else { return };
    // x is 90 kB, the result of the linear layer 400 kB; one tile of 128 rows of it needs 154 kB.
    pair.raw().context.restrict_binding(160 << 10);
    for tiling in TILINGS {
        pair.raw().context.force(tiling);
        pair.agree(SUM, everything);
    }
}

#[test]
fn a_slow_device_gets_small_submissions() {
    let Some(pair) = pair() else { return };
    pair.raw().context.pace.borrow_mut().restrict(1.0);
    let before = pair.raw().context.pool.submissions();
    pair.agree(SUM, everything);
    assert!(pair.raw().context.pool.submissions() > before + 8);
}

#[test]
fn a_matrix_above_the_limit_is_refused_in_a_sentence() {
    let Some(pair) = pair() else { return };
    pair.raw().context.restrict_binding(64 << 10);
    pair.raw().context.pool.restrict(64 << 10);
    let error = block_on(pair.gpu.zeros(1000, 100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory);
    let error = block_on(pair.gpu.upload(1, 3, &[0.0; 4])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn the_ledger_counts_live_bytes_and_buffers_are_reused() {
    let Some(pair) = pair() else { return };
    let gpu = pair.raw();
    assert_eq!(gpu.ledger().live(), 0);
    for _ in 0..20 {
        let a = block_on(pair.gpu.upload(100, 100, &random(1, 10_000))).unwrap();
        let b = block_on(pair.gpu.add(&a, &a, 1.0)).unwrap();
        assert!(gpu.ledger().live() >= 80_000);
        assert!(gpu.ledger().live() < 100_000);
        assert_eq!(block_on(pair.gpu.read(&b)).unwrap()[77], 2.0 * random(1, 10_000)[77]);
    }
    assert_eq!(gpu.ledger().live(), 0);
    assert!(gpu.ledger().peak() < 100_000);
    assert!(gpu.context.pool.idle_count() < 6);
}

#[test]
fn a_reused_buffer_does_not_disturb_commands_that_wait() {
    let Some(pair) = pair() else { return };
    // The write of `b` must not reach the buffer of `a` before the sum is computed, although `a` is dropped by then.
    let a = block_on(pair.gpu.upload(8, 8, &[1.0; 64])).unwrap();
    let sum = block_on(pair.gpu.add(&a, &a, 1.0)).unwrap();
    drop(a);
    let b = block_on(pair.gpu.upload(8, 8, &[5.0; 64])).unwrap();
    assert_eq!(block_on(pair.gpu.read(&sum)).unwrap(), [2.0; 64]);
    assert_eq!(block_on(pair.gpu.read(&b)).unwrap(), [5.0; 64]);
}

#[test]
fn a_cancelled_token_stops_the_work() {
    let Some(mut pair) = pair() else { return };
    let cancel = CancelToken::default();
    pair.gpu.watch(cancel.clone());
    let x = block_on(tensor(&pair.gpu, 64, 64, 1));
    cancel.cancel();
    assert_eq!(block_on(pair.gpu.matmul(&x, Op::N, &x, Op::N)).unwrap_err().kind(), ErrorKind::Cancelled);
    // The device serves the next run.
    pair.gpu.watch(CancelToken::default());
    assert!(block_on(pair.gpu.matmul(&x, Op::N, &x, Op::N)).is_ok());
}

#[test]
fn errors_of_the_driver_become_sentences() {
    let Some(pair) = pair() else { return };
    let gpu = pair.raw();
    // A mapping that is not allowed, as any refused operation.
    let _ = gpu.context.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let error = block_on(pair.gpu.finish()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(!error.to_string().contains('\n'));
    // Told once; the device goes on.
    block_on(pair.gpu.finish()).unwrap();
}

#[test]
fn a_lost_device_fails_and_does_not_hang() {
    let Some(pair) = pair() else { return };
    let x = block_on(tensor(&pair.gpu, 4, 4, 1));
    pair.raw().context.device.destroy();
    let error = block_on(pair.gpu.read(&x)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
}

#[test]
fn shapes_that_do_not_match_are_defects_not_crashes() {
    let Some(pair) = pair() else { return };
    let gpu: &Gpu = pair.raw();
    let x = block_on(gpu.zeros(3, 4)).unwrap();
    let y = block_on(gpu.zeros(5, 4)).unwrap();
    assert!(block_on(gpu.add(&x, &y, 1.0)).is_err());
    assert!(block_on(gpu.matmul(&x, Op::N, &y, Op::N)).is_err());
    assert!(block_on(gpu.gram(&x, &y)).is_err());
    assert!(block_on(gpu.select(&x, Some(&[3]), None)).is_err());
    assert!(block_on(gpu.solve_spd(&x, &y)).is_err());
}

#[test]
fn nothing_at_all_is_no_error() {
    let Some(pair) = pair() else { return };
    let gpu = pair.raw();
    let none = block_on(gpu.zeros(0, 4)).unwrap();
    assert!(block_on(gpu.read(&none)).unwrap().is_empty());
    assert!(block_on(gpu.add(&none, &none, 1.0)).is_ok());
    let some = block_on(gpu.zeros(4, 4)).unwrap();
    block_on(gpu.gram(&none, &some)).unwrap();
    assert_eq!(block_on(gpu.read(&block_on(gpu.select(&some, Some(&[]), None)).unwrap())).unwrap(), [0f32; 0]);
}

#[test]
fn the_quick_measurement_is_quick_and_positive() {
    let Some(pair) = pair() else { return };
    assert!(block_on(pair.raw().quick_gflops()).unwrap() > 0.0);
}
