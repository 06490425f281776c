//! One pass over the dense model that carries along what it would have become had one sublayer been pruned.

use crate::allocate::{channels, select};
use crate::base::{Error, Phase, Result};
use crate::calibrate::{Calibration, HostSums, Stream};
use crate::device::Tensor;
use crate::forward::{Answers, Batch, Block, DeviceLinear, HostLayer, batches, each_layer};
use crate::model::Unit;
use crate::score::{LayerScores, Whole};
use serde::Serialize;

/// Tokens that are probed with, about: so many sequences of the calibration set, in the order in which they were drawn, as have no
/// more; at least one.
pub(super) const TOKENS: usize = 2048;

/// What is to be probed: so many units of one sublayer stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) layer: usize,
    pub(super) unit: Unit,
    pub(super) keep: usize,
}

/// How far the model's answers move when one sublayer is pruned alone, and its bias compensated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Probe {
    /// Layer, from 0.
    pub layer: usize,
    /// Kind of unit.
    pub unit: Unit,
    /// How many were kept.
    pub kept: usize,
    /// Of how many.
    pub of: usize,
    /// Mean KL divergence to the dense model's predictions, in nats; without a head that predicts, 1 - the cosine of last hidden
    /// states.
    pub distance: f64,
}

impl Probe {
    /// The share that was removed, and what it cost.
    pub(super) fn point(&self) -> (f64, f64) {
        (1.0 - self.kept as f64 / self.of.max(1) as f64, self.distance)
    }
}

/// A probe on its way up.
struct Climber {
    task: Task,
    states: Stream,
}

/// The pruned sublayer of a probe in its own layer.
struct Narrow {
    climber: usize,
    unit: Unit,
    kept: Vec<u32>,
    block: Block,
}

/// Carries out `tasks`, which are in the order of layers.
pub(super) async fn probe(whole: &Whole<'_>, scores: &[LayerScores], tasks: &[Task]) -> Result<Vec<Probe>> {
    let Whole { device, run, checkpoint, architecture, store, .. } = *whole;
    let batches = probed(whole.calibration);
    let depth = architecture.layers.len();
    let mut dense = Stream::embed(device, store, checkpoint, architecture, &batches).await?;
    let mut climbers: Vec<Climber> = Vec::with_capacity(tasks.len());
    each_layer(checkpoint, architecture, async |index, layer, host| {
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        let below = climbers.len();
        let mut narrow = Vec::new();
        for &task in tasks.iter().filter(|task| task.layer == index) {
            let scores = scores[index][task.unit as usize].as_ref().ok_or_else(|| Error::internal("a probe without scores"))?;
            let kept = channels(&select(scores, task.keep, index, task.unit).0, layer.unit_size(task.unit));
            let sums = whole.statistics.site(index, task.unit).ok_or_else(|| Error::internal("a probe without statistics"))?.sums();
            let mut pruned = block.clone();
            pruned.set_consumer(task.unit, compensated(whole, &host, task, &kept, &sums).await?);
            narrow.push(Narrow { climber: climbers.len(), unit: task.unit, kept, block: pruned });
            climbers.push(Climber { task, states: dense.clone() });
        }
        drop(host);
        for (number, batch) in batches.iter().enumerate() {
            // A layer's work grows with the probes that have begun.
            let within = number as f64 / batches.len() as f64;
            run.report(Phase::Score, Some(index), depth, ((index as f64 + within) / depth as f64).powi(2));
            for climber in &mut climbers[..below] {
                let x = climber.states.get(device, store, number).await?;
                let x = block.apply(device, &x, batch).await?;
                climber.states.set(device, store, number, x).await?;
            }
            let mut x = dense.get(device, store, number).await?;
            for unit in Unit::ALL {
                let inputs = block.consumed(device, unit, &x, batch).await?;
                for narrow in narrow.iter().filter(|narrow| narrow.unit == unit) {
                    let kept = device.select(&inputs, None, Some(&narrow.kept)).await?;
                    let y = narrow.block.advance(device, unit, &x, &kept).await?;
                    let y = if unit == Unit::Heads { above_attention(whole, &block, &y, batch).await? } else { y };
                    climbers[narrow.climber].states.set(device, store, number, y).await?;
                }
                x = block.advance(device, unit, &x, &inputs).await?;
            }
            dense.set(device, store, number, x).await?;
        }
        device.finish().await
    })
    .await?;
    let answers = Answers::of(device, checkpoint, architecture, &batches, async |batch| dense.get(device, store, batch).await).await?;
    let states = async |probe: usize, batch: usize| climbers[probe].states.get(device, store, batch).await;
    let distances = answers.distances(climbers.len(), states).await?;
    let probes = climbers.iter().zip(distances).map(|(Climber { task: Task { layer, unit, keep }, .. }, distance)| Probe {
        layer: *layer,
        unit: *unit,
        kept: *keep,
        of: architecture.layers[*layer].units(*unit),
        distance,
    });
    Ok(probes.collect())
}

/// The sequences that are probed with, packed as the calibration set is.
pub(in crate::allocate) fn probed(calibration: &Calibration) -> Vec<Batch> {
    let all = &calibration.batches;
    let mut sequences: Vec<Vec<u32>> = Vec::new();
    let mut tokens = 0;
    for (batch, rows) in all.iter().flat_map(|batch| batch.segments.ranges().map(move |rows| (batch, rows))) {
        tokens += rows.len();
        if tokens > TOKENS && !sequences.is_empty() {
            break;
        }
        sequences.push(batch.ids[rows].to_vec());
    }
    batches(&sequences, all.iter().map(Batch::tokens).max().unwrap_or(0))
}

/// The consumer of some channels, with the mean of what the others gave added to its bias where a repair may do so too.
async fn compensated(whole: &Whole<'_>, host: &HostLayer, task: Task, kept: &[u32], sums: &HostSums) -> Result<DeviceLinear> {
    let consumer = match task.unit {
        Unit::Heads => &host.attention_output,
        Unit::Neurons => &host.ffn_output,
    };
    let weight = whole.device.upload_weight(&consumer.weight.keep_inputs(kept)).await?;
    if !(whole.affine && whole.architecture.can_shift(task.layer, task.unit)) {
        let bias = consumer.bias_values()?;
        let bias = if consumer.bias.is_some() { Some(whole.device.upload(1, bias.len(), &bias).await?) } else { None };
        return Ok(DeviceLinear { weight, bias, factor: None });
    }
    let mut bias: Vec<f64> = consumer.bias_values()?.into_iter().map(f64::from).collect();
    let rows = consumer.weight.to_f32_inputs_major()?;
    for (channel, row) in rows.chunks_exact(bias.len().max(1)).enumerate() {
        if kept.binary_search(&(channel as u32)).is_err() {
            let mean = sums.sums[channel] / sums.count.max(1.0);
            bias.iter_mut().zip(row).for_each(|(bias, &weight)| *bias += mean * f64::from(weight));
        }
    }
    let bias: Vec<f32> = bias.into_iter().map(|value| value as f32).collect();
    Ok(DeviceLinear { weight, bias: Some(whole.device.upload(1, bias.len(), &bias).await?), factor: None })
}

/// The rest of a block, from the residual stream after its attention.
async fn above_attention(whole: &Whole<'_>, block: &Block, x: &Tensor, batch: &Batch) -> Result<Tensor> {
    let inputs = block.consumed(whole.device, Unit::Neurons, x, batch).await?;
    block.advance(whole.device, Unit::Neurons, x, &inputs).await
}
