//! Optimal brain surgeon by whole units (Hassibi and Stork, 1993; OBSPA, 2403.18955): the squared output error per token that is left
//! when one unit alone is removed and the others are refitted, tr(W_gᵀ ((A⁻¹)_gg)⁻¹ W_g) (methods reference, 0.2 and 0.6).

use super::system::{channels, shapes, system};
use super::{Criterion, Effort, ScoreOptions, Scores, Site, Text};
use crate::base::algebra::Sweep;
use crate::base::{LocalFuture, Pace, Result};
use crate::calibrate::Needs;
use crate::model::Architecture;

pub(super) struct Obs;

impl Criterion for Obs {
    fn name(&self) -> &'static str {
        "obs"
    }

    fn title(&self) -> &'static str {
        "OBS (exact error of one unit)"
    }

    fn summary(&self) -> &'static str {
        "The output error that is left when this unit alone is removed and the others take over (optimal brain surgeon, by units)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, gram: true, ..Needs::default() }
    }

    fn by_bias(&self) -> bool {
        true
    }

    fn effort(&self, architecture: &Architecture, _options: &ScoreOptions, _text: Text) -> Effort {
        shapes(architecture).fold(Effort::default(), |sum, [_, n, d]| Effort {
            host_flops: sum.host_flops + n * n * n,
            host_bytes: sum.host_bytes.max(8.0 * (n * n + 2.0 * n * d)),
            ..sum
        })
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let mut pace = Pace::new(&site.run.cancel);
            let sweep = system(site, &mut pace).await?;
            Ok(Scores::Independent(costs(&sweep, site.units() as u32, site.unit_size, &mut pace).await?))
        })
    }
}

/// What the removal of each unit costs, all others kept, [units].
pub(super) async fn costs(sweep: &Sweep, units: u32, size: usize, pace: &mut Pace<'_>) -> Result<Vec<f64>> {
    let mut costs = Vec::with_capacity(units as usize);
    for unit in 0..units {
        pace.step().await?;
        costs.push(sweep.change(&channels(unit, size)));
    }
    Ok(costs)
}
