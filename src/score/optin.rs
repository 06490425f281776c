//! OPTIN (Khaki and Plataniotis, ICLR 2024): each unit is left out in turn, and the model is run again from its layer on. The unit
//! matters as much as the features of the layers above and the answers move.

mod answers;
mod rerun;
mod screen;
#[cfg(test)]
mod tests;

use super::{Criterion, Effort, LayerScores, ScoreOptions, Scores, Site, Text, Whole};
use crate::base::{Error, LocalFuture, Phase, Result};
use crate::calibrate::Needs;
use crate::model::{Architecture, Unit};
use rerun::{Moved, Rerun, SAMPLE, copy_bytes};

/// Weight of the answers beside the trajectory (lambda_c, as published).
const ANSWERS: f64 = 0.1;
/// What the last layer's own features count, above which no layer follows (as in the published code).
const LAST: f64 = 0.5;

pub(super) struct Optin;

/// Exact results of some units of a consumer.
struct Found {
    layer: usize,
    unit: Unit,
    units: Vec<u32>,
    moved: Vec<Moved>,
    /// Cheap scores of all units, where not all are among `units`.
    cheap: Option<Vec<f64>>,
}

impl Criterion for Optin {
    fn name(&self) -> &'static str {
        "optin"
    }

    fn title(&self) -> &'static str {
        "OPTIN (trajectory)"
    }

    fn summary(&self) -> &'static str {
        "How far leaving a unit out moves the features of the layers above and the answers; the model runs once a unit (Khaki and Plataniotis, 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, resident: true, ..Needs::default() }
    }

    fn options(&self) -> &'static [&'static str] {
        &["screen", "score_sequences"]
    }

    fn effort(&self, architecture: &Architecture, options: &ScoreOptions, text: Text) -> Effort {
        let sequences = text.sequences.min(options.score_sequences);
        let kept = text.tokens * sequences / text.sequences.max(1);
        let depth = architecture.layers.len();
        let reruns: f64 = architecture
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let above = (depth - 1 - index) as f64;
                // Leaving a head out changes its own layer's FFN too, which is two thirds of a block.
                layer.units(Unit::Heads) as f64 * (above + 2.0 / 3.0) + layer.neurons as f64 * options.screen * above
            })
            .sum();
        // The dense model's states stay beside those of at least one copy.
        let bytes = 2.0 * copy_bytes(architecture, kept, kept.min(SAMPLE)) as f64;
        Effort { passed: kept as f64 * (1.0 + reruns / depth.max(1) as f64), kept, bytes, ..Effort::default() }
    }

    fn score<'a>(&'a self, _site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async { Err(Error::internal("optin looks at the whole model")) })
    }

    fn score_all<'a>(&'a self, whole: &'a Whole<'a>) -> LocalFuture<'a, Result<Vec<LayerScores>>> {
        Box::pin(score_all(whole))
    }
}

async fn score_all(whole: &Whole<'_>) -> Result<Vec<LayerScores>> {
    let rerun = Rerun::new(whole).await?;
    let depth = whole.architecture.layers.len();
    let mut found = Vec::new();
    for layer in 0..depth {
        let host = whole.host(layer).await?;
        for &unit in &whole.units {
            let site = whole.site(layer, unit, &host);
            let screened = unit == Unit::Neurons && whole.options.screen < 1.0;
            let cheap = if screened { Some(cheap(&site)?) } else { None };
            let units = match &cheap {
                Some(cheap) => screen::chosen(cheap, whole.options.screen, whole.ratio),
                None => (0..site.units() as u32).collect(),
            };
            let told = |done: usize| whole.run.report(Phase::Score, Some(layer), depth, share(whole, layer, unit, done, units.len()));
            told(0);
            let moved = rerun.moved(layer, unit, &host, &units, told).await?;
            found.push(Found { layer, unit, units, moved, cheap });
        }
        whole.device.finish().await?;
    }
    Ok(combined(depth, found))
}

/// Second moments: the squared size of what each unit adds.
fn cheap(site: &Site<'_>) -> Result<Vec<f64>> {
    let weights = site.consumer_squares()?;
    let channels: Vec<f64> = site.sums()?.squares.iter().zip(weights).map(|(square, weight)| square * weight).collect();
    Ok(site.by_unit(&channels))
}

/// Trajectory and answers on one scale: over all units, the answers weigh [`ANSWERS`] times what the trajectories do.
fn combined(depth: usize, found: Vec<Found>) -> Vec<LayerScores> {
    let trajectory = |found: &Found, moved: &Moved| moved.trajectory * if found.layer + 1 == depth { LAST } else { 1.0 };
    let sum = |term: &dyn Fn(&Found, &Moved) -> f64| -> f64 {
        found.iter().flat_map(|found| found.moved.iter().map(move |moved| term(found, moved))).sum()
    };
    let (trajectories, answers) = (sum(&trajectory), sum(&|_, moved| moved.answers));
    let weight = if answers > 0.0 && trajectories > 0.0 { ANSWERS * trajectories / answers } else { ANSWERS };
    let mut scores: Vec<LayerScores> = (0..depth).map(|_| [None, None]).collect();
    for found in &found {
        let exact: Vec<f64> = found.moved.iter().map(|moved| trajectory(found, moved) + weight * moved.answers).collect();
        let all = match &found.cheap {
            Some(cheap) => screen::completed(cheap, &found.units, &exact),
            None => exact,
        };
        scores[found.layer][found.unit as usize] = Some(Scores::Independent(all));
    }
    scores
}

/// Share of all work that is done once `done` of `of` units of a consumer are, by the layers that each unit's removal runs through.
fn share(whole: &Whole<'_>, layer: usize, unit: Unit, done: usize, of: usize) -> f64 {
    let depth = whole.architecture.layers.len();
    let weight = |layer: usize, unit: Unit| {
        let scored = if unit == Unit::Neurons { whole.options.screen } else { 1.0 };
        whole.architecture.layers[layer].units(unit) as f64 * scored * ((depth - layer) as f64 - 0.5)
    };
    let (mut before, mut total) = (0.0, 0.0);
    for (other, kind) in (0..depth).flat_map(|other| whole.units.iter().map(move |&kind| (other, kind))) {
        let earlier = (other, kind as usize) < (layer, unit as usize);
        before += if earlier { weight(other, kind) } else { 0.0 };
        total += weight(other, kind);
    }
    (before + weight(layer, unit) * done as f64 / of.max(1) as f64) / total.max(1.0)
}
