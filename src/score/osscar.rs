//! OSSCAR (2403.12983): greedy backward removal. Of the units that are left, the one goes whose removal costs least once the others are
//! refitted; then the inverse and the weights are brought up to date exactly. A last local search may swap units (`swaps`).

use super::swaps::swapped;
use super::system::{channels, shapes, system};
use super::{Criterion, Effort, Removal, ScoreOptions, Scores, Site, Text};
use crate::base::algebra::{Sweep, dot};
use crate::base::{Error, LocalFuture, Pace, Result};
use crate::calibrate::Needs;
use crate::model::Architecture;

pub(super) struct Osscar;

/// Removals between two updates of the whole inverse; in between, it is known by its columns.
const PANEL: usize = 64;

/// Up to so many neurons they go one by one. While more are left, the cheapest of each 1024 go together, each at its exact cost.
const ONE_BY_ONE: usize = 4096;

impl Criterion for Osscar {
    fn name(&self) -> &'static str {
        "osscar"
    }

    fn title(&self) -> &'static str {
        "OSSCAR (greedy removal)"
    }

    fn summary(&self) -> &'static str {
        "Removes one unit after another, each time the one that the others can best make up for (OSSCAR, 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, gram: true, ..Needs::default() }
    }

    fn options(&self) -> &'static [&'static str] {
        &["swaps"]
    }

    fn by_bias(&self) -> bool {
        true
    }

    fn effort(&self, architecture: &Architecture, options: &ScoreOptions, _text: Text) -> Effort {
        let swaps = options.swaps as f64;
        shapes(architecture).fold(Effort::default(), |sum, [_, n, d]| {
            // The inverse, and the removals; for the swaps another inverse, and all pairs each time.
            let removals = n * n * n * 4.0 / 3.0 + n * n * d;
            let search = if swaps > 0.0 { n * n * n * 1.5 + swaps * n * n * (d / 2.0 + 4.0) } else { 0.0 };
            let pairs = if swaps > 0.0 { n * n / 2.0 + 3.0 * n * d } else { 0.0 };
            Effort {
                host_flops: sum.host_flops + removals + search,
                host_bytes: sum.host_bytes.max(8.0 * (n * n + 2.0 * n * d + pairs)),
                ..sum
            }
        })
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let mut pace = Pace::new(&site.run.cancel);
            let sweep = system(site, &mut pace).await?;
            Ok(Scores::Curve(curve(sweep, site.unit_size, ONE_BY_ONE, &mut pace).await?))
        })
    }

    fn refine<'a>(&'a self, site: &'a Site<'a>, kept: Vec<u32>) -> LocalFuture<'a, Result<Vec<u32>>> {
        Box::pin(async move {
            let mut pace = Pace::new(&site.run.cancel);
            swapped(system(site, &mut pace).await?, site.unit_size, kept, site.options.swaps, &mut pace).await
        })
    }

    fn refines(&self, options: &ScoreOptions) -> bool {
        options.swaps > 0
    }
}

/// All units in the order in which they go, each with the increase of the squared error per token; `sweep` has everything swept.
pub(super) async fn curve(sweep: Sweep, size: usize, one_by_one: usize, pace: &mut Pace<'_>) -> Result<Vec<Removal>> {
    match size {
        1 => curve_of_channels(sweep, one_by_one, pace).await,
        _ => curve_of_blocks(sweep, size, pace).await,
    }
}

/// Units of several channels: few, so that each cost is computed anew after each removal.
async fn curve_of_blocks(mut sweep: Sweep, size: usize, pace: &mut Pace<'_>) -> Result<Vec<Removal>> {
    let mut left: Vec<u32> = (0..(sweep.channels() / size.max(1)) as u32).collect();
    let mut curve = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let mut costs = Vec::with_capacity(left.len());
        for &unit in &left {
            pace.step().await?;
            costs.push(sweep.change(&channels(unit, size)));
        }
        let Some((at, cost)) = least(costs.into_iter().enumerate()) else { break };
        let unit = left.remove(at);
        curve.push(Removal { unit, cost });
        downdate(&mut sweep, &channels(unit, size), pace).await?;
    }
    Ok(curve)
}

/// Units of one channel. In a panel of removals the inverse H and the weights W are left as they were, and what is removed since then
/// is kept as columns l and rows z: H' = H - sum l lᵀ, W' = W - sum l zᵀ, where for a removed channel p
/// l = H'_:p / sqrt(H'_pp), z = W'_p / sqrt(H'_pp), and |z|² is the cost. So a removal reads W once and H not at all.
async fn curve_of_channels(mut sweep: Sweep, one_by_one: usize, pace: &mut Pace<'_>) -> Result<Vec<Removal>> {
    let mut units: Vec<u32> = (0..sweep.channels() as u32).collect();
    let mut curve = Vec::with_capacity(units.len());
    while !units.is_empty() {
        let mut panel = Panel::new(&sweep);
        while panel.removed.len() < PANEL.min(units.len()) {
            let left = units.len() - panel.removed.len();
            let together = if left > one_by_one { (left * 4).div_ceil(one_by_one) } else { 1 };
            let cheapest = panel.cheapest(together.min(PANEL - panel.removed.len()));
            for (at, cost) in panel.remove(&sweep, &cheapest, pace).await? {
                curve.push(Removal { unit: units[at], cost });
            }
        }
        downdate(&mut sweep, &panel.removed, pace).await?;
        let kept: Vec<usize> = (0..units.len()).filter(|&at| !panel.gone[at]).collect();
        sweep.retain(&kept);
        units = kept.into_iter().map(|at| units[at]).collect();
    }
    Ok(curve)
}

/// Takes removed channels out of the inverse, and brings the weights of the others up to date.
async fn downdate(sweep: &mut Sweep, channels: &[usize], pace: &mut Pace<'_>) -> Result<()> {
    match sweep.pivot(channels, pace).await? {
        true => Ok(()),
        false => Err(indefinite()),
    }
}

fn indefinite() -> Error {
    Error::internal("a removal of which the system is not positive definite")
}

/// What is removed since the inverse was last brought up to date.
struct Panel {
    removed: Vec<usize>,
    gone: Vec<bool>,
    /// l of each removal, [n].
    columns: Vec<Vec<f64>>,
    /// z of each removal, [d].
    rows: Vec<Vec<f64>>,
    /// Diagonal of H', [n].
    diagonal: Vec<f64>,
    /// |W'_i|², [n].
    norms: Vec<f64>,
}

impl Panel {
    fn new(sweep: &Sweep) -> Self {
        let n = sweep.channels();
        Self {
            removed: Vec::new(),
            gone: vec![false; n],
            columns: Vec::new(),
            rows: Vec::new(),
            diagonal: (0..n).map(|i| -sweep.at(i, i)).collect(),
            norms: (0..n).map(|i| dot(sweep.right().row(i), sweep.right().row(i))).collect(),
        }
    }

    /// The `count` channels whose removal costs least, the cheapest first.
    fn cheapest(&self, count: usize) -> Vec<usize> {
        let left = (0..self.gone.len()).filter(|&i| !self.gone[i]).map(|i| (i, self.norms[i] / self.diagonal[i]));
        if count == 1 {
            return least(left).map(|(at, _)| at).into_iter().collect();
        }
        let mut order: Vec<(usize, f64)> = left.collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        order.into_iter().take(count).map(|(at, _)| at).collect()
    }

    /// Removes channels in this order; gives each with its cost.
    async fn remove(&mut self, sweep: &Sweep, channels: &[usize], pace: &mut Pace<'_>) -> Result<Vec<(usize, f64)>> {
        let before = self.rows.len();
        let mut costs = Vec::with_capacity(channels.len());
        for &p in channels {
            let (mut column, mut row) = (sweep.column(p), sweep.right().row(p).to_vec());
            column.iter_mut().for_each(|v| *v = -*v);
            for (l, z) in self.columns.iter().zip(&self.rows) {
                let factor = l[p];
                column.iter_mut().zip(l).for_each(|(v, l)| *v -= factor * l);
                row.iter_mut().zip(z).for_each(|(v, z)| *v -= factor * z);
            }
            if column[p].is_nan() || column[p] <= 0.0 {
                return Err(indefinite());
            }
            let root = column[p].sqrt();
            column.iter_mut().for_each(|v| *v /= root);
            row.iter_mut().for_each(|v| *v /= root);
            costs.push((p, dot(&row, &row)));
            self.columns.push(column);
            self.rows.push(row);
            self.removed.push(p);
            self.gone[p] = true;
        }
        self.update(sweep, before, pace).await?;
        Ok(costs)
    }

    /// Brings the diagonal and the norms of what is left up to date after the removals from `before` on:
    /// |W'_i - sum l_ia z_a|² = |W'_i|² - 2 sum l_ia (W'_i z_a) + sum l_ia l_ib (z_a z_b), with W'_i from before them.
    async fn update(&mut self, sweep: &Sweep, before: usize, pace: &mut Pace<'_>) -> Result<()> {
        let (old, new) = self.rows.split_at(before);
        let products = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> { rows.iter().map(|a| new.iter().map(|b| dot(a, b)).collect()).collect() };
        let (with_old, with_new) = (products(old), products(new));
        for i in (0..self.gone.len()).filter(|&i| !self.gone[i]) {
            if i % 64 == 0 {
                pace.step().await?;
            }
            for (a, z) in new.iter().enumerate() {
                let l = self.columns[before + a][i];
                let earlier: f64 = with_old.iter().zip(&self.columns).map(|(products, column)| column[i] * products[a]).sum();
                let beside: f64 = with_new.iter().zip(&self.columns[before..]).map(|(products, column)| column[i] * products[a]).sum();
                self.norms[i] += l * (beside - 2.0 * (dot(sweep.right().row(i), z) - earlier));
                self.diagonal[i] -= l * l;
            }
        }
        Ok(())
    }
}

/// The first least of some costs, with its place.
fn least(costs: impl Iterator<Item = (usize, f64)>) -> Option<(usize, f64)> {
    costs.reduce(|best, next| if next.1.total_cmp(&best.1).is_lt() { next } else { best })
}
