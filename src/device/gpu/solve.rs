//! Symmetric positive definite systems: equilibration, Cholesky, iterative refinement.

use super::Gpu;
use super::cholesky::BLOCK;
use super::gemm::{Gemm, Operand};
use super::record::Launch;
use super::shader::Kernel;
use crate::base::{Error, Result};
use crate::device::{Op, Solution, Tensor};

/// Pivots of the equilibrated matrix below this are rounding noise; as in cholesky_block.wgsl.
const TINY: f64 = 1e-6;
/// One step takes back most of what the factorisation rounded away; with residuals in f32, more gain little.
const REFINEMENTS: usize = 1;
/// Products of a residual that are summed in registers.
const CHUNK: usize = 512;

impl Gpu {
    /// See [`super::super::Device::solve_spd`]. Where the matrix is not positive definite, x is zero.
    pub async fn solve_spd(&self, a: &Tensor, b: &Tensor) -> Result<Solution> {
        let n = a.rows;
        a.expect("matrix of solve_spd", n, n)?;
        b.expect("right sides of solve_spd", n, b.cols)?;
        if n == 0 || b.cols == 0 {
            return Err(Error::internal("solve_spd of nothing"));
        }
        let padded = n.next_multiple_of(BLOCK);
        let width = b.cols.next_multiple_of(4);
        let scale = self.equilibrate(a, padded).await?;
        let unit = self.scaled(a, &scale, [padded, padded], true).await?;
        let factor = self.factor(unit).await?;
        let pivots = self.read(&factor.pivots).await?;
        let diagonal = self.read(&scale).await?.split_off(padded);
        let smallest_pivot = smallest(&pivots[..n], &diagonal[..n]);
        if smallest_pivot <= 0.0 {
            return Ok(Solution { x: self.zeros(n, b.cols).await?, smallest_pivot });
        }
        let right = self.scaled(b, &scale, [padded, width], false).await?;
        let solved = self.solve_with(&factor, right).await?;
        let mut x = self.scaled(&solved, &scale, [n, b.cols], false).await?;
        for _ in 0..REFINEMENTS {
            let residual = self.residual(a, &x, b).await?;
            let right = self.scaled(&residual, &scale, [padded, width], false).await?;
            let solved = self.solve_with(&factor, right).await?;
            let correction = self.scaled(&solved, &scale, [n, b.cols], false).await?;
            x = self.add(&x, &correction, 1.0).await?;
        }
        Ok(Solution { x, smallest_pivot })
    }

    /// See [`super::super::Device::inverse_factor`]: with rows and columns in reverse order, and scaled to a unit diagonal by S, A is
    /// L L^T, and L^-1 S reversed again is R. Where the matrix is not positive definite, R is zero.
    pub async fn inverse_factor(&self, a: &Tensor) -> Result<Solution> {
        let n = a.rows;
        a.expect("matrix of inverse_factor", n, n)?;
        if n == 0 {
            return Err(Error::internal("inverse_factor of nothing"));
        }
        let reversed: Vec<u32> = (0..n as u32).rev().collect();
        let turned = self.select(a, Some(&reversed), Some(&reversed)).await?;
        let padded = n.next_multiple_of(BLOCK);
        let scale = self.equilibrate(&turned, padded).await?;
        let unit = self.scaled(&turned, &scale, [padded, padded], true).await?;
        let factor = self.factor(unit).await?;
        let pivots = self.read(&factor.pivots).await?;
        let mut scales = self.read(&scale).await?;
        let diagonal = scales.split_off(padded);
        let smallest_pivot = smallest(&pivots[..n], &diagonal[..n]);
        if smallest_pivot <= 0.0 {
            return Ok(Solution { x: self.zeros(n, n).await?, smallest_pivot });
        }
        // The right side is S itself, row by row, since a whole one may be too large for one upload.
        let step = (1usize << 20).div_ceil(padded);
        let right = self
            .upload_by(padded, padded, step, &mut async |rows: std::ops::Range<usize>| {
                let mut values = vec![0f32; rows.len() * padded];
                rows.clone().for_each(|row| values[(row - rows.start) * padded + row] = if row < n { scales[row] } else { 1.0 });
                Ok(values)
            })
            .await?;
        let inverse = self.solve_lower(&factor, &right).await?;
        Ok(Solution { x: self.select(&inverse, Some(&reversed), Some(&reversed)).await?, smallest_pivot })
    }

    /// [2, padded]: scales and the diagonal.
    async fn equilibrate(&self, a: &Tensor, padded: usize) -> Result<Tensor> {
        let scale = self.tensor(2, padded)?;
        self.launch(Launch {
            kernel: Kernel::new("equilibrate.wgsl"),
            storage: &[self.whole(a)?, self.whole(&scale)?],
            params: &[a.rows as u32, padded as u32],
            groups: [padded.div_ceil(64), 1],
            cost: 16.0 * padded as f64,
        })
        .await?;
        Ok(scale)
    }

    /// S a (or S a S), cut or padded to `rows` by `cols`: with zeros, or with the unit matrix.
    async fn scaled(&self, a: &Tensor, scale: &Tensor, [rows, cols]: [usize; 2], both: bool) -> Result<Tensor> {
        let out = self.tensor(rows, cols)?;
        let row_cost = 6.0 * cols as f64;
        for span in self.spans(rows, cols.max(a.cols) as u64 * 4, row_cost) {
            // Rows of padding have no source; any window will do for them.
            let source = span.start.min(a.rows / BLOCK * BLOCK)..span.end.min(a.rows);
            let source = if source.is_empty() { 0..a.rows.min(1) } else { source };
            self.launch(Launch {
                kernel: Kernel::new("scale.wgsl"),
                storage: &[self.window(a, source)?, self.whole(scale)?, self.window(&out, span.clone())?],
                params: &[
                    span.len() as u32,
                    cols as u32,
                    a.rows as u32,
                    a.cols.min(cols) as u32,
                    a.cols as u32,
                    u32::from(both),
                    span.start as u32,
                ],
                groups: [cols.div_ceil(64), span.len()],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// b - a x.
    async fn residual(&self, a: &Tensor, x: &Tensor, b: &Tensor) -> Result<Tensor> {
        let residual = self.select(b, None, None).await?;
        let left = Operand::new(a.gpu()?, a.cols, Op::N);
        let right = Operand::new(x.gpu()?, x.cols, Op::N);
        let out = Operand::new(residual.gpu()?, b.cols, Op::N);
        let product = Gemm::new(left, right, out, [a.rows, b.cols, a.cols]);
        self.gemm(&Gemm { alpha: -1.0, accumulate: true, chunk: CHUNK, ..product }).await?;
        Ok(residual)
    }
}

/// The smallest pivot of the matrix itself relative to its largest diagonal entry, from the pivots of the equilibrated
/// matrix; not positive if one of those is noise.
fn smallest(pivots: &[f32], diagonal: &[f32]) -> f64 {
    let largest = diagonal.iter().fold(0.0, |most: f64, &d| most.max(f64::from(d)));
    let mut least = f64::INFINITY;
    let mut sound = largest > 0.0 && largest.is_finite();
    for (&pivot, &d) in pivots.iter().zip(diagonal) {
        let pivot = f64::from(pivot);
        // Written so that a pivot that is not a number is not sound either.
        sound &= pivot > TINY && d > 0.0;
        let own = pivot * f64::from(d).abs() / largest;
        if own < least {
            least = own;
        }
    }
    if sound { least } else { -least.abs().min(1e30) }
}
