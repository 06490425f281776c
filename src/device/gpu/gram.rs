//! Gram and cross-Gram matrices, accumulated over batches.

use super::Gpu;
use super::gemm::{Gemm, Operand, Part};
use crate::base::{Error, Result};
use crate::device::{Op, Tensor};

/// Rows that are summed in registers; their sums are added in memory. Long f32 sums lose digits, and WGSL allows no
/// compensated summation (it may be reassociated away).
const CHUNK: usize = 512;

impl Gpu {
    /// See [`super::super::Device::gram`].
    pub async fn gram(&self, x: &Tensor, gram: &Tensor) -> Result<()> {
        gram.expect("gram", x.cols, x.cols)?;
        // Both triangles are written by one dispatch, which must then see the whole matrix.
        let fits = gram.rows as u64 * gram.cols as u64 * 4 + 256 <= self.context.max_binding();
        let part = if fits { Part::Symmetric } else { Part::All };
        self.accumulate(x, x, gram, part).await
    }

    /// See [`super::super::Device::cross_gram`].
    pub async fn cross_gram(&self, x: &Tensor, y: &Tensor, cross: &Tensor) -> Result<()> {
        cross.expect("cross-gram", x.cols, y.cols)?;
        if x.rows != y.rows {
            return Err(Error::internal(format_args!("cross-gram of {} and {} rows", x.rows, y.rows)));
        }
        self.accumulate(x, y, cross, Part::All).await
    }

    async fn accumulate(&self, x: &Tensor, y: &Tensor, sum: &Tensor, part: Part) -> Result<()> {
        if x.rows == 0 {
            return Ok(());
        }
        let a = Operand::new(x.gpu()?, x.cols, Op::T);
        let b = Operand::new(y.gpu()?, y.cols, Op::N);
        let c = Operand::new(sum.gpu()?, sum.cols, Op::N);
        let gemm = Gemm::new(a, b, c, [x.cols, y.cols, x.rows]);
        self.gemm(&Gemm { accumulate: true, part, chunk: CHUNK, ..gemm }).await
    }
}
