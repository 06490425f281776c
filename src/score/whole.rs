//! What a criterion is given that looks at the whole model.

use super::{LayerScores, ScoreOptions, Scores, Site};
use crate::base::{Phase, Result, Run};
use crate::calibrate::{Calibration, LossTargets, MaskGradients, Statistics, Store, mask_gradients};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::HostLayer;
use crate::model::{Architecture, Unit};

/// A dense model with what was collected over the calibration text.
pub struct Whole<'a> {
    /// Where the work is done.
    pub device: &'a Device,
    /// Where to report, and when to stop.
    pub run: &'a Run,
    /// The dense model's tensors.
    pub checkpoint: &'a Checkpoint,
    /// What they compute.
    pub architecture: &'a Architecture,
    /// Kinds of units to score.
    pub units: Vec<Unit>,
    /// The calibration text; empty where no criterion asked for statistics.
    pub calibration: &'a Calibration,
    /// What was collected over it.
    pub statistics: &'a Statistics,
    /// Where the larger part of that is.
    pub store: &'a Store,
    /// Whether the repair may change biases, where a consumer has one or can be given one.
    pub affine: bool,
    /// Share that is to be removed; a criterion that is asked which units to look at closely may want to know.
    pub ratio: f64,
    /// Options of the criterion.
    pub options: &'a ScoreOptions,
    /// Seed of whatever is drawn.
    pub seed: u64,
}

impl Whole<'_> {
    /// Scores consumer by consumer, one layer's weights at a time.
    pub async fn by_site(&self, score: impl AsyncFn(&Site<'_>) -> Result<Scores>) -> Result<Vec<LayerScores>> {
        let depth = self.architecture.layers.len();
        let mut scores = Vec::with_capacity(depth);
        for index in 0..depth {
            self.run.report(Phase::Score, Some(index), depth, index as f64 / depth as f64);
            self.device.finish().await?;
            let host = self.host(index).await?;
            let mut of_layer: LayerScores = [None, None];
            for &unit in &self.units {
                of_layer[unit as usize] = Some(score(&self.site(index, unit, &host)).await?);
            }
            scores.push(of_layer);
        }
        Ok(scores)
    }

    /// Independent scores of every consumer, from what is known without its weights.
    pub fn by_layer(&self, score: impl Fn(usize, Unit) -> Vec<f64>) -> Vec<LayerScores> {
        let asked = |layer, unit| self.units.contains(&unit).then(|| Scores::Independent(score(layer, unit)));
        (0..self.architecture.layers.len()).map(|layer| Unit::ALL.map(|unit| asked(layer, unit))).collect()
    }

    /// Gradients of the loss over the calibration text with respect to masks on all units.
    pub async fn mask_gradients(&self, targets: LossTargets) -> Result<MaskGradients> {
        mask_gradients(self.device, self.run, self.checkpoint, self.architecture, self.calibration, targets, self.store).await
    }

    /// Weights of a layer.
    pub async fn host(&self, layer: usize) -> Result<HostLayer> {
        HostLayer::read(self.checkpoint, &self.architecture.layers[layer]).await
    }

    /// One consumer, given the weights of its layer.
    pub fn site<'a>(&'a self, layer: usize, unit: Unit, host: &'a HostLayer) -> Site<'a> {
        Site {
            device: self.device,
            run: self.run,
            layer,
            unit,
            unit_size: self.architecture.layers[layer].unit_size(unit),
            affine: self.affine && self.architecture.can_shift(layer, unit),
            host,
            statistics: self.statistics.site(layer, unit),
            store: self.store,
            options: self.options,
            seed: self.seed,
        }
    }
}
