//! Gradients of the model's loss with respect to masks on its units, at mask 1: what removing a unit would change, to first order.
//!
//! The forward pass keeps the input of every layer in the store; the backward pass goes down the layers, reading each one's weights
//! again, and computes anew what lies between. So one layer's weights are on the device at a time.

use super::{Calibration, Store, Stream};
use crate::base::{Error, Phase, Random, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor};
use crate::forward::{Batch, Block, Loss, Targets, each_layer, each_layer_down};
use crate::model::{Architecture, Layer, Unit};
use std::ops::Range;

/// What the loss compares predictions with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossTargets {
    /// The text itself: the next token; of a classifier the label of each sequence, or where there are no labels the class that
    /// the model prefers.
    Observed,
    /// Draws from the model's own predictions, so that mean squared gradients are its Fisher information.
    Drawn {
        /// Seed of the draws.
        seed: u64,
    },
}

/// Gradients of each calibration sequence's loss with respect to the masks of all units.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskGradients {
    /// Loss of each sequence in nats: of its class, or the mean over its predicted tokens.
    pub losses: Vec<f64>,
    /// Number of predictions that the loss of each sequence is the mean of.
    pub predictions: Vec<usize>,
    /// Per layer, by unit: row-major [sequences, units].
    layers: Vec<[Vec<f32>; 2]>,
}

impl MaskGradients {
    /// Gradients of the units of a kind in a layer, a row a sequence; none where there is no such layer.
    pub fn rows(&self, layer: usize, unit: Unit) -> impl Iterator<Item = &[f32]> {
        let values = self.layers.get(layer).map_or(&[][..], |layer| &layer[unit as usize]);
        values.chunks_exact((values.len() / self.losses.len().max(1)).max(1))
    }

    /// Sum over sequences of what `term` makes of the sequence's index and each gradient, by unit.
    pub fn sums(&self, layer: usize, unit: Unit, term: impl Fn(usize, f64) -> f64) -> Vec<f64> {
        let mut sums = Vec::new();
        for (sequence, row) in self.rows(layer, unit).enumerate() {
            sums.resize(row.len(), 0.0);
            sums.iter_mut().zip(row).for_each(|(sum, &gradient)| *sum += term(sequence, f64::from(gradient)));
        }
        sums
    }
}

/// Share of the work that the forward pass is: the backward pass repeats it, and does as much again.
const FORWARD: f64 = 1.0 / 3.0;

/// Runs the model over the calibration set and back.
///
/// # Errors
/// The model has neither a classifier nor a next-token head, a label is none of its classes, or the store has no room for the
/// hidden states of every layer.
pub async fn mask_gradients(
    device: &Device,
    run: &Run,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    calibration: &Calibration,
    targets: LossTargets,
    store: &Store,
) -> Result<MaskGradients> {
    let loss = Loss::read(device, checkpoint, architecture).await?;
    let (depth, batches) = (architecture.layers.len(), &calibration.batches);
    let tell = |layer: usize, batch: usize, begun: f64, share: f64| {
        let done = batch as f64 / batches.len().max(1) as f64;
        run.report(Phase::Calibrate, Some(layer), depth, begun + share * done / depth as f64);
    };
    run.report(Phase::Calibrate, None, depth, 0.0);

    let mut states = Stream::embed(device, store, checkpoint, architecture, batches).await?;
    let mut inputs = Vec::with_capacity(depth);
    each_layer(checkpoint, architecture, async |index, layer, host| {
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        drop(host);
        inputs.push(states.clone());
        for (number, batch) in batches.iter().enumerate() {
            tell(index, number, FORWARD * index as f64 / depth as f64, FORWARD);
            let x = states.get(device, store, number).await?;
            states.set(device, store, number, block.apply(device, &x, batch).await?).await?;
        }
        device.finish().await
    })
    .await?;

    let predictions = match loss {
        Loss::Classes(_) => batches.iter().flat_map(|batch| batch.segments.ranges().map(|_| 1)).collect(),
        Loss::NextToken(_) => batches.iter().flat_map(|batch| batch.segments.ranges().map(|rows| rows.len().saturating_sub(1))).collect(),
    };
    let losses = descend_head(device, store, &loss, calibration, targets, &mut states).await?;
    drop(loss);

    // The stream now holds the gradient with respect to the states above each layer, on its way down.
    let mut layers = Vec::with_capacity(depth);
    each_layer_down(checkpoint, architecture, async |index, layer, host| {
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        drop(host);
        let below = inputs.pop().ok_or_else(|| Error::internal("a layer without its inputs"))?;
        let mut gradients = [Vec::new(), Vec::new()];
        for (number, batch) in batches.iter().enumerate() {
            tell(index, number, FORWARD + (1.0 - FORWARD) * (depth - 1 - index) as f64 / depth as f64, 1.0 - FORWARD);
            let (x, upstream) = (below.get(device, store, number).await?, states.get(device, store, number).await?);
            let found = block.backward(device, &x, &upstream, batch).await?;
            states.set(device, store, number, found.input).await?;
            for (unit, masks) in Unit::ALL.into_iter().zip(&found.masks) {
                gradients[unit as usize].extend(by_unit(device, layer, unit, masks).await?);
            }
        }
        layers.push(gradients);
        device.finish().await
    })
    .await?;
    layers.reverse();
    run.report(Phase::Calibrate, None, depth, 1.0);
    Ok(MaskGradients { losses, predictions, layers })
}

/// Replaces the last hidden states by the gradient with respect to them; gives the losses.
async fn descend_head(
    device: &Device,
    store: &Store,
    loss: &Loss<'_>,
    calibration: &Calibration,
    targets: LossTargets,
    states: &mut Stream,
) -> Result<Vec<f64>> {
    let (batches, mut losses) = (&calibration.batches, Vec::new());
    let mut random = match targets {
        LossTargets::Drawn { seed } => Some(Random::new(seed)),
        LossTargets::Observed => None,
    };
    for group in groups(device, states.width(), batches) {
        let mut last = Vec::with_capacity(group.len());
        for number in group.clone() {
            last.push(states.get(device, store, number).await?);
        }
        let targets = match &mut random {
            Some(random) => Targets::Drawn(random),
            None => Targets::Observed(calibration.labels.as_ref().map(|labels| labels.get(losses.len()..).unwrap_or_default())),
        };
        let descent = loss.descend(device, &last, &batches[group.clone()], targets).await?;
        drop(last);
        losses.extend(descent.losses);
        for (number, gradient) in group.zip(descent.states) {
            states.set(device, store, number, gradient).await?;
        }
        device.finish().await?;
    }
    Ok(losses)
}

/// Runs of batches whose states, normalised states and gradients leave most of the budget free; each reads the vocabulary anew.
fn groups(device: &Device, hidden: usize, batches: &[Batch]) -> Vec<Range<usize>> {
    let most = device.budget() / 4 / (5 * 4 * hidden.max(1) as u64);
    let (mut groups, mut start, mut filled) = (Vec::new(), 0, 0);
    for (index, batch) in batches.iter().enumerate() {
        let tokens = batch.tokens() as u64;
        if filled + tokens > most && index > start {
            groups.push(start..index);
            (start, filled) = (index, 0);
        }
        filled += tokens;
    }
    if start < batches.len() {
        groups.push(start..batches.len());
    }
    groups
}

/// Row-major [sequences, units] from [sequences, channels].
async fn by_unit(device: &Device, layer: &Layer, unit: Unit, channels: &Tensor) -> Result<Vec<f32>> {
    let values = device.read(channels).await?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Error::input("The gradients on the calibration text are not finite; the model's weights are damaged or overflow."));
    }
    let size = layer.unit_size(unit).max(1);
    Ok(values.chunks_exact(size).map(|unit| unit.iter().map(|&v| f64::from(v)).sum::<f64>() as f32).collect())
}

#[cfg(test)]
mod tests;
