//! Pass 2 where channels of the residual stream go: always along the pruned model, whose normalised inputs are other ones.
//!
//! Every layer that reads the stream is fitted to give on the student's kept channels what the dense one gives on all (methods
//! reference, section 1.3); every layer that writes to it, what the dense one gives on the kept channels plus what they have drifted.
//! Before that, the gain of each normalisation is scaled so that the kept channels are as large as they were.

use super::repair::{SecondPass, consumer, consumer_mut};
use super::report::{HeadOutcome, LayerOutcome};
use crate::base::Result;
use crate::calibrate::Stream;
use crate::checkpoint::{OutputTensor, Scratch};
use crate::device::{Activation, Device, Tensor};
use crate::export::{export_gain, output_dtype};
use crate::forward::{Block, DeviceLinear, DeviceNorm, Embedding, HostLayer, HostLinear, HostNorm, each_layer};
use crate::model::{Norm, NormPlacement, Unit};
use crate::recipe::Target;
use crate::reconstruct::Outcome;

/// Passes over the batches for one sublayer: its norm, its readers, its writer, its norm, its states.
const STEPS: usize = 5;

/// What a narrower residual stream changes.
pub(super) struct Narrowed {
    pub(super) changed: Vec<OutputTensor>,
    pub(super) layers: Vec<LayerOutcome>,
    pub(super) head: Vec<HeadOutcome>,
}

/// Hidden states of the dense model and of the student, at the same place.
pub(super) struct Both {
    pub(super) dense: Stream,
    pub(super) student: Stream,
}

impl SecondPass<'_> {
    /// Repairs in a residual stream of the channels `hidden` alone.
    pub(super) async fn narrow(&self, hidden: &[u32], scratch: &dyn Scratch) -> Result<Narrowed> {
        if !self.repair.repair()?.needs().any() {
            return self.narrow_sliced(scratch).await;
        }
        let (mut changed, mut layers) = (Vec::new(), Vec::new());
        let architecture = &self.model.architecture;
        let mut states = self.embed_both(hidden, &mut changed, scratch).await?;
        each_layer(&self.model.checkpoint, architecture, async |index, layer, host| {
            let device = self.device;
            let kept = &self.plan.layers[index];
            let mut outcome = LayerOutcome::new(layer, kept);
            let dense = Block::upload(device, &self.model.checkpoint, architecture, layer, &host).await?;
            if kept.is_removed() {
                self.pass_by(index, &dense, &mut states.dense).await?;
                layers.push(outcome);
                return device.finish().await;
            }
            let mut pruned = self.pruned(layer, kept, &host)?;
            let mut student = Block::upload(device, &self.model.checkpoint, architecture, layer, &pruned).await?;
            let wide = host.keep(layer, &kept.heads, &kept.neurons);
            for unit in Unit::ALL {
                let norm = layer.norm(unit);
                let sliced = self.sliced_norm(norm, hidden).await?;
                student.set_norm(unit, DeviceNorm::upload(device, &sliced, architecture.norm_eps).await?);
                if architecture.placement == NormPlacement::Pre {
                    let pair = async |number: usize| {
                        self.step(index, unit, 0, number);
                        let (y, x) = (self.state(&states.dense, number).await?, self.state(&states.student, number).await?);
                        self.pair(hidden, &dense.read_by(device, unit, &y).await?, student.read_by(device, unit, &x).await?).await
                    };
                    let scaled = self.fit_norm(&sliced, norm, pair, &mut changed, scratch).await?;
                    student.set_norm(unit, scaled);
                }
                let done = self.fit_readers(index, unit, &wide, &mut pruned, (&dense, &mut student), &states).await?;
                outcome.set_producers(unit, done);
                let done = self.fit_writer(index, unit, hidden, (&host, &mut pruned), (&dense, &mut student), &mut states).await?;
                outcome.set(unit, done);
                if architecture.placement == NormPlacement::Post {
                    let pair = async |number: usize| {
                        self.step(index, unit, 3, number);
                        let (y, x) = (self.state(&states.dense, number).await?, self.state(&states.student, number).await?);
                        let inputs = student.consumed(device, unit, &x, &self.calibration.batches[number]).await?;
                        self.pair(hidden, &y, student.advance(device, unit, &x, &inputs).await?).await
                    };
                    let scaled = self.fit_norm(&sliced, norm, pair, &mut changed, scratch).await?;
                    student.set_norm(unit, scaled);
                }
                for (number, batch) in self.calibration.batches.iter().enumerate() {
                    self.step(index, unit, 4, number);
                    let x = self.state(&states.student, number).await?;
                    let inputs = student.consumed(device, unit, &x, batch).await?;
                    let above = student.advance(device, unit, &x, &inputs).await?;
                    states.student.set(device, self.store, number, above).await?;
                }
            }
            changed.extend(self.export(index, pruned, scratch).await?);
            layers.push(outcome);
            device.finish().await
        })
        .await?;
        let head = self.narrow_head(hidden, &states, &mut changed, scratch).await?;
        Ok(Narrowed { changed, layers, head })
    }

    /// The weights as they are: nothing is computed.
    async fn narrow_sliced(&self, scratch: &dyn Scratch) -> Result<Narrowed> {
        let mut narrowed = Narrowed { changed: Vec::new(), layers: Vec::new(), head: Vec::new() };
        for (index, layer) in self.model.architecture.layers.iter().enumerate() {
            self.report(index, 0, 1);
            let kept = &self.plan.layers[index];
            if !kept.is_removed() {
                let pruned = self.pruned(layer, kept, &HostLayer::read(&self.model.checkpoint, layer).await?)?;
                narrowed.changed.extend(self.export(index, pruned, scratch).await?);
            }
            narrowed.layers.push(LayerOutcome::new(layer, kept));
        }
        Ok(narrowed)
    }

    /// Embedded tokens, all channels and the kept ones.
    async fn embed_both(&self, hidden: &[u32], changed: &mut Vec<OutputTensor>, scratch: &dyn Scratch) -> Result<Both> {
        let (device, architecture, batches) = (self.device, &self.model.architecture, &self.calibration.batches);
        let mut embedding = Embedding::new(device, &self.model.checkpoint, architecture, batches).await?;
        let dense = Stream::of(device, self.store, &embedding, batches).await?;
        let norm = match &architecture.embeddings.norm {
            Some(norm) => {
                let sliced = self.sliced_norm(norm, hidden).await?;
                embedding.narrow(hidden, Some(DeviceNorm::upload(device, &sliced, architecture.norm_eps).await?));
                let pair = async |number: usize| {
                    let y = self.state(&dense, number).await?;
                    self.pair(hidden, &y, embedding.states(device, &batches[number]).await?).await
                };
                Some(self.fit_norm(&sliced, norm, pair, changed, scratch).await?)
            }
            None => None,
        };
        embedding.narrow(hidden, norm);
        let student = Stream::of(device, self.store, &embedding, batches).await?;
        Ok(Both { dense, student })
    }

    /// Fits the layers that read the stream on the way to units of a kind, all together since they share an input.
    async fn fit_readers(
        &self,
        index: usize,
        unit: Unit,
        wide: &HostLayer,
        pruned: &mut HostLayer,
        (dense, student): (&Block, &mut Block),
        states: &Both,
    ) -> Result<Outcome> {
        let device = self.device;
        let targets = bare(device, &HostLinear::join(&wide.readers(unit))?).await?;
        let truncated = HostLinear::join(&pruned.readers(unit))?;
        let pair = async |number: usize| {
            self.step(index, unit, 1, number);
            let (y, x) = (self.state(&states.dense, number).await?, self.state(&states.student, number).await?);
            let wanted = targets.apply(device, &dense.read_by(device, unit, &y).await?, Activation::Identity).await?;
            Ok((student.read_by(device, unit, &x).await?, wanted))
        };
        let layer = &self.model.architecture.layers[index];
        let linear = if unit == Unit::Heads { &layer.query } else { &layer.ffn_input };
        let affine = self.shifts(linear, Some(unit));
        let (fitted, outcome) = self.fit(1, &truncated, affine, pair).await?;
        let mut start = 0;
        let mut linears = Vec::new();
        for linear in pruned.readers_mut(unit) {
            let outputs = linear.weight.outputs();
            let part = fitted.keep_outputs(&(start as u32..(start + outputs) as u32).collect::<Vec<_>>());
            *linear = part
                .converted(|own| output_dtype(&self.recipe.output, if own == fitted.weight.dtype { linear.weight.dtype } else { own }))?;
            linears.push(DeviceLinear::upload(device, linear).await?);
            start += outputs;
        }
        student.set_readers(unit, linears);
        Ok(outcome)
    }

    /// Fits the layer that reads units of a kind and writes to the stream; the dense states move on past it.
    async fn fit_writer(
        &self,
        index: usize,
        unit: Unit,
        hidden: &[u32],
        (host, pruned): (&HostLayer, &mut HostLayer),
        (dense, student): (&Block, &mut Block),
        states: &mut Both,
    ) -> Result<Outcome> {
        let (device, layer) = (self.device, &self.model.architecture.layers[index]);
        let targets = bare(device, &consumer(host, unit).keep_outputs(hidden)).await?;
        let truncated = consumer(pruned, unit).clone();
        let mut sums = self.sums(truncated.weight.inputs(), hidden.len()).await?;
        for (number, batch) in self.calibration.batches.iter().enumerate() {
            self.step(index, unit, 2, number);
            let (y, x) = (self.state(&states.dense, number).await?, self.state(&states.student, number).await?);
            let (dense_inputs, inputs) = (dense.consumed(device, unit, &y, batch).await?, student.consumed(device, unit, &x, batch).await?);
            let given = targets.apply(device, &dense_inputs, Activation::Identity).await?;
            let wanted = match self.repair.target {
                Target::Residual => {
                    let kept = device.select(&y, None, Some(hidden)).await?;
                    device.add(&given, &device.add(&kept, &x, -1.0).await?, 1.0).await?
                }
                Target::Output => given,
            };
            sums.add(device, &inputs, &wanted, number < self.calibration.fitted).await?;
            let above = dense.advance(device, unit, &y, &dense_inputs).await?;
            states.dense.set(device, self.store, number, above).await?;
        }
        let problems = sums.problems(device, self.affine(index, unit)).await?;
        let (linear, outcome) = self.repair(layer.unit_size(unit), &truncated, &truncated, Some(&problems)).await?;
        student.set_consumer(unit, DeviceLinear::upload(device, &linear).await?);
        *consumer_mut(pruned, unit) = linear;
        Ok(outcome)
    }

    /// The repair of one linear layer; `pair` gives what it reads of a batch and what it should give, without its bias.
    pub(super) async fn fit(
        &self,
        unit_size: usize,
        truncated: &HostLinear,
        affine: bool,
        mut pair: impl AsyncFnMut(usize) -> Result<(Tensor, Tensor)>,
    ) -> Result<(HostLinear, Outcome)> {
        let mut sums = self.sums(truncated.weight.inputs(), truncated.weight.outputs()).await?;
        for number in 0..self.calibration.batches.len() {
            let (inputs, wanted) = pair(number).await?;
            sums.add(self.device, &inputs, &wanted, number < self.calibration.fitted).await?;
        }
        let problems = sums.problems(self.device, affine).await?;
        self.repair(unit_size, truncated, truncated, Some(&problems)).await
    }

    /// A normalisation with the kept channels, in the dtype that will be written.
    pub(super) async fn sliced_norm(&self, norm: &Norm, hidden: &[u32]) -> Result<HostNorm> {
        HostNorm::read(&self.model.checkpoint, norm).await?.keep(hidden).converted(|own| output_dtype(&self.recipe.output, own))
    }

    /// Scales the gain g of a normalisation so that what the student gives, a = g n + b, is nearest to what the dense model gives on
    /// the same channels, A: by sum (a - b)(A - b) / sum (a - b)^2 over tokens and channels. `pair` gives A and a of a batch.
    pub(super) async fn fit_norm(
        &self,
        sliced: &HostNorm,
        norm: &Norm,
        mut pair: impl AsyncFnMut(usize) -> Result<(Tensor, Tensor)>,
        changed: &mut Vec<OutputTensor>,
        scratch: &dyn Scratch,
    ) -> Result<DeviceNorm> {
        let (device, width) = (self.device, sliced.gain().rows);
        let (own, other) = (device.zeros(2, width).await?, device.zeros(2, width).await?);
        let (mut count, mut product, mut square) = (0.0, 0.0, 0.0);
        for number in 0..self.calibration.batches.len() {
            let (wanted, given) = pair(number).await?;
            count += given.rows() as f64;
            product += device.dot(&given, &wanted).await?;
            square += device.dot(&given, &given).await?;
            device.column_stats(&given, &own).await?;
            device.column_stats(&wanted, &other).await?;
        }
        if let Some(bias) = sliced.biases()? {
            let with = |sums: Vec<f32>| bias.iter().zip(sums).map(|(&b, sum)| f64::from(b) * f64::from(sum)).sum::<f64>();
            let (own, other) = (with(device.read(&own).await?), with(device.read(&other).await?));
            let squares = count * bias.iter().map(|&b| f64::from(b) * f64::from(b)).sum::<f64>();
            product += squares - own - other;
            square += squares - 2.0 * own;
        }
        let factor = product / square;
        let scaled = match factor.is_finite() && factor > 0.0 {
            true => sliced.scaled(factor)?,
            false => None,
        };
        let fitted = scaled.as_ref().unwrap_or(sliced);
        changed.push(export_gain(norm, fitted, scratch).await?);
        DeviceNorm::upload(device, fitted, self.model.architecture.norm_eps).await
    }

    /// What the dense model has on the kept channels, and what the student has.
    pub(super) async fn pair(&self, hidden: &[u32], dense: &Tensor, student: Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.device.select(dense, None, Some(hidden)).await?, student))
    }

    /// The states of a batch.
    pub(super) async fn state(&self, states: &Stream, batch: usize) -> Result<Tensor> {
        states.get(self.device, self.store, batch).await
    }

    fn step(&self, index: usize, unit: Unit, step: usize, batch: usize) {
        let batches = self.calibration.batches.len();
        self.report(index, (unit as usize * STEPS + step) * batches + batch, 2 * STEPS * batches);
    }
}

/// A linear layer on the device without its bias: problems are about weights, and biases are added to what a fit shifts.
pub(super) async fn bare(device: &Device, host: &HostLinear) -> Result<DeviceLinear> {
    Ok(DeviceLinear { weight: device.upload_weight(&host.weight).await?, bias: None, factor: None })
}
