//! Zeros among the weights: layer by layer along the pruned model.

mod budgets;
mod linear;
#[cfg(test)]
mod tests;

use super::changes::Changes;
use super::repair::consumer_mut;
use super::report::LinearOutcome;
use super::{Model, Session, no_calibration};
use crate::base::{Instant, Phase, Result, Run};
use crate::calibrate::{Calibration, InputStatistics, Sampling, Store, Stream};
use crate::checkpoint::{OutputTensor, Scratch};
use crate::device::{Device, Tensor};
use crate::export::{OutputOptions, export_block, output_dtype};
use crate::forward::{Batch, Block, DeviceLinear, HostLayer, HostLinear, each_layer};
use crate::model::{Layer, Linear, Unit};
use crate::recipe::{Order, Sparse};
use crate::score::weights::WeightNeeds;
use linear::Pruner;

pub(super) use linear::check;

impl Session {
    /// Carries out a recipe of this kind.
    pub(super) async fn sparsify(&mut self, device: &Device, run: &Run, method: &Sparse, output: &OutputOptions) -> Result<Changes> {
        let (calibration, _) = self.calibration.as_ref().ok_or_else(no_calibration)?;
        let clock = Instant::now();
        let pass = Pass { device, run, model: &self.model, method, output, calibration, store: &self.store };
        let shares = pass.shares().await?;
        let score = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let (changed, linears) = pass.prune(&shares, self.output.as_ref()).await?;
        let all = self.model.architecture.layers.iter().flat_map(Layer::linears);
        let biases: u64 = all.filter(|linear| linear.bias.is_some()).map(|linear| linear.outputs as u64).sum();
        let kept = linears.iter().map(|linear| linear.kept).sum::<u64>() + biases;
        let spent = (score, clock.elapsed().as_secs_f64());
        Ok(Changes { changed, linears, spent, kept_parameters: Some(kept), ..Changes::none(&self.model) })
    }
}

/// Everything that the pass works from.
pub(super) struct Pass<'a> {
    device: &'a Device,
    run: &'a Run,
    model: &'a Model,
    method: &'a Sparse,
    output: &'a OutputOptions,
    calibration: &'a Calibration,
    store: &'a Store,
}

/// Linear layers that read the same: those that read the residual stream on the way to units, and those that read the units.
const GROUPS: [(Unit, bool); 4] = [(Unit::Heads, false), (Unit::Heads, true), (Unit::Neurons, false), (Unit::Neurons, true)];

impl Pass<'_> {
    /// Prunes block after block; every statistic is taken of what the pruned blocks below give.
    async fn prune(&self, shares: &[f64], scratch: &dyn Scratch) -> Result<(Vec<OutputTensor>, Vec<LinearOutcome>)> {
        let (device, model) = (self.device, self.model);
        let mut pruner = Pruner::new(device, self.method, self.calibration)?;
        let sampling = Sampling::new(self.calibration, self.method.samples);
        let mut states = Stream::embed(device, self.store, &model.checkpoint, &model.architecture, &self.calibration.batches).await?;
        let (mut changed, mut outcomes) = (Vec::new(), Vec::new());
        each_layer(&model.checkpoint, &model.architecture, async |index, layer, host| {
            // Once a layer, before anything is chosen by it: not every method would stumble over these values.
            host.check_finite(layer)?;
            let mut host = host.converted(|own| output_dtype(self.output, own))?;
            let block = Block::upload(device, &model.checkpoint, &model.architecture, layer, &host).await?;
            match self.method.order {
                Order::Block => {
                    let statistics = self.of_block(index, &block, &states, &sampling).await?;
                    drop(block);
                    for (group, statistics) in GROUPS.into_iter().zip(statistics) {
                        outcomes.extend(pruner.prune(members(layer, &mut host, group), statistics, shares[index]).await?);
                    }
                    let block = Block::upload(device, &model.checkpoint, &model.architecture, layer, &host).await?;
                    for (number, batch) in self.calibration.batches.iter().enumerate() {
                        self.report(index, 1, number);
                        let x = states.get(device, self.store, number).await?;
                        states.set(device, self.store, number, block.apply(device, &x, batch).await?).await?;
                    }
                }
                Order::Linear => {
                    let mut block = block;
                    for (step, (unit, consumer)) in GROUPS.into_iter().enumerate() {
                        let statistics = self.of_group(index, step, &block, &states, &sampling).await?;
                        outcomes.extend(pruner.prune(members(layer, &mut host, (unit, consumer)), statistics, shares[index]).await?);
                        // What comes after sees what will be written.
                        match consumer {
                            true => block.set_consumer(unit, DeviceLinear::upload(device, consumer_mut(&mut host, unit)).await?),
                            false => {
                                let mut readers = Vec::new();
                                for reader in host.readers(unit) {
                                    readers.push(DeviceLinear::upload(device, reader).await?);
                                }
                                block.set_readers(unit, readers);
                            }
                        }
                        if consumer {
                            self.advance(&block, unit, &mut states).await?;
                        }
                    }
                }
            }
            changed.extend(export_block(layer, &host, scratch).await?);
            device.finish().await
        })
        .await?;
        Ok((changed, outcomes))
    }

    /// Statistics of all groups of a block, as it is.
    async fn of_block(&self, index: usize, block: &Block, states: &Stream, sampling: &Sampling) -> Result<Vec<InputStatistics>> {
        let (device, gram) = (self.device, self.needs()?.gram);
        let mut all: Vec<Option<InputStatistics>> = GROUPS.iter().map(|_| None).collect();
        for (number, batch) in self.calibration.batches.iter().enumerate() {
            self.report(index, 0, number);
            let mut x = states.get(device, self.store, number).await?;
            for (place, (unit, consumer)) in GROUPS.into_iter().enumerate() {
                let inputs = self.read(block, (unit, consumer), &x, batch).await?;
                if all[place].is_none() {
                    all[place] = Some(InputStatistics::new(device, inputs.cols(), gram).await?);
                }
                if let Some(statistics) = &mut all[place] {
                    statistics.add(device, &inputs, number, self.calibration, sampling).await?;
                }
                if consumer {
                    x = block.advance(device, unit, &x, &inputs).await?;
                }
            }
        }
        Ok(all.into_iter().flatten().collect())
    }

    /// Statistics of one group; `states` are those before its sublayer.
    async fn of_group(&self, index: usize, step: usize, block: &Block, states: &Stream, sampling: &Sampling) -> Result<InputStatistics> {
        let (device, gram) = (self.device, self.needs()?.gram);
        let mut statistics = None;
        for (number, batch) in self.calibration.batches.iter().enumerate() {
            self.report(index, 0, step * self.calibration.batches.len() / GROUPS.len());
            let x = states.get(device, self.store, number).await?;
            let inputs = self.read(block, GROUPS[step], &x, batch).await?;
            if statistics.is_none() {
                statistics = Some(InputStatistics::new(device, inputs.cols(), gram).await?);
            }
            if let Some(statistics) = &mut statistics {
                statistics.add(device, &inputs, number, self.calibration, sampling).await?;
            }
        }
        statistics.ok_or_else(no_calibration)
    }

    /// What a group of linear layers reads, from the residual stream before its sublayer.
    async fn read(&self, block: &Block, (unit, consumer): (Unit, bool), x: &Tensor, batch: &Batch) -> Result<Tensor> {
        match consumer {
            true => block.consumed(self.device, unit, x, batch).await,
            false => block.read_by(self.device, unit, x).await,
        }
    }

    /// Moves the states past the sublayer of the units.
    async fn advance(&self, block: &Block, unit: Unit, states: &mut Stream) -> Result<()> {
        let device = self.device;
        for (number, batch) in self.calibration.batches.iter().enumerate() {
            let x = states.get(device, self.store, number).await?;
            let inputs = block.consumed(device, unit, &x, batch).await?;
            states.set(device, self.store, number, block.advance(device, unit, &x, &inputs).await?).await?;
        }
        Ok(())
    }

    fn needs(&self) -> Result<WeightNeeds> {
        Ok(self.method.criterion()?.needs().union(self.method.update()?.needs()))
    }

    fn report(&self, layer: usize, step: usize, batch: usize) {
        let depth = self.model.architecture.layers.len();
        let share = (step as f64 + batch as f64 / self.calibration.batches.len().max(1) as f64) / 2.0;
        self.run.report(Phase::Reconstruct, Some(layer), depth, (layer as f64 + share) / depth as f64);
    }
}

/// The linear layers of a group, with their names.
fn members<'a>(layer: &'a Layer, host: &'a mut HostLayer, (unit, consumer): (Unit, bool)) -> Vec<(String, &'a mut HostLinear)> {
    if consumer {
        return vec![(layer.consumer(unit).weight.clone(), consumer_mut(host, unit))];
    }
    let linears: Vec<(&Linear, &str)> = match unit {
        Unit::Heads => vec![(&layer.query, "query"), (&layer.key, "key"), (&layer.value, "value")],
        Unit::Neurons => layer.ffn_gate.iter().chain([&layer.ffn_input]).map(|linear| (linear, "")).collect(),
    };
    let name = |(linear, part): (&Linear, &str)| match linear.fused_at {
        Some(_) => format!("{} ({part})", linear.weight),
        None => linear.weight.clone(),
    };
    linears.into_iter().map(name).zip(host.readers_mut(unit)).collect()
}
