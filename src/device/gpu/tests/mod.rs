//! The GPU against the CPU: one body for both devices, over odd shapes. The CPU device is itself tested against f64 loops.

mod backward;
mod decoding;
mod eigen;
mod hardening;
mod layers;
mod products;
mod removal;
mod shaders;
mod solves;
mod sparse;

use super::Gpu;
use super::context::Tiling;
use crate::base::{CancelToken, Random};
use crate::device::cpu::Cpu;
use crate::device::{Device, Tensor};
use pollster::block_on;

/// Every family of kernels, whichever this machine's adapter would take.
const TILINGS: [Tiling; 3] = [Tiling::Direct, Tiling::Tiled, Tiling::Large];

/// Both devices.
struct Pair {
    gpu: Device,
    cpu: Device,
}

/// Both devices; none if the environment says that there is no GPU to test.
fn pair() -> Option<Pair> {
    if std::env::var_os("COPPICE_NO_GPU").is_some() {
        println!("left out: COPPICE_NO_GPU is set");
        return None;
    }
    let gpu = block_on(Gpu::open(CancelToken::default(), "tests")).expect("an adapter (set COPPICE_NO_GPU to leave GPU tests out)");
    let cpu = Cpu::new(CancelToken::default(), "tests");
    Some(Pair { gpu: Device::Gpu(Box::new(gpu)), cpu: Device::Cpu(cpu) })
}

impl Pair {
    fn raw(&self) -> &Gpu {
        match &self.gpu {
            Device::Gpu(gpu) => gpu,
            Device::Cpu(_) => unreachable!(),
        }
    }

    /// Runs `body` on both devices, on the GPU inside a validation scope, and compares what it returns. `tolerance` is relative to
    /// the element or to the root mean square of its result, whichever is larger.
    fn agree(&self, tolerance: f64, body: impl AsyncFn(&Device) -> Vec<Vec<f32>>) {
        let expected = block_on(body(&self.cpu));
        let scope = self.raw().context.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let actual = block_on(body(&self.gpu));
        let error = block_on(scope.pop());
        assert!(error.is_none(), "{error:?}");
        assert_eq!(actual.len(), expected.len());
        for (which, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
            close(which, actual, expected, tolerance);
        }
    }
}

fn close(which: usize, actual: &[f32], expected: &[f32], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "length of result {which}");
    let mean_square = expected.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / expected.len().max(1) as f64;
    let size = mean_square.sqrt().max(1e-30);
    for (index, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let allowed = tolerance * size.max(f64::from(e).abs());
        // Written so that a NaN fails.
        let near = f64::from(a - e).abs() <= allowed;
        assert!(near, "result {which}, element {index}: {a} on the GPU, {e} on the CPU, allowed {allowed}");
    }
}

/// Standard normal values.
fn random(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal() as f32).collect()
}

async fn tensor(device: &Device, rows: usize, cols: usize, seed: u64) -> Tensor {
    device.upload(rows, cols, &random(seed, rows * cols)).await.unwrap()
}
