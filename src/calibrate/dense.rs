//! Pass 1: the dense model over the calibration set, one layer at a time.

use super::{Moments, Needs, SiteStatistics, Statistics};
use crate::base::{Phase, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::{Batch, Block, HostLayer, batches, embed};
use crate::model::{Architecture, Unit};

/// The calibration set in batches: those that repairs are fitted on come first, then those that check them.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// All batches.
    pub batches: Vec<Batch>,
    /// How many of them are fitted on.
    pub fitted: usize,
}

/// One sequence in eight checks the repairs.
const HELD_OUT: usize = 8;

impl Calibration {
    /// Splits and packs the sequences; `tokens` a batch.
    pub fn new(sequences: &[Vec<u32>], tokens: usize) -> Self {
        let fitted = sequences.len() - sequences.len() / HELD_OUT;
        let mut packed = batches(&sequences[..fitted], tokens);
        let count = packed.len();
        packed.extend(batches(&sequences[fitted..], tokens));
        Self { batches: packed, fitted: count }
    }

    /// Tokens in all batches.
    pub fn tokens(&self) -> usize {
        self.batches.iter().map(Batch::tokens).sum()
    }
}

/// Runs the dense model and collects what `needs` says.
pub async fn dense_pass(
    device: &Device,
    run: &Run,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    calibration: &Calibration,
    needs: Needs,
) -> Result<Statistics> {
    let mut statistics = Statistics::default();
    let depth = architecture.layers.len();
    run.report(Phase::Calibrate, None, depth, 0.0);
    let mut states = embed(device, checkpoint, architecture, &calibration.batches).await?;
    for (index, layer) in architecture.layers.iter().enumerate() {
        let host = HostLayer::read(checkpoint, layer).await?;
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        drop(host);
        let mut sites = [
            site(device, layer.units(Unit::Heads) * layer.unit_size(Unit::Heads), needs.gram).await?,
            site(device, layer.neurons, needs.gram).await?,
        ];
        for (number, batch) in calibration.batches.iter().enumerate() {
            let share = (index as f64 + number as f64 / calibration.batches.len() as f64) / depth as f64;
            run.report(Phase::Calibrate, Some(index), depth, share);
            let [heads, neurons] = &mut sites;
            let contexts = block.contexts(device, &states[number], batch).await?;
            heads.pick(number < calibration.fitted).add(device, &contexts).await?;
            let projected = block.project_contexts(device, &contexts).await?;
            let middle = block.join_attention(device, &states[number], &projected).await?;
            let activations = block.neurons(device, &middle).await?;
            neurons.pick(number < calibration.fitted).add(device, &activations).await?;
            let projected = block.project_neurons(device, &activations).await?;
            states[number] = block.join_ffn(device, &middle, &projected).await?;
        }
        device.finish().await?;
        statistics.layers.push(sites);
    }
    run.report(Phase::Calibrate, None, depth, 1.0);
    Ok(statistics)
}

async fn site(device: &Device, width: usize, gram: bool) -> Result<SiteStatistics> {
    Ok(SiteStatistics { fit: Moments::new(device, width, gram).await?, held_out: Moments::new(device, width, gram).await? })
}

impl SiteStatistics {
    /// The moments that a batch belongs to.
    pub(crate) fn pick(&mut self, fitted: bool) -> &mut Moments {
        if fitted { &mut self.fit } else { &mut self.held_out }
    }
}
