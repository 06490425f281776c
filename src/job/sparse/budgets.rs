//! Shares of zeros of the blocks, before any is pruned.

use super::{GROUPS, Pass};
use crate::allocate::sparsity::block_shares;
use crate::base::{Pace, Phase, Result};
use crate::calibrate::{Moments, Stream};
use crate::forward::{Block, HostLayer, HostLinear, each_layer};
use crate::job::repair::consumer;
use crate::model::Layer;
use crate::score::weights::WeightSite;

impl Pass<'_> {
    /// The share of zeros of each block.
    pub(super) async fn shares(&self) -> Result<Vec<f64>> {
        let (budget, layers) = (self.method.layers()?, &self.model.architecture.layers);
        let count = |layer: &Layer| layer.linears().iter().map(|linear| linear.outputs * linear.inputs).sum();
        let weights: Vec<usize> = layers.iter().map(count).collect();
        let measures = match (budget.measures(), budget.needs_norms()) {
            (false, _) => vec![0.0; layers.len()],
            (true, norms) => self.measures(norms).await?,
        };
        Ok(block_shares(budget, &measures, &weights, self.method.ratio, self.method.layer_options()))
    }

    /// What the allocation goes by, of every dense block.
    async fn measures(&self, norms: bool) -> Result<Vec<f64>> {
        let (device, model, batches) = (self.device, self.model, &self.calibration.batches);
        let budget = self.method.layers()?;
        let mut pace = Pace::new(device.cancel());
        let mut states = match norms {
            true => Some(Stream::embed(device, self.store, &model.checkpoint, &model.architecture, batches).await?),
            false => None,
        };
        let depth = model.architecture.layers.len();
        let mut measures = Vec::with_capacity(depth);
        each_layer(&model.checkpoint, &model.architecture, async |index, layer, host| {
            host.check_finite(layer)?;
            self.run.report(Phase::Score, Some(index), depth, index as f64 / depth as f64);
            let squares = match &mut states {
                Some(states) => {
                    let block = Block::upload(device, &model.checkpoint, &model.architecture, layer, &host).await?;
                    self.squares(&block, states).await?
                }
                None => vec![Vec::<f64>::new(); GROUPS.len()],
            };
            let members = grouped(&host);
            let mut weights = Vec::with_capacity(members.len());
            for (_, linear) in &members {
                weights.push(linear.weight.to_f32_outputs_major()?);
            }
            let mut sites = Vec::with_capacity(members.len());
            for ((group, linear), weight) in members.iter().zip(&weights) {
                sites.push(WeightSite { weight, inputs: linear.weight.inputs(), squares: &squares[*group], roots: &[] });
            }
            measures.push(budget.measure(&sites, self.method.layer_options(), &mut pace).await?);
            device.finish().await
        })
        .await?;
        Ok(measures)
    }

    /// Sums of squares of the inputs of each group of a dense block, over the tokens that are fitted on; the states move on.
    async fn squares(&self, block: &Block, states: &mut Stream) -> Result<Vec<Vec<f64>>> {
        let device = self.device;
        let mut all: Vec<Option<Moments>> = GROUPS.iter().map(|_| None).collect();
        for (number, batch) in self.calibration.batches.iter().enumerate().take(self.calibration.fitted) {
            let mut x = states.get(device, self.store, number).await?;
            for (place, (unit, consumer)) in GROUPS.into_iter().enumerate() {
                let inputs = self.read(block, (unit, consumer), &x, batch).await?;
                if all[place].is_none() {
                    all[place] = Some(Moments::new(device, inputs.cols(), false).await?);
                }
                if let Some(moments) = &mut all[place] {
                    moments.add(device, &inputs).await?;
                }
                if consumer {
                    x = block.advance(device, unit, &x, &inputs).await?;
                }
            }
            states.set(device, self.store, number, x).await?;
        }
        let mut squares = Vec::with_capacity(all.len());
        for moments in all.into_iter().flatten() {
            squares.push(moments.read_sums(device).await?.squares);
        }
        Ok(squares)
    }
}

/// The linear layers of a block, each with the place of its group.
fn grouped(host: &HostLayer) -> Vec<(usize, &HostLinear)> {
    let mut members = Vec::new();
    for (place, (unit, consumes)) in GROUPS.into_iter().enumerate() {
        match consumes {
            true => members.push((place, consumer(host, unit))),
            false => members.extend(host.readers(unit).into_iter().map(|linear| (place, linear))),
        }
    }
    members
}
