//! Blocked Cholesky factorisation in f32, and solving with the factor.

use super::Gpu;
use super::context::Tiling;
use super::gemm::{Gemm, Operand, Part};
use super::pool::Buffer;
use super::record::Launch;
use super::shader::Kernel;
use crate::base::Result;
use crate::device::{Op, Tensor};

/// Rows of a block, as in cholesky_block.wgsl.
pub(super) const BLOCK: usize = 64;

/// L of A = L L^T, for a matrix padded to whole blocks.
pub(super) struct Factor {
    /// [n, n]: L below the diagonal blocks; what remains of A elsewhere.
    lower: Tensor,
    /// [n, 64]: the inverses of the diagonal blocks of L.
    inverses: Tensor,
    /// [1, n]: squares of the diagonal of L.
    pub(super) pivots: Tensor,
}

impl Gpu {
    /// Factors `a` [n, n], n a multiple of 64, in place.
    pub(super) async fn factor(&self, a: Tensor) -> Result<Factor> {
        let n = a.rows;
        let inverses = self.tensor(n, BLOCK)?;
        let pivots = self.tensor(1, n)?;
        let panel = self.tensor(n, BLOCK)?;
        for first in (0..n).step_by(BLOCK) {
            self.factor_block(&a, first, &inverses, &pivots).await?;
            let next = first + BLOCK;
            let below = n - next;
            if below == 0 {
                break;
            }
            // The panel below becomes A L^-T; it goes through a buffer of its own, since a kernel may not read what it writes.
            let raw = Operand::new(a.gpu()?, n, Op::N).from(next * n + first);
            let inverse = Operand::new(inverses.gpu()?, BLOCK, Op::T).from(first * BLOCK);
            let solved = Operand::new(panel.gpu()?, BLOCK, Op::N);
            self.gemm(&Gemm::new(raw, inverse, solved, [below, BLOCK, BLOCK])).await?;
            self.copy_block(panel.gpu()?, a.gpu()?, next * n + first, n, below).await?;
            let transposed = Operand { op: Op::T, ..solved };
            let rest = Operand::new(a.gpu()?, n, Op::N).from(next * n + next);
            let update = Gemm::new(solved, transposed, rest, [below, below, BLOCK]);
            self.gemm(&Gemm { alpha: -1.0, accumulate: true, part: Part::Lower, ..update }).await?;
        }
        Ok(Factor { lower: a, inverses, pivots })
    }

    async fn factor_block(&self, a: &Tensor, first: usize, inverses: &Tensor, pivots: &Tensor) -> Result<()> {
        let stride = a.cols as u64 * 4;
        let block = self.part(a.gpu()?, first as u64 * stride, BLOCK as u64 * stride)?;
        let direct = self.context.tiling() == Tiling::Direct;
        for phase in 0..if direct { 2 } else { 1 } {
            self.launch(Launch {
                kernel: Kernel::new(if direct { "cholesky_direct.wgsl" } else { "cholesky_block.wgsl" }),
                storage: &[block, self.whole(inverses)?, self.whole(pivots)?],
                params: &[first as u32, a.cols as u32, (first * BLOCK) as u32, first as u32, phase],
                groups: [1, 1],
                // One workgroup (or thread) works alone, far below the speed of the device.
                cost: 1e7,
            })
            .await?;
        }
        Ok(())
    }

    /// Copies `rows` rows of the panel to where they belong.
    async fn copy_block(&self, from: &Buffer, to: &Buffer, first: usize, stride: usize, rows: usize) -> Result<()> {
        const SPAN: usize = 1 << 15;
        for start in (0..rows).step_by(SPAN) {
            let count = SPAN.min(rows - start);
            // A multiple of 256 bytes, since blocks and strides are multiples of 64 elements.
            let offset = (first + start * stride) as u64 * 4;
            let end = offset + ((count - 1) * stride + BLOCK) as u64 * 4;
            self.launch(Launch {
                kernel: Kernel::new("copy_block.wgsl"),
                storage: &[self.part(from, (start * BLOCK) as u64 * 4, (count * BLOCK) as u64 * 4)?, self.part(to, offset, end - offset)?],
                params: &[count as u32, BLOCK as u32, 0, BLOCK as u32, 0, stride as u32],
                groups: [1, count],
                cost: (4 * count * BLOCK) as f64,
            })
            .await?;
        }
        Ok(())
    }

    /// Solves L L^T X = R for R [n, m]; R is used up.
    pub(super) async fn solve_with(&self, factor: &Factor, r: Tensor) -> Result<Tensor> {
        let (n, m) = (r.rows, r.cols);
        let y = self.solve_lower(factor, &r).await?;
        // R has become L Y; its buffer takes X.
        let x = r;
        for first in (0..n).step_by(BLOCK).rev() {
            self.solve_block(factor, first, Op::T, &y, &x).await?;
            if first > 0 {
                let before = Operand::new(factor.lower.gpu()?, n, Op::T).from(first * n);
                let solved = Operand::new(x.gpu()?, m, Op::N).from(first * m);
                let rest = Operand::new(y.gpu()?, m, Op::N);
                let update = Gemm::new(before, solved, rest, [first, m, BLOCK]);
                self.gemm(&Gemm { alpha: -1.0, accumulate: true, ..update }).await?;
            }
        }
        Ok(x)
    }

    /// Solves L Y = R for R [n, m]; R is used up.
    pub(super) async fn solve_lower(&self, factor: &Factor, r: &Tensor) -> Result<Tensor> {
        let (n, m) = (r.rows, r.cols);
        let y = self.tensor(n, m)?;
        for first in (0..n).step_by(BLOCK) {
            self.solve_block(factor, first, Op::N, r, &y).await?;
            let next = first + BLOCK;
            if next < n {
                let below = Operand::new(factor.lower.gpu()?, n, Op::N).from(next * n + first);
                let solved = Operand::new(y.gpu()?, m, Op::N).from(first * m);
                let rest = Operand::new(r.gpu()?, m, Op::N).from(next * m);
                let update = Gemm::new(below, solved, rest, [n - next, m, BLOCK]);
                self.gemm(&Gemm { alpha: -1.0, accumulate: true, ..update }).await?;
            }
        }
        Ok(y)
    }

    /// Rows of one block: to = inverse (or its transpose) times from.
    async fn solve_block(&self, factor: &Factor, first: usize, op: Op, from: &Tensor, to: &Tensor) -> Result<()> {
        let m = from.cols;
        let inverse = Operand::new(factor.inverses.gpu()?, BLOCK, op).from(first * BLOCK);
        let right = Operand::new(from.gpu()?, m, Op::N).from(first * m);
        let out = Operand::new(to.gpu()?, m, Op::N).from(first * m);
        self.gemm(&Gemm::new(inverse, right, out, [BLOCK, m, BLOCK])).await
    }
}
