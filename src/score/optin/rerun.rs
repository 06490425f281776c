//! The model run again from a layer on, for many removals at once: copies of the residual stream, each without one unit, one below the
//! other. What lies below the layer is taken from the dense run.

use super::answers::Answers;
use crate::base::{Error, Phase, Random, Result};
use crate::calibrate::Kept;
use crate::device::{Device, Tensor};
use crate::forward::{Batch, Block, HostLayer, batches, block_bytes, embed, upload_blocks};
use crate::model::{Architecture, Head, Layer, Unit};
use crate::score::{Whole, no_room_for_model};

/// Tokens whose similarities are compared, as published.
pub(super) const SAMPLE: usize = 768;

/// The rows of the batch that matter above the last attention.
pub(super) struct Rows {
    /// All of them, ascending.
    pub(super) all: Vec<u32>,
    /// Rows whose features are compared, ascending.
    pub(super) sample: Vec<u32>,
    /// First tokens of sequences, where a classifier reads them.
    pub(super) first: Vec<u32>,
}

impl Rows {
    fn new(batch: &Batch, head: &Head, seed: u64) -> Self {
        let mut sample: Vec<u32> = Random::new(seed).sample(batch.tokens(), SAMPLE).into_iter().map(|row| row as u32).collect();
        sample.sort_unstable();
        let first: Vec<u32> = match head {
            Head::Classifier { .. } => batch.segments.ranges().map(|range| range.start as u32).collect(),
            _ => Vec::new(),
        };
        let mut all = [&sample[..], &first].concat();
        all.sort_unstable();
        all.dedup();
        Self { all, sample, first }
    }

    /// Where some of the rows lie in copies of all of them.
    pub(super) fn places(&self, of: &[u32], copies: usize) -> Vec<u32> {
        let own: Vec<u32> = of.iter().map(|row| self.all.binary_search(row).unwrap_or_default() as u32).collect();
        repeated(&own, self.all.len(), copies)
    }

    /// Where the sampled rows lie in copies of all of them.
    pub(super) fn sampled(&self, copies: usize) -> Vec<u32> {
        self.places(&self.sample, copies)
    }
}

/// Rows of each of some copies of `count` rows.
fn repeated(rows: &[u32], count: usize, copies: usize) -> Vec<u32> {
    (0..copies).flat_map(|copy| rows.iter().map(move |row| row + (copy * count) as u32)).collect()
}

/// What the dense model's FFN gives at the sampled rows, [sample, hidden], as it is and with rows of length 1.
struct Features {
    raw: Tensor,
    unit: Tensor,
}

/// How far a removal moves the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moved {
    /// Sum over the layers above of the squared change of the similarities of features.
    pub(super) trajectory: f64,
    /// KL divergence of the answers in nats, summed.
    pub(super) answers: f64,
}

/// A dense model that is on the device as a whole, with its run over one batch.
pub(super) struct Rerun<'a> {
    whole: &'a Whole<'a>,
    blocks: Vec<Block>,
    batch: Batch,
    rows: Rows,
    /// Inputs of every layer, [tokens, hidden].
    inputs: Vec<Kept>,
    features: Vec<Features>,
    answers: Answers<'a>,
    /// Copies that go through the model together.
    copies: usize,
}

impl<'a> Rerun<'a> {
    /// Brings the model to the device and runs it.
    ///
    /// # Errors
    /// Weights and one copy do not fit the device's budget: the sentence has the figures.
    pub(super) async fn new(whole: &'a Whole<'a>) -> Result<Self> {
        let (device, architecture) = (whole.device, whole.architecture);
        let sequences: Vec<Vec<u32>> =
            whole.calibration.batches.iter().flat_map(Batch::sequences).take(whole.options.score_sequences).map(<[u32]>::to_vec).collect();
        let mut packed = batches(&sequences, usize::MAX);
        let batch = packed.pop().ok_or_else(|| Error::internal("scores without a calibration text"))?;
        let rows = Rows::new(&batch, &architecture.head, whole.seed);
        let copies = fitting(whole, &batch, &rows)?;
        let depth = architecture.layers.len();
        let on_layer = |index: usize| whole.run.report(Phase::Score, Some(index), depth, 0.0);
        let blocks = upload_blocks(device, whole.checkpoint, architecture, on_layer).await?;

        let mut embedded = embed(device, whole.checkpoint, architecture, std::slice::from_ref(&batch)).await?;
        let mut x = embedded.pop().ok_or_else(|| Error::internal("no states of a batch"))?;
        let (mut inputs, mut features) = (Vec::with_capacity(depth), Vec::with_capacity(depth));
        for (index, block) in blocks.iter().enumerate() {
            inputs.push(whole.store.keep(device, x.clone(), false).await?);
            let (output, next) = pass(device, block, &x, &batch, (index + 1 == depth).then_some((&rows, 1))).await?;
            let sample = if index + 1 == depth { rows.sampled(1) } else { rows.sample.clone() };
            features.push(Features::of(device, device.select(&output, Some(&sample), None).await?).await?);
            x = next;
        }
        let answers = Answers::of(device, whole.checkpoint, architecture, &rows, &x).await?;
        Ok(Self { whole, blocks, batch, rows, inputs, features, answers, copies })
    }

    /// How far the removal of each of `units` of a layer moves the model. `told` is given the number of units done.
    pub(super) async fn moved(
        &self,
        layer: usize,
        unit: Unit,
        host: &HostLayer,
        units: &[u32],
        told: impl Fn(usize),
    ) -> Result<Vec<Moved>> {
        let device = self.whole.device;
        let rows = self.is_last(layer).then_some(&self.rows.all[..]);
        let removal = self.removal(layer, unit, host, rows).await?;
        let [height, width] = self.answers.shape(&self.rows);
        let answers = device.zeros(units.len() * height, width).await?;
        let mut trajectories: Option<Tensor> = None;
        for first in (0..units.len()).step_by(self.copies) {
            let some = &units[first..units.len().min(first + self.copies)];
            let (trajectory, last) = self.rerun(layer, &removal, some).await?;
            if let Some(moved) = self.answers.moved(device, &last, some.len(), &self.rows).await? {
                device.place(&moved, &answers, first * height).await?;
            }
            if let Some(trajectory) = trajectory {
                let all = match trajectories.take() {
                    Some(all) => all,
                    None => device.zeros(units.len(), trajectory.cols()).await?,
                };
                device.place(&trajectory, &all, first).await?;
                trajectories = Some(all);
            }
            told(first + some.len());
        }
        let trajectories = trajectories.ok_or_else(|| Error::internal("a layer without units"))?;
        let sums = device.read(&trajectories).await?;
        let sums = sums.chunks_exact(trajectories.cols().max(1)).map(|parts| parts.iter().map(|&part| f64::from(part)).sum());
        let divergences = self.answers.divergences(&device.read(&answers).await?, &self.rows);
        let answers = divergences.into_iter().chain(std::iter::repeat(0.0));
        let moved: Vec<Moved> = sums.zip(answers).map(|(trajectory, answers)| Moved { trajectory, answers }).collect();
        match moved.iter().all(|moved| moved.trajectory.is_finite() && moved.answers.is_finite()) {
            true => Ok(moved),
            false => Err(Error::input(
                "The model computes values that are not finite once a unit is left out; its weights are damaged or overflow.",
            )),
        }
    }

    /// What the units of a layer add, and to what; at some rows only, where no others are read.
    async fn removal(&self, layer: usize, unit: Unit, host: &HostLayer, rows: Option<&[u32]>) -> Result<Removal> {
        let (device, block) = (self.whole.device, &self.blocks[layer]);
        let mut x = self.whole.store.fetch(device, &self.inputs[layer]).await?;
        if unit == Unit::Neurons {
            let contexts = block.contexts(device, &x, &self.batch).await?;
            x = block.advance(device, Unit::Heads, &x, &contexts).await?;
        }
        let mut inputs = block.consumed(device, unit, &x, &self.batch).await?;
        if rows.is_some() {
            inputs = device.select(&inputs, rows, None).await?;
            x = device.select(&x, rows, None).await?;
        }
        let output = match unit {
            Unit::Heads => block.project_contexts(device, &inputs).await?,
            Unit::Neurons => block.project_neurons(device, &inputs).await?,
        };
        let consumer = match unit {
            Unit::Heads => &host.attention_output.weight,
            Unit::Neurons => &host.ffn_output.weight,
        };
        let directions = device.upload(consumer.inputs(), consumer.outputs(), &consumer.to_f32_inputs_major()?).await?;
        let sum = device.add(&x, &output, 1.0).await?;
        let size = self.whole.architecture.layers[layer].unit_size(unit);
        Ok(Removal { unit, inputs, output, sum, directions, size })
    }

    fn is_last(&self, layer: usize) -> bool {
        layer + 1 == self.blocks.len()
    }

    /// Runs copies of the model, each without one of `units`: their trajectories in parts, [copies, parts], and their last hidden
    /// states at [`Rows::all`].
    async fn rerun(&self, layer: usize, removal: &Removal, units: &[u32]) -> Result<(Option<Tensor>, Tensor)> {
        let (device, block, copies) = (self.whole.device, &self.blocks[layer], units.len());
        let without = async |base: &Tensor| device.without_units(base, &removal.inputs, &removal.directions, units, removal.size).await;
        let mut trajectory = Trajectory { device, rows: &self.rows, copies, sum: None };
        let mut x = block.after_sum(device, removal.unit, without(&removal.sum).await?).await?;
        // Nothing lies above the last layer: its own features count.
        let own = self.is_last(layer).then(|| &self.features[layer]);
        if removal.unit == Unit::Heads {
            let output;
            (output, x) = ffn(device, block, &x).await?;
            if let Some(features) = own {
                trajectory.add(&output, features, true).await?;
            }
        } else if let Some(features) = own {
            trajectory.add(&without(&removal.output).await?, features, true).await?;
        }
        let batch = self.batch.repeated(copies);
        for (index, block) in self.blocks.iter().enumerate().skip(layer + 1) {
            let last = self.is_last(index);
            let output;
            (output, x) = pass(device, block, &x, &batch, last.then_some((&self.rows, copies))).await?;
            trajectory.add(&output, &self.features[index], last).await?;
        }
        Ok((trajectory.sum, x))
    }
}

/// What the units of a consumer add to its output.
struct Removal {
    unit: Unit,
    /// The consumer's input, [rows, channels].
    inputs: Tensor,
    /// Its output, [rows, hidden].
    output: Tensor,
    /// The same with the residual stream before it.
    sum: Tensor,
    /// Outgoing weights of every channel, [channels, hidden].
    directions: Tensor,
    /// Channels of a unit.
    size: usize,
}

/// Squared changes of similarities of some copies, summed over layers.
struct Trajectory<'a> {
    device: &'a Device,
    rows: &'a Rows,
    copies: usize,
    sum: Option<Tensor>,
}

impl Trajectory<'_> {
    /// Adds a layer's features; of the last layer there are only [`Rows::all`].
    async fn add(&mut self, output: &Tensor, dense: &Features, last: bool) -> Result<()> {
        let sampled;
        let rows = match last {
            true => {
                sampled = self.rows.sampled(1);
                &sampled
            }
            false => &self.rows.sample,
        };
        let changes = self.device.direction_changes(output, self.copies, rows, &dense.raw).await?;
        let parts = self.device.similarity_changes(&dense.unit, &changes).await?;
        self.sum = Some(match self.sum.take() {
            Some(sum) => self.device.add(&sum, &parts, 1.0).await?,
            None => parts,
        });
        Ok(())
    }
}

impl Features {
    async fn of(device: &Device, raw: Tensor) -> Result<Self> {
        let mut values = device.read(&raw).await?;
        for row in values.chunks_exact_mut(raw.cols().max(1)) {
            let norm = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt().max(1e-10);
            row.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
        }
        Ok(Self { unit: device.upload(raw.rows(), raw.cols(), &values).await?, raw })
    }
}

/// A block: the output of its FFN before the residual sum, and the stream after it. In the last block only the given rows of each
/// copy go on after attention.
async fn pass(device: &Device, block: &Block, x: &Tensor, batch: &Batch, only: Option<(&Rows, usize)>) -> Result<(Tensor, Tensor)> {
    let contexts = block.contexts(device, x, batch).await?;
    let middle = match only {
        Some((rows, copies)) => {
            let rows = repeated(&rows.all, batch.tokens() / copies, copies);
            let (x, contexts) = (device.select(x, Some(&rows), None).await?, device.select(&contexts, Some(&rows), None).await?);
            block.advance(device, Unit::Heads, &x, &contexts).await?
        }
        None => block.advance(device, Unit::Heads, x, &contexts).await?,
    };
    ffn(device, block, &middle).await
}

/// The second half of a block.
async fn ffn(device: &Device, block: &Block, x: &Tensor) -> Result<(Tensor, Tensor)> {
    let output = block.project_neurons(device, &block.neurons(device, x).await?).await?;
    let next = block.join_ffn(device, x, &output).await?;
    Ok((output, next))
}

/// Bytes that all copies together take, at most. A GPU keeps so many for reuse, and the CPU gains nothing by more tokens.
fn most_bytes(device: &Device) -> u64 {
    let info = device.info();
    if info.kind == "gpu" && !info.software { 256 << 20 } else { 64 << 20 }
}

/// Bytes that a copy of the batch takes on the device at most, on its way through the model.
pub(super) fn copy_bytes(architecture: &Architecture, tokens: usize, sampled: usize) -> u64 {
    let hidden = architecture.hidden;
    let widest = architecture.layers.iter().map(|layer| layer.widest(hidden)).max().unwrap_or(0);
    4 * (tokens * widest + 2 * sampled * hidden) as u64 + Answers::copy_bytes(architecture, sampled)
}

/// How many copies of the batch fit on the device together, beside all weights.
fn fitting(whole: &Whole<'_>, batch: &Batch, rows: &Rows) -> Result<usize> {
    let (device, architecture) = (whole.device, whole.architecture);
    let head = Answers::weight_bytes(device, whole.checkpoint, architecture)?;
    let weights = block_bytes(device, whole.checkpoint, architecture)? + head;
    let copy = copy_bytes(architecture, batch.tokens(), rows.sample.len());
    let free = device.budget().saturating_sub(device.ledger().live());
    // The dense model's states of one layer stay beside the copies.
    let room = free.saturating_sub(weights + copy);
    if room < copy {
        return Err(no_room_for_model(weights + 2 * copy, free));
    }
    let across = architecture.layers.iter().map(Layer::widest_matrix).max().unwrap_or(0).max(architecture.hidden);
    let by_matrix = device.largest_matrix() / (4 * batch.tokens() * across).max(1) as u64;
    Ok((room.min(most_bytes(device)) / copy).min(by_matrix).max(1) as usize)
}
