//! One pass over the dense model that carries along what it would become if the linear layers with one input had lower ranks.

use crate::allocate::sensitivity::probed;
use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::{Calibration, Store, Stream};
use crate::checkpoint::{Checkpoint, Dtype};
use crate::device::Device;
use crate::forward::{Answers, Block, DeviceLinear, HostLayer, HostLinear, each_layer};
use crate::model::{Architecture, Layer, Unit};
use crate::score::{Form, LayerSpectra, group, lower_linear};
use serde::Serialize;

/// What probes run on.
pub struct Probing<'a> {
    /// Where the work is done.
    pub device: &'a Device,
    /// Where to report, and when to stop.
    pub run: &'a Run,
    /// Where hidden states wait.
    pub store: &'a Store,
    /// The dense model's tensors.
    pub checkpoint: &'a Checkpoint,
    /// What they compute.
    pub architecture: &'a Architecture,
    /// The text; some of its sequences are taken.
    pub calibration: &'a Calibration,
}

/// How far the model's answers move when the linear layers with one input are lowered alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupProbe {
    /// Layer, from 0.
    pub layer: usize,
    /// Which input: 0 of q, k and v, 1 of the attention output, 2 of gate and first FFN matrix, 3 of the second.
    pub input: usize,
    /// Sum over the group of errors of their outputs, each relative to its output.
    pub error: f64,
    /// Mean KL divergence to the dense model's predictions, in nats; without a head that predicts, 1 - the cosine of last hidden
    /// states.
    pub distance: f64,
}

/// Lowers every group of every layer alone, to the ranks [linear layer] of each layer, and measures what that does.
///
/// # Errors
/// The device fails, or the run is cancelled.
pub async fn probe_ranks(probing: &Probing<'_>, spectra: &[LayerSpectra], ranks: &[Vec<usize>]) -> Result<Vec<GroupProbe>> {
    let Probing { device, run, store, checkpoint, architecture, calibration } = *probing;
    let batches = probed(calibration);
    let depth = architecture.layers.len();
    let mut dense = Stream::embed(device, store, checkpoint, architecture, &batches).await?;
    let mut climbers: Vec<Stream> = Vec::new();
    let mut probes = Vec::new();
    each_layer(checkpoint, architecture, async |index, layer, host| {
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        let below = climbers.len();
        let mut changed = Vec::new();
        for input in 0..4 {
            let (block, error) = lowered_group(probing, layer, &host, &block, (&spectra[index], &ranks[index]), input).await?;
            probes.push(GroupProbe { layer: index, input, error, distance: 0.0 });
            climbers.push(dense.clone());
            changed.push(block);
        }
        drop(host);
        for (number, batch) in batches.iter().enumerate() {
            // A layer's work grows with the probes that have begun.
            let within = number as f64 / batches.len() as f64;
            run.report(Phase::Score, Some(index), depth, ((index as f64 + within) / depth as f64).powi(2));
            for (climber, states) in climbers.iter_mut().enumerate() {
                let x = states.get(device, store, number).await?;
                let block = if climber < below { &block } else { &changed[climber - below] };
                let x = block.apply(device, &x, batch).await?;
                states.set(device, store, number, x).await?;
            }
            let x = block.apply(device, &dense.get(device, store, number).await?, batch).await?;
            dense.set(device, store, number, x).await?;
        }
        device.finish().await
    })
    .await?;
    let answers = Answers::of(device, checkpoint, architecture, &batches, async |batch| dense.get(device, store, batch).await).await?;
    let states = async |probe: usize, batch: usize| climbers[probe].get(device, store, batch).await;
    let distances = answers.distances(climbers.len(), states).await?;
    probes.iter_mut().zip(distances).for_each(|(probe, distance)| probe.distance = distance.max(0.0));
    Ok(probes)
}

/// The block with one group of its linear layers lowered, and the sum of their relative errors.
async fn lowered_group(
    probing: &Probing<'_>,
    layer: &Layer,
    host: &HostLayer,
    block: &Block,
    (spectra, ranks): (&LayerSpectra, &[usize]),
    input: usize,
) -> Result<(Block, f64)> {
    let (device, store) = (probing.device, probing.store);
    let mut linears: Vec<HostLinear> = Vec::new();
    let mut error = 0.0;
    for (place, linear) in host.linears().into_iter().enumerate().filter(|&(place, _)| group(layer, place) == input) {
        let (spectrum, rank) = (&spectra.linears[place], ranks[place]);
        let means = &spectra.means[input];
        linears.push(lower_linear(device, store, linear, (spectrum, means), rank, Form::Factors, |_| Dtype::F32).await?);
        error += if spectrum.total > 0.0 { spectrum.errors()[rank] / spectrum.total } else { 0.0 };
    }
    let mut uploaded = Vec::new();
    for linear in &linears {
        uploaded.push(DeviceLinear::upload(device, linear).await?);
    }
    let mut block = block.clone();
    let unit = if input < 2 { Unit::Heads } else { Unit::Neurons };
    match input % 2 {
        0 => block.set_readers(unit, uploaded),
        _ => block.set_consumer(unit, uploaded.pop().ok_or_else(|| Error::internal("a group without a layer"))?),
    }
    Ok((block, error))
}
