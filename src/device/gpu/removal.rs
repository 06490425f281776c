//! What the removal of units changes.

use super::context::Tiling;
use super::record::Launch;
use super::shader::Kernel;
use super::{Gpu, check_indices, step, width};
use crate::base::{Error, Result};
use crate::device::Tensor;
use crate::device::removal::copies;

/// Threads of a workgroup, a row or an element each.
const GROUP: usize = 64;
/// Side of a tile of similarity_tiled.wgsl, and rows of a thread of similarity_direct.wgsl.
const TILE: usize = 64;
const QUAD: usize = 4;

impl Gpu {
    /// See [`crate::device::Device::largest_matrix`].
    pub fn largest_matrix(&self) -> u64 {
        self.context.max_binding().min(self.context.limits.max_buffer_size)
    }

    /// See [`crate::device::Device::without_units`].
    pub async fn without_units(&self, base: &Tensor, x: &Tensor, directions: &Tensor, units: &[u32], unit_size: usize) -> Result<Tensor> {
        x.expect("x of without_units", base.rows, directions.rows)?;
        directions.expect("directions of without_units", x.cols, base.cols)?;
        if unit_size == 0 {
            return Err(Error::internal("units without a channel"));
        }
        check_indices("the units of without_units", units, x.cols / unit_size)?;
        let list = self.upload_indices(units).await?;
        let out = self.tensor(units.len() * base.rows, base.cols)?;
        let length = base.cols / step(base.cols);
        let row_cost = (2 + 2 * unit_size) as f64 * base.cols as f64;
        for span in self.spans(out.rows, base.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("without_units.wgsl").with("WIDTH", width(base.cols)),
                storage: &[
                    self.whole(base)?,
                    self.whole(x)?,
                    self.whole(directions)?,
                    self.part(&list, 0, units.len() as u64 * 4)?,
                    self.window(&out, span.clone())?,
                ],
                params: &[span.len() as u32, length as u32, span.start as u32, base.rows as u32, unit_size as u32, x.cols as u32],
                groups: [length.div_ceil(GROUP), span.len()],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`crate::device::Device::direction_changes`].
    pub async fn direction_changes(&self, states: &Tensor, copies: usize, rows: &[u32], reference: &Tensor) -> Result<Tensor> {
        reference.expect("reference of direction_changes", rows.len(), states.cols)?;
        let tokens = states.rows / copies.max(1);
        if tokens * copies != states.rows {
            return Err(Error::internal(format_args!("{} rows that are not {copies} copies", states.rows)));
        }
        check_indices("the rows of direction_changes", rows, tokens)?;
        let list = self.upload_indices(rows).await?;
        let out = self.tensor(copies * rows.len(), reference.cols)?;
        let row_cost = 14.0 * reference.cols as f64;
        for span in self.spans(out.rows, reference.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("direction_changes.wgsl").with("WIDTH", width(reference.cols)),
                storage: &[
                    self.whole(states)?,
                    self.part(&list, 0, rows.len() as u64 * 4)?,
                    self.whole(reference)?,
                    self.window(&out, span.clone())?,
                ],
                params: &[
                    span.len() as u32,
                    (reference.cols / step(reference.cols)) as u32,
                    span.start as u32,
                    rows.len() as u32,
                    tokens as u32,
                ],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`crate::device::Device::similarity_changes`].
    pub async fn similarity_changes(&self, a: &Tensor, changes: &Tensor) -> Result<Tensor> {
        changes.expect("changes of similarity_changes", changes.rows, a.cols)?;
        let count = copies("changes of similarity_changes", changes, a.rows)?;
        let direct = self.context.tiling() == Tiling::Direct;
        let (tiles, file) = match direct {
            true => (a.rows.div_ceil(QUAD), "similarity_direct.wgsl"),
            false => (a.rows.div_ceil(TILE), "similarity_tiled.wgsl"),
        };
        let parts = if direct { tiles } else { tiles * (tiles + 1) / 2 };
        let out = self.tensor(count, parts)?;
        let cost = 2.0 * (a.rows * a.rows * a.cols) as f64;
        let at_once = ((self.context.pace.borrow().budget() / cost.max(1.0)) as usize).clamp(1, 1 << 15);
        for first in (0..count).step_by(at_once) {
            let number = at_once.min(count - first);
            let params = [a.rows as u32, a.cols as u32, first as u32, parts as u32, tiles as u32];
            self.launch(Launch {
                kernel: Kernel::new(file),
                storage: &[self.whole(a)?, self.whole(changes)?, self.whole(&out)?],
                params: &params[..if direct { 4 } else { 5 }],
                groups: [if direct { parts.div_ceil(GROUP) } else { parts }, number],
                cost: cost * number as f64,
            })
            .await?;
        }
        Ok(out)
    }

    /// See [`crate::device::Device::divergence_change_tile`].
    pub async fn divergence_change_tile(&self, p_logits: &Tensor, p_norms: &Tensor, changes: &Tensor, sums: &Tensor) -> Result<()> {
        p_norms.expect("norms of divergence_change_tile", p_logits.rows, 1)?;
        changes.expect("changes of divergence_change_tile", changes.rows, p_logits.cols)?;
        copies("changes of divergence_change_tile", changes, p_logits.rows)?;
        sums.expect("sums of divergence_change_tile", changes.rows, 2)?;
        let row_cost = 20.0 * p_logits.cols as f64;
        for span in self.spans(changes.rows, p_logits.cols as u64 * 4, row_cost) {
            self.launch(Launch {
                kernel: Kernel::new("divergence_change_tile.wgsl"),
                storage: &[
                    self.whole(p_logits)?,
                    self.whole(p_norms)?,
                    self.window(changes, span.clone())?,
                    self.window(sums, span.clone())?,
                ],
                params: &[span.len() as u32, p_logits.cols as u32, span.start as u32, p_logits.rows as u32],
                groups: [span.len().div_ceil(GROUP), 1],
                cost: row_cost * span.len() as f64,
            })
            .await?;
        }
        Ok(())
    }
}
