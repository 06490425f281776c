//! One pass over the dense model that carries along what it would become if linear layers with one input had lower ranks, alone or all but
//! they.

use crate::allocate::sensitivity::probed;
use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::{Calibration, Store, Stream};
use crate::checkpoint::{Checkpoint, Dtype};
use crate::device::Device;
use crate::forward::{Answers, Batch, Block, DeviceLinear, HostLayer, each_layer};
use crate::model::{Architecture, Layer, Unit};
use crate::score::{Form, LayerSpectra, group, lower};
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

/// What the linear layers with one input cost the model's answers when their ranks are lowered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupProbe {
    /// Layer, from 0.
    pub layer: usize,
    /// Which input: 0 of q, k and v, 1 of the attention output, 2 of gate and first FFN matrix, 3 of the second.
    pub input: usize,
    /// Sum over the group of errors of their outputs, each relative to its output.
    pub error: f64,
    /// Mean KL divergence to the dense model's predictions, in nats, of the model with this group alone lowered; without a head that
    /// predicts, 1 - the cosine of last hidden states.
    pub alone: f64,
    /// By how much less the model with all groups lowered diverges where this one is whole.
    pub within: f64,
}

/// Lowers every group of every layer alone, and all but it, to the ranks [part] of each layer, and measures what that does.
/// What groups cost alone adds up to too little where errors feed on each other; what they cost within tells of that.
///
/// # Errors
/// The device fails, or the run is cancelled.
pub async fn probe_ranks(probing: &Probing<'_>, spectra: &[LayerSpectra], ranks: &[Vec<usize>]) -> Result<Vec<GroupProbe>> {
    let Probing { device, run, store, checkpoint, architecture, calibration } = *probing;
    let batches = probed(calibration);
    let depth = architecture.layers.len();
    let mut dense = Stream::embed(device, store, checkpoint, architecture, &batches).await?;
    // The model with all groups lowered; and, by turns, with one group alone lowered and with all but it.
    let mut lowered = dense.clone();
    let mut climbers: Vec<Stream> = Vec::new();
    let mut probes = Vec::new();
    each_layer(checkpoint, architecture, async |index, layer, host| {
        let whole = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        let mut cut = whole.clone();
        let mut groups = Vec::new();
        for input in 0..4 {
            let (narrow, error) = lowered_group(probing, layer, &host, (&spectra[index], &ranks[index]), input).await?;
            set(&mut cut, input, narrow.clone())?;
            groups.push(narrow);
            probes.push(GroupProbe { layer: index, input, error, alone: 0.0, within: 0.0 });
        }
        let mut own = Vec::new();
        for input in 0..4 {
            let (mut alone, mut within) = (whole.clone(), whole.clone());
            for (other, narrow) in groups.iter().enumerate() {
                set(if other == input { &mut alone } else { &mut within }, other, narrow.clone())?;
            }
            own.extend([alone, within]);
        }
        drop(host);
        let below = climbers.len();
        for _ in 0..4 {
            climbers.extend([dense.clone(), lowered.clone()]);
        }
        for (number, batch) in batches.iter().enumerate() {
            // A layer's work grows with the probes that have begun.
            let share = number as f64 / batches.len() as f64;
            run.report(Phase::Score, Some(index), depth, ((index as f64 + share) / depth as f64).powi(2));
            for (climber, states) in climbers.iter_mut().enumerate() {
                let block = match climber.checked_sub(below) {
                    Some(own_place) => &own[own_place],
                    None if climber % 2 == 0 => &whole,
                    None => &cut,
                };
                step(probing, states, number, block, batch).await?;
            }
            step(probing, &mut dense, number, &whole, batch).await?;
            step(probing, &mut lowered, number, &cut, batch).await?;
        }
        device.finish().await
    })
    .await?;
    let answers = Answers::of(device, checkpoint, architecture, &batches, async |batch| dense.get(device, store, batch).await).await?;
    climbers.push(lowered);
    let states = async |probe: usize, batch: usize| climbers[probe].get(device, store, batch).await;
    let distances = answers.distances(climbers.len(), states).await?;
    let all = distances.last().copied().unwrap_or(0.0);
    for (probe, pair) in probes.iter_mut().zip(distances.chunks_exact(2)) {
        (probe.alone, probe.within) = (pair[0].max(0.0), (all - pair[1]).max(0.0));
    }
    Ok(probes)
}

/// Moves one batch of some states past a block.
async fn step(probing: &Probing<'_>, states: &mut Stream, number: usize, block: &Block, batch: &Batch) -> Result<()> {
    let (device, store) = (probing.device, probing.store);
    let x = block.apply(device, &states.get(device, store, number).await?, batch).await?;
    states.set(device, store, number, x).await
}

/// One group of linear layers lowered, and the sum of their relative errors.
async fn lowered_group(
    probing: &Probing<'_>,
    layer: &Layer,
    host: &HostLayer,
    (spectra, ranks): (&LayerSpectra, &[usize]),
    input: usize,
) -> Result<(Vec<DeviceLinear>, f64)> {
    let (device, store) = (probing.device, probing.store);
    let (linears, means) = (host.linears(), &spectra.means[input]);
    let mut uploaded = Vec::new();
    let mut error = 0.0;
    for (part, &rank) in spectra.parts.iter().zip(ranks).filter(|(part, _)| group(layer, part.places.start) == input) {
        let hosts = part.of(&linears);
        let low = lower(device, store, &hosts, (&part.spectrum, means), (rank, None), Form::Factors, |_| Dtype::F32).await?;
        error += part.spectrum.relative(low.error);
        uploaded.extend(DeviceLinear::upload_all(device, &low.linears.iter().collect::<Vec<_>>()).await?);
    }
    Ok((uploaded, error))
}

/// Puts a group of linear layers into a block.
fn set(block: &mut Block, input: usize, mut linears: Vec<DeviceLinear>) -> Result<()> {
    let unit = if input < 2 { Unit::Heads } else { Unit::Neurons };
    match input % 2 {
        0 => block.set_readers(unit, linears),
        _ => block.set_consumer(unit, linears.pop().ok_or_else(|| Error::internal("a group without a layer"))?),
    }
    Ok(())
}
