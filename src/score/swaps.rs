//! The local search of OSSCAR: a kept and a removed unit change places while that lowers the squared output error, each time the pair
//! that lowers it most.
//!
//! With K swept (see [`Sweep`]), leaving out unit g costs |v_g|², where v_g = L⁻¹ W'_g and L Lᵀ = H_gg. What K without g leaves of a
//! removed unit q and of its right side is then S_q + bᵀb and R_q + bᵀv_g, with b = L⁻¹ B_gq, so that the pair changes the error by
//! |v_g|² - tr((S_q + bᵀb)⁻¹ (R_q + bᵀv_g)(R_q + bᵀv_g)ᵀ). Units of one channel take
//! one product of [kept, d] and [d, removed] for all pairs.

use super::system::channels;
use crate::base::algebra::{Dense, Part, Sweep, dot};
use crate::base::{Error, Pace, Result};

/// A swap must lower the error by more than this share of it: less is rounding.
const GAIN: f64 = 1e-9;

/// Places of two units in their lists that change places, and what the error changes by.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Swap {
    leaves: usize,
    joins: usize,
    change: f64,
}

/// Units to keep instead of `kept` (ascending), as many, after at most `swaps` swaps; ascending. `sweep` has everything swept.
pub(super) async fn swapped(mut sweep: Sweep, size: usize, mut kept: Vec<u32>, swaps: usize, pace: &mut Pace<'_>) -> Result<Vec<u32>> {
    let units = (sweep.channels() / size.max(1)) as u32;
    let mut removed: Vec<u32> = (0..units).filter(|unit| kept.binary_search(unit).is_err()).collect();
    if kept.is_empty() || removed.is_empty() {
        return Ok(kept);
    }
    let w = sweep.right().clone();
    pivot(&mut sweep, &spread(&removed, size), pace).await?;
    for _ in 0..swaps {
        let error: f64 = spread(&removed, size).into_iter().map(|i| dot(sweep.right().row(i), w.row(i))).sum();
        let best = Candidates::new(&sweep, size, &kept, &removed, pace).await?.best(&sweep, pace).await?;
        let Some(best) = best.filter(|best| best.change < -GAIN * error) else { break };
        pivot(&mut sweep, &channels(removed[best.joins], size), pace).await?;
        pivot(&mut sweep, &channels(kept[best.leaves], size), pace).await?;
        std::mem::swap(&mut kept[best.leaves], &mut removed[best.joins]);
        kept.sort_unstable();
        removed.sort_unstable();
    }
    Ok(kept)
}

async fn pivot(sweep: &mut Sweep, channels: &[usize], pace: &mut Pace<'_>) -> Result<()> {
    match sweep.pivot(channels, pace).await? {
        true => Ok(()),
        false => Err(Error::internal("a swap of which the system is not positive definite")),
    }
}

/// The channels of some units.
fn spread(units: &[u32], size: usize) -> Vec<usize> {
    units.iter().flat_map(|&unit| channels(unit, size)).collect()
}

/// All pairs of a kept and a removed unit.
struct Candidates {
    size: usize,
    /// Channels of the removed units.
    removed: Vec<usize>,
    /// v_g, [kept channels, d].
    v: Dense,
    /// b for every pair, [kept channels, removed channels].
    b: Dense,
    /// R, [removed channels, d].
    r: Dense,
    /// v Rᵀ, [kept, removed], where units have one channel.
    products: Dense,
}

impl Candidates {
    async fn new(sweep: &Sweep, size: usize, kept: &[u32], removed: &[u32], pace: &mut Pace<'_>) -> Result<Self> {
        let removed = spread(removed, size);
        let (outputs, r) = (sweep.right().cols, sweep.right().select_rows(&removed));
        let (mut v, mut b) = (Vec::new(), Vec::new());
        for &unit in kept {
            pace.step().await?;
            let own = channels(unit, size);
            let Some((factor, whitened)) = sweep.whitened(&own) else {
                return Err(Error::internal("a kept unit of which the system is not positive definite"));
            };
            v.extend(whitened.values);
            b.extend(factor.lower_solve(&sweep.block(&own, &removed)).values);
        }
        let v = Dense::new(kept.len() * size, outputs, v)?;
        let b = Dense::new(v.rows, removed.len(), b)?;
        let mut products = Dense::zeros(0, 0);
        if size == 1 {
            products = Dense::zeros(v.rows, r.rows);
            products.add_product(1.0, &v, &r, Part::All, pace).await?;
        }
        Ok(Self { size, removed, v, b, r, products })
    }

    /// The pair that changes the error most to the better; the first of several.
    async fn best(&self, sweep: &Sweep, pace: &mut Pace<'_>) -> Result<Option<Swap>> {
        let mut best: Option<Swap> = None;
        let size = self.size.max(1);
        let own: Vec<Dense> = match size {
            1 => Vec::new(),
            _ => self.removed.chunks_exact(size).map(|channels| sweep.block(channels, channels)).collect(),
        };
        let squares: Vec<f64> = (0..self.r.rows).map(|i| dot(self.r.row(i), self.r.row(i))).collect();
        for leaves in 0..self.v.rows / size {
            pace.step().await?;
            let cost: f64 = (leaves * size..(leaves + 1) * size).map(|i| dot(self.v.row(i), self.v.row(i))).sum();
            for joins in 0..self.removed.len() / size {
                let gain = match size {
                    1 => {
                        let (b, product, channel) = (self.b.at(leaves, joins), self.products.at(leaves, joins), self.removed[joins]);
                        (squares[joins] + 2.0 * b * product + b * b * cost) / (sweep.at(channel, channel) + b * b)
                    }
                    _ => self.gain(leaves, joins, &own[joins], pace).await?,
                };
                let change = cost - gain;
                if best.is_none_or(|best| change < best.change) {
                    best = Some(Swap { leaves, joins, change });
                }
            }
        }
        Ok(best)
    }

    /// What a removed unit of several channels gives back once a kept one is left out; `schur` is S_q.
    async fn gain(&self, leaves: usize, joins: usize, schur: &Dense, pace: &mut Pace<'_>) -> Result<f64> {
        let unit = |matrix: &Dense, at: usize| matrix.select_rows(&channels(at as u32, self.size));
        let turned = unit(&unit(&self.b, leaves).transposed(), joins);
        let mut left = schur.clone();
        left.add_product(1.0, &turned, &turned, Part::All, pace).await?;
        let mut rest = unit(&self.r, joins);
        rest.add_product(1.0, &turned, &unit(&self.v, leaves).transposed(), Part::All, pace).await?;
        Ok(left.cholesky().map_or(0.0, |factor| factor.lower_solve(&rest).square()))
    }
}
