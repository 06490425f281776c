//! The CPU device: candle-core's matrix products, in slices short enough that the event loop is never kept waiting.
//!
//! It is the twin that every GPU kernel is tested against, and what runs where there is no usable GPU.

mod attention;
mod attention_backward;
mod backward;
mod cholesky;
mod decoding;
mod eigen;
mod elements;
mod elementwise;
mod prefix;
mod products;
mod removal;
mod statistics;
mod sweep;
#[cfg(test)]
mod tests;

use super::budget;
use super::ledger::{Entry, Ledger};
use super::tensor::{Data, WeightData, steps};
use super::{DeviceInfo, Tensor, Weight};
use crate::base::{CancelToken, Error, Instant, Pacer, Result};
use crate::checkpoint::{Layout, Matrix, decode};
use candle_core::Device::Cpu as Host;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Floating-point operations in one slice of work: about 30 ms in wasm, at the 13 to 35 GFLOP/s measured there.
const SLICE_FLOPS: usize = 400_000_000;

/// The CPU device.
pub struct Cpu {
    cancel: CancelToken,
    why: String,
    ledger: Ledger,
    pacer: RefCell<Pacer>,
}

/// A candle tensor that is counted, and that accumulators replace in place. Clones share it.
#[derive(Debug, Clone)]
pub struct Block(Rc<RefCell<Cell>>);

#[derive(Debug)]
struct Cell {
    tensor: candle_core::Tensor,
    _entry: Entry,
}

impl Block {
    /// The current values.
    pub(super) fn get(&self) -> candle_core::Tensor {
        self.0.borrow().tensor.clone()
    }

    /// Replaces the values with others of the same shape.
    pub(super) fn set(&self, tensor: candle_core::Tensor) {
        self.0.borrow_mut().tensor = tensor;
    }

    /// Row-major values.
    pub(super) fn values(&self) -> Result<Vec<f32>> {
        Ok(self.get().flatten_all()?.to_vec1()?)
    }
}

impl Cpu {
    /// A CPU device; `why` says why it was chosen.
    pub fn new(cancel: CancelToken, why: &str) -> Self {
        Self { cancel, why: why.to_owned(), ledger: Ledger::new(budget::cpu()), pacer: RefCell::default() }
    }

    /// See [`super::Device::info`].
    pub fn info(&self) -> DeviceInfo {
        let name = if cfg!(target_arch = "wasm32") { "WebAssembly SIMD, one thread" } else { std::env::consts::ARCH };
        DeviceInfo { kind: "cpu", name: name.to_owned(), backend: "candle-core".to_owned(), software: false, why: self.why.clone() }
    }

    /// See [`super::Device::watch`].
    pub fn watch(&mut self, cancel: CancelToken) {
        self.cancel = cancel;
    }

    /// The token that the operations check.
    pub fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// See [`super::Device::ledger`].
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn set_why(&mut self, why: &str) {
        self.why = why.to_owned();
    }

    /// Speed of a small matrix product, in GFLOP/s.
    pub(super) async fn quick_gflops(&self) -> Result<f64> {
        const N: usize = 256;
        let a = candle_core::Tensor::from_vec(vec![1.0f32; N * N], (N, N), &Host)?;
        let _warm_up = a.matmul(&a)?;
        let start = Instant::now();
        let _product = a.matmul(&a)?;
        Ok(2.0 * (N * N * N) as f64 / start.elapsed().as_secs_f64().max(1e-9) / 1e9)
    }

    /// Between slices: yields when it is time, and stops on cancel.
    async fn pace(&self) -> Result<()> {
        // Taken out for the duration, so that no borrow is held over the await.
        let mut pacer = self.pacer.take();
        let result = pacer.pace(&self.cancel).await;
        *self.pacer.borrow_mut() = pacer;
        result
    }

    fn wrap(&self, tensor: candle_core::Tensor) -> Result<Tensor> {
        let (rows, cols) = tensor.dims2()?;
        Ok(Tensor { rows, cols, data: Data::Cpu(self.block(tensor)) })
    }

    fn block(&self, tensor: candle_core::Tensor) -> Block {
        let entry = self.ledger.enter(4 * tensor.elem_count() as u64);
        Block(Rc::new(RefCell::new(Cell { tensor, _entry: entry })))
    }

    fn tensor_of(&self, rows: usize, cols: usize, values: Vec<f32>) -> Result<Tensor> {
        self.wrap(candle_core::Tensor::from_vec(values, (rows, cols), &Host)?)
    }

    /// See [`super::Device::upload`].
    pub async fn upload(&self, rows: usize, cols: usize, values: &[f32]) -> Result<Tensor> {
        if values.len() != rows * cols {
            return Err(Error::internal(format_args!("{} values for a {rows} x {cols} tensor", values.len())));
        }
        self.tensor_of(rows, cols, values.to_vec())
    }

    /// See [`super::Device::zeros`].
    pub async fn zeros(&self, rows: usize, cols: usize) -> Result<Tensor> {
        self.tensor_of(rows, cols, vec![0.0; rows * cols])
    }

    /// See [`super::Device::upload_weight`].
    pub async fn upload_weight(&self, matrix: &Matrix) -> Result<Weight> {
        self.pace().await?;
        let (outputs, inputs) = (matrix.outputs(), matrix.inputs());
        let values = decode(matrix.dtype, &matrix.bytes)?;
        let stored = candle_core::Tensor::from_vec(values, (matrix.rows, matrix.cols), &Host)?;
        let tensor = if matrix.layout == Layout::OutIn { stored } else { stored.t()?.contiguous()? };
        Ok(Weight { outputs, inputs, data: WeightData::Cpu(self.block(tensor)) })
    }

    /// See [`super::Device::read`].
    pub async fn read(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        self.pace().await?;
        tensor.cpu()?.values()
    }

    /// See [`super::Device::read_rows`].
    pub async fn read_rows(&self, tensor: &Tensor, rows: Range<usize>) -> Result<Vec<f32>> {
        self.pace().await?;
        Ok(tensor.cpu()?.get().narrow(0, rows.start, rows.len())?.flatten_all()?.to_vec1()?)
    }

    /// See [`super::Device::upload_by`].
    pub async fn upload_by(
        &self,
        rows: usize,
        cols: usize,
        step: usize,
        next: &mut impl AsyncFnMut(Range<usize>) -> Result<Vec<f32>>,
    ) -> Result<Tensor> {
        let mut values = Vec::with_capacity(rows * cols);
        for piece in steps(rows, step) {
            self.pace().await?;
            values.extend(next(piece).await?);
        }
        self.tensor_of(rows, cols, values)
    }

    /// See [`super::Device::finish`].
    pub async fn finish(&self) -> Result<()> {
        self.pace().await
    }
}
