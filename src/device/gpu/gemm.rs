//! The matrix product behind linear, matmul, gram and solve: planning, splitting, launching.

use super::Gpu;
use super::context::Tiling;
use super::pool::Buffer;
use super::record::{Launch, Window};
use super::shader::Kernel;
use super::weight::Packed;
use crate::base::Result;
use crate::device::{Activation, Op};
use std::ops::Range;

/// Bands start at multiples of this, which every tile size divides.
const TILE: usize = 128;
/// Large tiles from which on a GPU has enough of them to be busy; below, four times as many small ones serve better.
const SMALL: usize = 100;
/// Rows of outputs of one dispatch.
const MOST: usize = 1 << 20;

/// A matrix inside a buffer.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) packed: Packed,
    /// Index of the first element.
    pub(super) first: usize,
    /// Elements from one stored row to the next.
    pub(super) stride: usize,
    pub(super) op: Op,
}

impl<'a> Operand<'a> {
    pub(super) fn new(buffer: &'a Buffer, stride: usize, op: Op) -> Self {
        Self { buffer, packed: Packed::F32, first: 0, stride, op }
    }

    pub(super) fn from(mut self, first: usize) -> Self {
        self.first = first;
        self
    }
}

/// Which part of C is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// C is symmetric: one triangle is computed and written to both.
    Symmetric,
    /// What is on or below the diagonal; the rest becomes arbitrary.
    Lower,
}

/// C [m, n] = activation(alpha * op(A) op(B) (+ C) (+ bias)).
pub(super) struct Gemm<'a> {
    pub(super) a: Operand<'a>,
    pub(super) b: Operand<'a>,
    /// Its op is not used.
    pub(super) c: Operand<'a>,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) alpha: f32,
    pub(super) accumulate: bool,
    pub(super) part: Part,
    pub(super) bias: Option<&'a Buffer>,
    pub(super) activation: Activation,
    /// Products that are summed in registers before the sum is added in memory.
    pub(super) chunk: usize,
}

impl<'a> Gemm<'a> {
    /// C = op(A) op(B).
    pub(super) fn new(a: Operand<'a>, b: Operand<'a>, c: Operand<'a>, [m, n, k]: [usize; 3]) -> Self {
        Self {
            a,
            b,
            c,
            m,
            n,
            k,
            alpha: 1.0,
            accumulate: false,
            part: Part::All,
            bias: None,
            activation: Activation::Identity,
            chunk: usize::MAX,
        }
    }
}

/// The ranges of one dispatch.
struct Block {
    rows: Range<usize>,
    cols: Range<usize>,
    ks: Range<usize>,
}

impl Gpu {
    pub(super) async fn gemm(&self, job: &Gemm<'_>) -> Result<()> {
        if job.m == 0 || job.n == 0 {
            return Ok(());
        }
        let (rows, cols, ks) = self.block_sizes(job);
        // With nothing to sum, C is still bias, or zero.
        for k in ranges(job.k.max(1), ks) {
            for row in ranges(job.m, rows) {
                for col in ranges(job.n, cols) {
                    let ks = k.start..k.end.min(job.k);
                    self.gemm_block(job, &Block { rows: row.clone(), cols: col, ks }).await?;
                }
            }
        }
        Ok(())
    }

    /// Rows, columns and products of one dispatch, by what a binding holds and what a submission may take.
    fn block_sizes(&self, job: &Gemm<'_>) -> (usize, usize, usize) {
        let budget = self.context.pace.borrow().budget();
        let binding = self.context.max_binding() - 256;
        let fitting = |operand: &Operand<'_>| {
            let rows = (binding / (operand.stride.max(1) as u64 * operand.packed.size())) as usize;
            (rows / TILE * TILE).max(TILE)
        };
        let mut rows = if job.part == Part::Symmetric { MOST } else { fitting(&job.c).min(MOST) };
        let mut cols = MOST;
        let mut ks = job.chunk;
        match job.a.op {
            Op::N => rows = rows.min(fitting(&job.a)),
            Op::T => ks = ks.min(fitting(&job.a)),
        }
        match job.b.op {
            Op::N => ks = ks.min(fitting(&job.b)),
            Op::T => cols = cols.min(fitting(&job.b)),
        }
        // Longer sums are cheaper than more of them: C is read and written once a sum.
        let products = ks.min(job.k).max(1) as f64;
        let outputs = (budget / (2.0 * products)) as usize;
        let all_cols = cols.min(job.n);
        if rows.min(job.m) * all_cols > outputs {
            rows = rows.min((outputs / all_cols / TILE * TILE).max(TILE));
            if rows.min(job.m) * all_cols > outputs {
                cols = cols.min((outputs / rows.min(job.m) / TILE * TILE).max(TILE));
            }
        }
        (rows, cols, ks)
    }

    async fn gemm_block(&self, job: &Gemm<'_>, block: &Block) -> Result<()> {
        let Block { rows, cols, ks } = block;
        // On one triangle only: blocks on the other side have nothing to do.
        let skipped = match job.part {
            Part::All => false,
            Part::Symmetric => cols.end <= rows.start,
            Part::Lower => cols.start >= rows.end,
        };
        if skipped {
            return Ok(());
        }
        let (a, a0) = self.operand(&job.a, rows, ks)?;
        let (b, b0) = self.operand(&job.b, ks, cols)?;
        let last = ks.end == job.k;
        let mut flags = 0;
        flags |= u32::from(job.accumulate || ks.start > 0);
        flags |= u32::from(job.bias.is_some() && last) << 1;
        flags |= u32::from(job.part == Part::Symmetric) << 2;
        flags |= u32::from(job.part == Part::Lower) << 3;
        flags |= u32::from(job.part == Part::Symmetric && last) << 4;
        let (c, c0, mirror0) = if job.part == Part::Symmetric {
            let c = self.part(job.c.buffer, 0, (job.c.first + job.m * job.c.stride) as u64 * 4)?;
            (c, job.c.first + rows.start * job.c.stride + cols.start, job.c.first + cols.start * job.c.stride + rows.start)
        } else {
            let (c, c0) = self.operand(&Operand { op: Op::N, ..job.c }, rows, cols)?;
            (c, c0, 0)
        };
        let bias = job.bias.unwrap_or(&self.context.nothing);
        let params = [
            rows.len() as u32,
            cols.len() as u32,
            ks.len() as u32,
            job.a.stride as u32,
            job.b.stride as u32,
            job.c.stride as u32,
            a0 as u32,
            b0 as u32,
            c0 as u32,
            mirror0 as u32,
            cols.start as u32,
            flags,
            if last { code(job.activation) } else { 0 },
            job.alpha.to_bits(),
            (cols.start as i32 - rows.start as i32) as u32,
        ];
        let (kernel, [high, wide]) = self.gemm_kernel(rows.len(), cols.len());
        let kernel = kernel
            .with("A", load(&job.a, a0))
            .with("B", load(&job.b, b0))
            .with("A_ORDER", if job.a.op == Op::N { "k_inner" } else { "k_outer" })
            .with("B_ORDER", if job.b.op == Op::T { "k_inner" } else { "k_outer" });
        let share = if job.part == Part::All { 2.0 } else { 1.0 };
        self.launch(Launch {
            kernel,
            storage: &[a, b, Window::from(bias), c],
            params: &params,
            groups: [cols.len().div_ceil(wide), rows.len().div_ceil(high)],
            cost: share * rows.len() as f64 * cols.len() as f64 * (ks.len() + 4) as f64,
        })
        .await
    }

    /// The kernel for a result of this size, and the rows and columns of one of its workgroups.
    fn gemm_kernel(&self, rows: usize, cols: usize) -> (Kernel, [usize; 2]) {
        let small = match self.context.tiling() {
            Tiling::Direct => return (Kernel::new("gemm_direct.wgsl"), [64, 32]),
            Tiling::Tiled => rows.div_ceil(128) * cols.div_ceil(128) < SMALL,
            #[cfg(test)]
            Tiling::Large => false,
        };
        let (quads, tile) = if small { (1, 64) } else { (2, 128) };
        (Kernel::new("gemm_tiled.wgsl").with("QUADS", quads).with("COLS", quads), [tile, tile])
    }

    /// The binding that holds op(operand)[rows, cols], and the index of its first element in it.
    fn operand<'a>(&self, operand: &Operand<'a>, rows: &Range<usize>, cols: &Range<usize>) -> Result<(Window<'a>, usize)> {
        let (rows, cols) = if operand.op == Op::N { (rows, cols) } else { (cols, rows) };
        let size = operand.packed.size();
        let first = (operand.first + rows.start * operand.stride + cols.start) as u64 * size;
        let end = (operand.first + rows.end.saturating_sub(1) * operand.stride + cols.end) as u64 * size;
        let offset = first / 256 * 256;
        // Rounded up to what a kernel loads at once.
        let bytes = (end.max(first) - offset).next_multiple_of(16);
        Ok((self.part(operand.buffer, offset, bytes)?, ((first - offset) / size) as usize))
    }
}

fn ranges(total: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..total).step_by(step.max(1)).map(move |first| first..total.min(first.saturating_add(step)))
}

/// The snippet that loads an operand whose first element is `first`.
fn load(operand: &Operand<'_>, first: usize) -> String {
    let aligned = operand.stride.is_multiple_of(4) && first.is_multiple_of(4);
    format!("{}_{}", operand.packed.name(), if aligned { "vec" } else { "scalar" })
}

/// The number by which shaders/shared/activation.wgsl knows a function.
pub(super) fn code(activation: Activation) -> u32 {
    match activation {
        Activation::Identity => 0,
        Activation::Gelu => 1,
        Activation::GeluTanh => 2,
        Activation::Relu => 3,
        Activation::Silu => 4,
        Activation::Tanh => 5,
    }
}
