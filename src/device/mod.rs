//! The compute device: the GPU through wgpu, or the CPU through candle-core, with the same operations.
//!
//! A [`Device`] is an enum, not a dynamic trait. Every operation is `async`: on the GPU it enqueues work (and now and then
//! flushes it, so that a submission stays short); on the CPU it computes, in slices, and lets the event loop run in between.
//! All of them check the cancel token. Tensors are two-dimensional, row-major f32; weights stay in the dtype of the file.

mod budget;
mod ledger;
mod tensor;
pub mod cpu;
pub mod gpu;

#[cfg(not(target_arch = "wasm32"))]
pub use budget::cpu as host_memory;
pub use ledger::Ledger;
pub use sparse::{Zeros, is_marked, marks};
pub use tensor::{Segments, Tensor, Weight};

pub use crate::model::Activation;

use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::checkpoint::Matrix;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which device a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The faster one, by a quick measurement.
    #[default]
    Auto,
    /// The GPU, even a software adapter; an error where there is none.
    Gpu,
    /// The CPU.
    Cpu,
}

/// What runs the work and why, for the page and the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceInfo {
    /// `gpu` or `cpu`.
    pub kind: &'static str,
    /// Adapter or processor, as the platform names it.
    pub name: String,
    /// Graphics backend (`browser webgpu`, `vulkan`, ...) or `candle-core`.
    pub backend: String,
    /// Whether the GPU adapter is a program on the CPU.
    pub software: bool,
    /// One sentence: why this device was chosen.
    pub why: String,
}

/// Shape of multi-head attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Whether a token sees only itself and what precedes it.
    pub causal: bool,
}

/// Whether a matrix is read as it is or transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// As stored.
    N,
    /// Transposed.
    T,
}

/// The result of [`Device::solve_spd`].
#[derive(Debug)]
pub struct Solution {
    /// X with A X = B, the shape of B.
    pub x: Tensor,
    /// Smallest pivot met in the factorisation, relative to the largest diagonal entry; not positive: A was not positive
    /// definite in this precision and `x` must not be used.
    pub smallest_pivot: f64,
}

/// The result of [`Device::eigen`].
#[derive(Debug)]
pub struct Eigen {
    /// Eigenvalues in falling order; none is negative.
    pub values: Vec<f64>,
    /// Row i is the eigenvector of value i, of length 1; [n, n].
    pub vectors: Tensor,
}

/// A compute device.
pub enum Device {
    /// WebGPU in a browser; Vulkan, Metal or DX12 natively.
    Gpu(Box<gpu::Gpu>),
    /// candle-core on the CPU, one thread in a browser.
    Cpu(cpu::Cpu),
}

/// Forwards one operation to whichever device runs.
macro_rules! forward {
    ($self:ident . $op:ident ( $($arg:expr),* )) => {
        match $self {
            Device::Gpu(gpu) => gpu.$op($($arg),*).await,
            Device::Cpu(cpu) => cpu.$op($($arg),*).await,
        }
    };
}

// Below the macro, which it uses.
mod backward;
mod removal;
mod sparse;

impl Device {
    /// Opens the device that `preference` asks for.
    ///
    /// # Errors
    /// `Gpu` was asked for and there is no adapter.
    pub async fn open(preference: Preference, cancel: CancelToken) -> Result<Self> {
        match preference {
            Preference::Cpu => Ok(Self::Cpu(cpu::Cpu::new(cancel, "the CPU was asked for"))),
            Preference::Gpu => Ok(Self::Gpu(Box::new(gpu::Gpu::open(cancel, "the GPU was asked for").await?))),
            Preference::Auto => choose(cancel).await,
        }
    }

    /// What this device is and why it was chosen.
    pub fn info(&self) -> DeviceInfo {
        match self {
            Self::Gpu(gpu) => gpu.info(),
            Self::Cpu(cpu) => cpu.info(),
        }
    }

    /// Uses another token for the operations from here on (one device serves many runs).
    pub fn watch(&mut self, cancel: CancelToken) {
        match self {
            Self::Gpu(gpu) => gpu.watch(cancel),
            Self::Cpu(cpu) => cpu.watch(cancel),
        }
    }

    /// The token that the operations check.
    pub fn cancel(&self) -> &CancelToken {
        match self {
            Self::Gpu(gpu) => gpu.cancel(),
            Self::Cpu(cpu) => cpu.cancel(),
        }
    }

    /// Live and peak bytes of tensors and weights on this device.
    pub fn ledger(&self) -> &Ledger {
        match self {
            Self::Gpu(gpu) => gpu.ledger(),
            Self::Cpu(cpu) => cpu.ledger(),
        }
    }

    /// Bytes that a run may use here. What a job keeps beyond that goes to other tiers; what must be resident and does not
    /// fit is refused with the figures.
    pub fn budget(&self) -> u64 {
        self.ledger().budget()
    }

    /// Speed of a small matrix product in GFLOP/s; takes milliseconds on a GPU, under 200 on a software adapter.
    pub async fn quick_gflops(&self) -> Result<f64> {
        forward!(self.quick_gflops())
    }

    /// A tensor [rows, cols] from row-major values.
    pub async fn upload(&self, rows: usize, cols: usize, values: &[f32]) -> Result<Tensor> {
        forward!(self.upload(rows, cols, values))
    }

    /// A tensor [rows, cols] of zeros.
    pub async fn zeros(&self, rows: usize, cols: usize) -> Result<Tensor> {
        forward!(self.zeros(rows, cols))
    }

    /// A weight matrix in the dtype of the file.
    pub async fn upload_weight(&self, matrix: &Matrix) -> Result<Weight> {
        forward!(self.upload_weight(matrix))
    }

    /// Row-major values of a tensor, brought to the host. Waits for everything enqueued before it.
    pub async fn read(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        forward!(self.read(tensor))
    }

    /// Row-major values of some rows of a tensor.
    pub async fn read_rows(&self, tensor: &Tensor, rows: Range<usize>) -> Result<Vec<f32>> {
        if rows.start > rows.end || rows.end > tensor.rows {
            return Err(Error::internal(format_args!("rows {rows:?} of a tensor with {}", tensor.rows)));
        }
        forward!(self.read_rows(tensor, rows))
    }

    /// A tensor [rows, cols] whose values `next` gives from the top, for the rows that it is asked for: at most `step` at a time.
    pub async fn upload_by(
        &self,
        rows: usize,
        cols: usize,
        step: usize,
        mut next: impl AsyncFnMut(Range<usize>) -> Result<Vec<f32>>,
    ) -> Result<Tensor> {
        forward!(self.upload_by(rows, cols, step, &mut next))
    }

    /// Sends everything enqueued to the device and waits until it is done.
    pub async fn finish(&self) -> Result<()> {
        forward!(self.finish())
    }

    /// activation(x W^T + bias): x [n, in] and W [out, in] give [n, out]; `bias` is [1, out].
    pub async fn linear(&self, x: &Tensor, weight: &Weight, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        forward!(self.linear(x, weight, bias, activation))
    }

    /// Layer normalisation over columns of x (+ residual): (v - mean) / sqrt(var + eps) * gain + bias, with the biased variance.
    pub async fn layer_norm(&self, x: &Tensor, residual: Option<&Tensor>, gain: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
        forward!(self.layer_norm(x, residual, gain, bias, eps))
    }

    /// Root-mean-square normalisation over columns: x / sqrt(mean(x^2) + eps) * gain.
    pub async fn rms_norm(&self, x: &Tensor, gain: &Tensor, eps: f32) -> Result<Tensor> {
        forward!(self.rms_norm(x, gain, eps))
    }

    /// Rotary positions: within each head of `head_dim` channels of row i, the pair (j, j + head_dim / 2) is turned by
    /// `positions[i] * frequencies[j]` radians. `positions` has an entry a row, `frequencies` head_dim / 2.
    pub async fn rotary(&self, x: &Tensor, positions: &[u32], frequencies: &[f32], head_dim: usize) -> Result<Tensor> {
        forward!(self.rotary(x, positions, frequencies, head_dim))
    }

    /// a * b, elementwise; same shapes.
    pub async fn multiply(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        forward!(self.multiply(a, b))
    }

    /// One tile of a softmax over a vocabulary that is too wide to hold. `logits` [n, tile] are the columns `first..first + tile`;
    /// `state` [n, 4] holds each row's running maximum (begin with -1e30), sum of exp(logit - maximum), the logit of
    /// `targets[row]` once its tile has come by, and the first column that has the maximum. After the last tile,
    /// -ln p(target) = maximum + ln(sum) - logit.
    pub async fn softmax_tile(&self, logits: &Tensor, first: usize, targets: &[u32], state: &Tensor) -> Result<()> {
        forward!(self.softmax_tile(logits, first, targets, state))
    }

    /// One tile of KL(p || q) by rows: adds sum over the tile's columns of p (ln p - ln q) to `sums` [n, 1], where
    /// ln p = p_logits - p_norms and ln q = q_logits - q_norms; the norms, [n, 1], are each row's ln of summed exponentials.
    pub async fn divergence_tile(
        &self,
        p_logits: &Tensor,
        p_norms: &Tensor,
        q_logits: &Tensor,
        q_norms: &Tensor,
        sums: &Tensor,
    ) -> Result<()> {
        forward!(self.divergence_tile(p_logits, p_norms, q_logits, q_norms, sums))
    }

    /// Scaled dot-product attention within each sequence of `segments`; scale 1/sqrt(head_dim).
    /// q is [n, heads * head_dim], k and v are [n, kv_heads * head_dim]; the result is shaped as q. Where q has fewer rows than k,
    /// `segments` is one sequence and the queries are its last rows (generation with a cache). k and v may have more rows than
    /// `segments`, which are not read.
    pub async fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, segments: &Segments, shape: AttentionShape) -> Result<Tensor> {
        forward!(self.attention(q, k, v, segments, shape))
    }

    /// Sum of table rows: row i is the sum over `parts` of table[ids[i]]. All tables have the same width, all ids the same length.
    pub async fn embed(&self, parts: &[(&Weight, &[u32])]) -> Result<Tensor> {
        forward!(self.embed(parts))
    }

    /// a + scale * b, elementwise; same shapes.
    pub async fn add(&self, a: &Tensor, b: &Tensor, scale: f32) -> Result<Tensor> {
        forward!(self.add(a, b, scale))
    }

    /// Adds column sums (row 0) and column sums of squares (row 1) of x [n, c] to `sums` [2, c].
    pub async fn column_stats(&self, x: &Tensor, sums: &Tensor) -> Result<()> {
        forward!(self.column_stats(x, sums))
    }

    /// 1 - cos of the angle between each row of a and that row of b, [n, 1]; 1 where one of them is zero. Same shapes.
    pub async fn cosine_distances(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        forward!(self.cosine_distances(a, b))
    }

    /// gram += x^T x, for x [n, c] and gram [c, c]; both triangles are valid afterwards.
    pub async fn gram(&self, x: &Tensor, gram: &Tensor) -> Result<()> {
        forward!(self.gram(x, gram))
    }

    /// cross += x^T y, for x [n, c], y [n, d] and cross [c, d].
    pub async fn cross_gram(&self, x: &Tensor, y: &Tensor, cross: &Tensor) -> Result<()> {
        forward!(self.cross_gram(x, y, cross))
    }

    /// The rows of a, then the rows of b; same widths.
    pub async fn stack(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        forward!(self.stack(a, b))
    }

    /// Writes the rows of `a` over those of `into` from row `at` on; same widths.
    pub async fn place(&self, a: &Tensor, into: &Tensor, at: usize) -> Result<()> {
        forward!(self.place(a, into, at))
    }

    /// The submatrix a[rows, cols]; `None` takes all.
    pub async fn select(&self, a: &Tensor, rows: Option<&[u32]>, cols: Option<&[u32]>) -> Result<Tensor> {
        forward!(self.select(a, rows, cols))
    }

    /// Covariance block from raw sums: out[i, j] = gram[r_i, c_j] / count - mean[r_i] * mean[c_j], plus `damp` where r_i = c_j.
    /// `mean` is [1, c]; a zero mean gives the raw second moment.
    pub async fn covariance(&self, gram: &Tensor, mean: &Tensor, count: f64, rows: &[u32], cols: &[u32], damp: f32) -> Result<Tensor> {
        forward!(self.covariance(gram, mean, count, rows, cols, damp))
    }

    /// op_a(a) op_b(b), f32.
    pub async fn matmul(&self, a: &Tensor, op_a: Op, b: &Tensor, op_b: Op) -> Result<Tensor> {
        forward!(self.matmul(a, op_a, b, op_b))
    }

    /// Sum over all elements of a * b.
    pub async fn dot(&self, a: &Tensor, b: &Tensor) -> Result<f64> {
        forward!(self.dot(a, b))
    }

    /// Solves A X = B for symmetric positive definite A [n, n] and B [n, m] by Cholesky factorisation: f64 on the CPU,
    /// blocked f32 with iterative refinement on the GPU.
    pub async fn solve_spd(&self, a: &Tensor, b: &Tensor) -> Result<Solution> {
        forward!(self.solve_spd(a, b))
    }

    /// R, upper triangular with positive diagonal, with R^T R = A^-1 for symmetric positive definite A [n, n]; in f64 on the CPU, in f32
    /// on the GPU. Pivots as in [`Device::solve_spd`].
    pub async fn inverse_factor(&self, a: &Tensor) -> Result<Solution> {
        forward!(self.inverse_factor(a))
    }

    /// Eigenvalues and eigenvectors of a symmetric positive semi-definite matrix [n, n]: in f64 on the CPU (Householder reduction,
    /// implicit QL), by one-sided Jacobi rotations in f32 on the GPU. Values below 1e-7 of the mean are noise of f32.
    pub async fn eigen(&self, a: &Tensor) -> Result<Eigen> {
        a.expect("the matrix of eigen", a.rows, a.rows)?;
        forward!(self.eigen(a))
    }
}

/// The faster device by a quick measurement: a software adapter is an order of magnitude slower than SIMD on the CPU.
async fn choose(cancel: CancelToken) -> Result<Device> {
    match gpu::Gpu::open(cancel.clone(), "").await {
        Err(reason) => Ok(Device::Cpu(cpu::Cpu::new(cancel, &format!("no usable GPU: {reason}")))),
        Ok(mut gpu) => {
            let mut cpu = cpu::Cpu::new(cancel, "");
            let on_gpu = match gpu.quick_gflops().await {
                Ok(speed) => speed,
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(reason) => {
                    cpu.set_why(&format!("no usable GPU: {reason}"));
                    return Ok(Device::Cpu(cpu));
                }
            };
            let on_cpu = cpu.quick_gflops().await?;
            let figures = format!("a quick matrix product ran at {on_gpu:.1} GFLOP/s on the GPU and {on_cpu:.1} on the CPU");
            if on_gpu > on_cpu {
                gpu.set_why(&figures);
                Ok(Device::Gpu(Box::new(gpu)))
            } else {
                cpu.set_why(&figures);
                Ok(Device::Cpu(cpu))
            }
        }
    }
}
