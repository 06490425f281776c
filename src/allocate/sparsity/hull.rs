//! Rows with one price for a zero: each gives zeros up to where the next would cost more, on the lower convex hull of its squared output
//! error. For these curves that is the allocation with the least error (up to the last hull segment), as a Lagrange multiplier finds it.

use super::{PrefixCurves, RowBudget, Rows};
use crate::base::{Error, Result};

pub(super) struct Hull;

impl RowBudget for Hull {
    fn name(&self) -> &'static str {
        "curves"
    }

    fn title(&self) -> &'static str {
        "Error curves"
    }

    fn summary(&self) -> &'static str {
        "Every zero where it adds least to the squared error of the layer's outputs; one price for all rows."
    }

    fn needs_curves(&self) -> bool {
        true
    }

    fn rows(&self, rows: &Rows<'_>) -> Result<Vec<usize>> {
        let curves = rows.curves.ok_or_else(|| Error::internal("an allocation by curves without them"))?;
        Ok(allocate(curves, rows.zeros, rows.equalise))
    }
}

/// One stretch of a row's hull.
struct Segment {
    /// Error that a zero adds.
    price: f64,
    row: u32,
    zeros: u32,
}

/// Largest share of zeros in a row, as of TRIM, unless all together must have more: a row that is emptied costs the layers above more than
/// its squared error says.
const MOST: f64 = 0.95;

/// Zeros by row, `total` in all. A row's stretches have growing prices, so taking the cheapest first takes each row from its start.
fn allocate(curves: &PrefixCurves, total: usize, equalise: f64) -> Vec<usize> {
    let mut segments = Vec::new();
    for row in 0..curves.rows() {
        let own = curves.own(row);
        let weight = if own > 0.0 { own.powf(-equalise) } else { 0.0 };
        let hull = lower_hull(curves.errors(row).map(|(zeros, error)| (zeros, weight * error)));
        segments.extend(hull.windows(2).map(|ends| {
            let zeros = ends[1].0 - ends[0].0;
            Segment { price: (ends[1].1 - ends[0].1) / zeros as f64, row: row as u32, zeros: zeros as u32 }
        }));
    }
    segments.sort_by(|a, b| a.price.total_cmp(&b.price).then(a.row.cmp(&b.row)));
    let (mut zeros, mut left) = (vec![0usize; curves.rows()], total);
    let most = ((MOST * curves.inputs as f64) as usize).max(total.div_ceil(curves.rows().max(1)));
    for segment in segments {
        let taken = left.min(segment.zeros as usize).min(most.saturating_sub(zeros[segment.row as usize]));
        zeros[segment.row as usize] += taken;
        left -= taken;
    }
    zeros
}

/// The corners of the lower convex hull of points with growing first coordinates.
fn lower_hull(points: impl Iterator<Item = (usize, f64)>) -> Vec<(usize, f64)> {
    let mut hull: Vec<(usize, f64)> = Vec::new();
    let price = |a: (usize, f64), b: (usize, f64)| (b.1 - a.1) / (b.0 - a.0) as f64;
    for point in points {
        while let [.., before, last] = hull[..]
            && price(before, last) >= price(last, point)
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}
