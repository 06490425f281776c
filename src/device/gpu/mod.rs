//! The GPU, through wgpu: WebGPU in a browser; Vulkan, Metal or DX12 natively.
//!
//! Operations record dispatches; enough of them make a submission (`record`, `pace`). Matrices larger than one binding and
//! dispatches longer than a submission are split by rows (`span`). Kernels are in shaders/, put together by `shader`.

mod context;
mod fault;
mod pace;
mod pool;
mod record;
mod shader;
mod span;
mod transfer;
mod weight;

mod attention;
mod attention_backward;
mod backward;
mod cholesky;
mod covariance;
mod decoding;
mod eigen;
mod elementwise;
mod embed;
mod gemm;
mod gram;
mod layer_norm;
mod linear;
mod matmul;
mod prefix;
mod probe;
mod removal;
mod select;
mod solve;
mod stats;
mod sweep;
#[cfg(test)]
mod tests;

pub use pool::Buffer;
pub use weight::PackedWeight;

use super::tensor::Data;
use super::{DeviceInfo, Ledger, Tensor};
use crate::base::{CancelToken, Error, Result};
use context::Context;
use pool::{Fill, bytes_of};

/// A GPU and its operations; see [`super::Device`] for what each of them computes.
pub struct Gpu {
    context: Context,
    cancel: CancelToken,
    why: String,
}

impl Gpu {
    /// Opens the fastest adapter; `why` tells the person why it was chosen.
    ///
    /// # Errors
    /// There is no adapter, or it cannot be opened.
    pub async fn open(cancel: CancelToken, why: &str) -> Result<Self> {
        Ok(Self { context: Context::open().await?, cancel, why: why.to_owned() })
    }

    /// What this device is and why it was chosen.
    pub fn info(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "gpu",
            name: self.context.name.clone(),
            backend: self.context.backend.clone(),
            software: self.context.software,
            why: self.why.clone(),
        }
    }

    /// Says why this device was chosen.
    pub fn set_why(&mut self, why: &str) {
        why.clone_into(&mut self.why);
    }

    /// Uses another token from here on.
    pub fn watch(&mut self, cancel: CancelToken) {
        self.cancel = cancel;
        self.context.fault.forget();
    }

    /// The token that the operations check.
    pub fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// Live and peak bytes.
    pub fn ledger(&self) -> &Ledger {
        self.context.pool.ledger()
    }

    /// A tensor whose values commands will write.
    fn tensor(&self, rows: usize, cols: usize) -> Result<Tensor> {
        let buffer = self.context.pool.take(bytes_of(rows, cols)?, Fill::Commands)?;
        Ok(Tensor { rows, cols, data: Data::Gpu(buffer) })
    }
}

/// Fails unless every index is below `bound`; kernels do not check.
fn check_indices(what: &str, indices: &[u32], bound: usize) -> Result<()> {
    match indices.iter().find(|&&i| i as usize >= bound) {
        None => Ok(()),
        Some(i) => Err(Error::internal(format_args!("index {i} of {what} is not below {bound}"))),
    }
}

/// The variant of a kernel for rows of `cols` elements.
fn width(cols: usize) -> &'static str {
    if cols.is_multiple_of(4) { "vec" } else { "scalar" }
}

/// Elements that the variant of [`width`] handles at once.
fn step(cols: usize) -> usize {
    if cols.is_multiple_of(4) { 4 } else { 1 }
}
