//! How fast a device computes: `cargo bench --bench device -- [gpu|cpu] [OPERATION]... [--sizes 512,1024]`, where operations are linear, matmul,
//! gram, attention, solve, sweep and prefix, and sizes multiples of 128.
//!
//! One line a measurement: the operation, its size, the best of three times, GFLOP/s. A time spans from the first command
//! until the device is done; nothing is read back but prefix sums. Figures of a browser are taken by the page's own benchmark.

use coppice::base::{CancelToken, Instant};
use coppice::checkpoint::{Dtype, Layout, Matrix};
use coppice::device::{Activation, AttentionShape, Device, Op, Preference, Segments, Zeros};
use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error>>;

const OPERATIONS: [&str; 7] = ["linear", "matmul", "gram", "attention", "solve", "sweep", "prefix"];
/// Columns that are swept at once, and tokens that prefix sums are over.
const COLUMNS: usize = 128;
const TOKENS: usize = 256;

fn main() -> Outcome<()> {
    let mut preference = Preference::Gpu;
    let mut operations = Vec::new();
    let mut sizes = vec![512, 1024];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "gpu" => preference = Preference::Gpu,
            "cpu" => preference = Preference::Cpu,
            "--sizes" => {
                let list = arguments.next().ok_or("--sizes needs a list such as 512,1024")?;
                sizes = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            // cargo passes it to every benchmark.
            "--bench" => {}
            name => operations.push(OPERATIONS.into_iter().find(|o| *o == name).ok_or("not an operation")?),
        }
    }
    if operations.is_empty() {
        operations = OPERATIONS.to_vec();
    }
    pollster::block_on(measure_all(preference, &operations, &sizes))
}

async fn measure_all(preference: Preference, operations: &[&str], sizes: &[usize]) -> Outcome<()> {
    let device = Device::open(preference, CancelToken::default()).await?;
    let info = device.info();
    println!("{} ({}, {})", info.name, info.kind, info.backend);
    for operation in operations {
        for &size in sizes {
            let (best, flops) = measure(&device, operation, size).await?;
            println!("{operation:9} {size:6} {:10.3} ms {:10.1} GFLOP/s", best * 1e3, flops / best / 1e9);
        }
    }
    Ok(())
}

/// Best time in seconds, and floating-point operations.
async fn measure(device: &Device, operation: &str, n: usize) -> Outcome<(f64, f64)> {
    let values: Vec<f32> = (0..n * n).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect();
    let x = device.upload(n, n, &values).await?;
    let cubed = (n as f64).powi(3);
    let mut best = f64::INFINITY;
    let flops = match operation {
        "linear" => 2.0 * cubed,
        "matmul" => 2.0 * cubed,
        "gram" => cubed,
        "attention" => 4.0 * cubed,
        // With the products for the columns to the right.
        "sweep" => cubed + (n * n * COLUMNS) as f64,
        // With the product for the outputs.
        "prefix" => (4 * n * n * TOKENS) as f64,
        _ => cubed / 3.0 + 2.0 * cubed,
    };
    let (half, _) = Matrix::from_f32_inputs_major(&values, n, n, Dtype::BF16, Layout::OutIn);
    let weight = device.upload_weight(&half).await?;
    let sum = device.zeros(n, n).await?;
    let system = if operation == "solve" {
        let gram = device.matmul(&x, Op::T, &x, Op::N).await?;
        let mean = device.zeros(1, n).await?;
        let all: Vec<u32> = (0..n as u32).collect();
        device.covariance(&gram, &mean, n as f64, &all, &all, 0.1).await?
    } else {
        x.clone()
    };
    let mut factor = vec![0.0; n * n];
    (0..n).for_each(|i| factor[i * n + i..(i + 1) * n].fill(1e-3));
    (0..n).for_each(|i| factor[i * n + i] = 1.0);
    let factor = device.upload(n, n, &factor).await?;
    let tokens = device.upload(n, TOKENS, &vec![0.5; n * TOKENS]).await?;
    let order: Vec<u32> = (0..n * n).map(|i| (i * 7919 % n) as u32).collect();
    // Enough repetitions that the round trip to the device does not count.
    let repeats = if operation == "solve" { 1 } else { (2e10 / flops).clamp(1.0, 50.0) as usize };
    for _ in 0..4 {
        device.finish().await?;
        let begun = Instant::now();
        for _ in 0..repeats {
            match operation {
                "linear" => drop(device.linear(&x, &weight, None, Activation::Gelu).await?),
                "matmul" => drop(device.matmul(&x, Op::N, &x, Op::N).await?),
                "gram" => device.gram(&x, &sum).await?,
                "attention" => {
                    let shape = AttentionShape { heads: n / 64, kv_heads: n / 64, head_dim: 64, causal: false };
                    let segments = Segments::new([n]);
                    drop(device.attention(&x, &x, &x, &segments, shape).await?);
                }
                "sweep" => {
                    for first in (0..n).step_by(COLUMNS) {
                        let zeros = Zeros::Groups { count: 2, size: 4, dead: &[false; COLUMNS] };
                        device.sweep_columns(&x, &factor, first..first + COLUMNS, zeros).await?;
                    }
                }
                "prefix" => drop(device.prefix_sums(&x, &order, &tokens, n.div_ceil(256)).await?),
                _ => drop(device.solve_spd(&system, &x).await?),
            }
        }
        device.finish().await?;
        best = best.min(begun.elapsed().as_secs_f64() / repeats as f64);
    }
    Ok((best, flops))
}
