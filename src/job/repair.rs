//! Pass 2: repair and export layer by layer, from the dense statistics (plain) or along the pruned model (error-aware).

use super::Model;
use super::report::LayerOutcome;
use super::targets::Targets;
use crate::allocate::{LayerPlan, Plan, channels};
use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::{Calibration, KeptMoments, Moments, SiteMoments, Statistics, Store, Stream};
use crate::checkpoint::{Layout, Matrix, OutputTensor, Scratch, encode};
use crate::device::{Activation, Device, Tensor};
use crate::export::{export_layer, output_dtype};
use crate::forward::{Block, DeviceLinear, HostLayer, HostLinear, each_layer, in_order};
use crate::model::{Layer, Linear, Unit};
use crate::recipe::{Recipe, RepairRecipe, Target};
use crate::reconstruct::{Fit, Outcome, Problem, Problems, SiteOptions, Wanted, repair_site};
use std::cell::RefCell;

/// Everything that pass 2 works from.
pub(super) struct SecondPass<'a> {
    pub(super) device: &'a Device,
    pub(super) run: &'a Run,
    pub(super) model: &'a Model,
    pub(super) plan: &'a Plan,
    pub(super) recipe: &'a Recipe,
    pub(super) repair: &'a RepairRecipe,
    pub(super) calibration: &'a Calibration,
    pub(super) statistics: &'a Statistics,
    pub(super) store: &'a Store,
    /// What plain repairs aim at, where that is kept for other recipes.
    pub(super) targets: Option<&'a Targets>,
}

/// Changed tensors of the output, and what was done to each layer.
type Repaired = (Vec<OutputTensor>, Vec<LayerOutcome>);

/// Sums that an error-aware problem is made of, over the fitted and the held-out batches.
pub(super) struct AwareSums {
    inputs: SiteMoments,
    /// Absent where the repair needs no Gram matrix.
    cross: Option<[Tensor; 2]>,
    outputs: [Moments; 2],
}

impl SecondPass<'_> {
    /// Repairs from the statistics of the dense model; no forward pass.
    pub(super) async fn plain(&self, scratch: &dyn Scratch) -> Result<Repaired> {
        let architecture = &self.model.architecture;
        let mut changed = Vec::new();
        let mut outcomes: Vec<_> =
            architecture.layers.iter().zip(&self.plan.layers).map(|(layer, kept)| LayerOutcome::new(layer, kept)).collect();
        let cut = |&index: &usize| !self.plan.layers[index].is_removed() && outcomes[index].removes();
        let order: Vec<usize> = (0..outcomes.len()).filter(cut).collect();
        in_order(&self.model.checkpoint, architecture, &order, async |index, layer, dense| {
            self.report(index, 0, 1);
            let kept = &self.plan.layers[index];
            let mut pruned = self.pruned(layer, kept, &dense)?;
            for unit in Unit::ALL {
                if kept.kept(unit).len() < layer.units(unit) {
                    let problems = self.plain_problems(index, layer, unit, &dense, kept).await?;
                    let (linear, done) =
                        self.repair(layer.unit_size(unit), consumer(&dense, unit), consumer(&pruned, unit), problems.as_ref()).await?;
                    *consumer_mut(&mut pruned, unit) = linear;
                    outcomes[index].set(unit, done);
                }
            }
            changed.extend(self.export(index, pruned, scratch).await?);
            Ok(())
        })
        .await?;
        Ok((changed, outcomes))
    }

    /// Repairs along the pruned model: inputs are the student's, targets are the dense model's outputs plus what the residual
    /// stream has drifted (methods reference, section 0.7).
    pub(super) async fn aware(&self, scratch: &dyn Scratch) -> Result<Repaired> {
        let (device, model) = (self.device, self.model);
        let (mut changed, mut outcomes) = (Vec::new(), Vec::new());
        let batches = &self.calibration.batches;
        let mut dense_states = Stream::embed(device, self.store, &model.checkpoint, &model.architecture, batches).await?;
        let mut states = dense_states.clone();
        each_layer(&model.checkpoint, &model.architecture, async |index, layer, host| {
            let kept = &self.plan.layers[index];
            let mut outcome = LayerOutcome::new(layer, kept);
            let dense = Block::upload(device, &model.checkpoint, &model.architecture, layer, &host).await?;
            if kept.is_removed() {
                self.pass_by(index, &dense, &mut dense_states).await?;
                outcomes.push(outcome);
                return device.finish().await;
            }
            let mut pruned = self.pruned(layer, kept, &host)?;
            let mut student = Block::upload(device, &model.checkpoint, &model.architecture, layer, &pruned).await?;
            for unit in Unit::ALL {
                let removes = kept.kept(unit).len() < layer.units(unit);
                let width = kept.kept(unit).len() * layer.unit_size(unit);
                let mut sums = if removes { Some(self.sums(width, model.architecture.hidden).await?) } else { None };
                let bare = DeviceLinear { weight: dense.consumer(unit).weight.clone(), bias: None, factor: None };
                for (number, batch) in batches.iter().enumerate() {
                    self.report(index, unit as usize * batches.len() + number, 2 * batches.len());
                    let y = dense_states.get(device, self.store, number).await?;
                    let dense_inputs = dense.consumed(device, unit, &y, batch).await?;
                    if let Some(sums) = &mut sums {
                        let x = states.get(device, self.store, number).await?;
                        let inputs = student.consumed(device, unit, &x, batch).await?;
                        // Without the bias: the problem is about weights, and the bias is added to what the fit shifts.
                        let given = bare.apply(device, &dense_inputs, Activation::Identity).await?;
                        let wanted = match self.repair.target {
                            Target::Residual => device.add(&given, &device.add(&y, &x, -1.0).await?, 1.0).await?,
                            Target::Output => given,
                        };
                        sums.add(device, &inputs, &wanted, number < self.calibration.fitted).await?;
                    }
                    let above = dense.advance(device, unit, &y, &dense_inputs).await?;
                    dense_states.set(device, self.store, number, above).await?;
                }
                if let Some(sums) = sums {
                    let problems = sums.problems(device, self.affine(index, unit)).await?;
                    let (linear, done) =
                        self.repair(layer.unit_size(unit), consumer(&host, unit), consumer(&pruned, unit), Some(&problems)).await?;
                    student.set_consumer(unit, DeviceLinear::upload(device, &linear).await?);
                    *consumer_mut(&mut pruned, unit) = linear;
                    outcome.set(unit, done);
                }
                // With the repaired consumer: the next step sees what will be written.
                for (number, batch) in batches.iter().enumerate() {
                    let x = states.get(device, self.store, number).await?;
                    let inputs = student.consumed(device, unit, &x, batch).await?;
                    let above = student.advance(device, unit, &x, &inputs).await?;
                    states.set(device, self.store, number, above).await?;
                }
            }
            if outcome.removes() {
                changed.extend(self.export(index, pruned, scratch).await?);
            }
            outcomes.push(outcome);
            device.finish().await
        })
        .await?;
        Ok((changed, outcomes))
    }

    /// Moves the dense states past a layer that the student does not have: its own stay what they are, and the next repairs see how
    /// far they fell behind.
    pub(super) async fn pass_by(&self, index: usize, dense: &Block, states: &mut Stream) -> Result<()> {
        let batches = &self.calibration.batches;
        for (number, batch) in batches.iter().enumerate() {
            self.report(index, number, batches.len());
            let y = states.get(self.device, self.store, number).await?;
            states.set(self.device, self.store, number, dense.apply(self.device, &y, batch).await?).await?;
        }
        Ok(())
    }

    /// Whether the repair of a consumer has a bias: it has one, or the family's config lets it be given one, and the recipe wants it.
    pub(super) fn affine(&self, index: usize, unit: Unit) -> bool {
        self.shifts(self.model.architecture.layers[index].consumer(unit), Some(unit))
    }

    /// The same of any linear layer, of the readers and the consumer of units or of the head.
    pub(super) fn shifts(&self, linear: &Linear, around: Option<Unit>) -> bool {
        self.repair.affine && self.model.architecture.can_shift_linear(linear, around)
    }

    /// The block with what the plan keeps, in the dtypes that will be written.
    pub(super) fn pruned(&self, layer: &Layer, kept: &LayerPlan, dense: &HostLayer) -> Result<HostLayer> {
        // Once a layer, before anything is fitted to it: not every method would stumble over these values.
        dense.check_finite(layer)?;
        let mut kept = dense.keep(layer, &kept.heads, &kept.neurons);
        if let Some(hidden) = self.plan.kept_hidden(&self.model.architecture) {
            kept = kept.keep_hidden(hidden);
        }
        kept.converted(|own| output_dtype(&self.recipe.output, own))
    }

    pub(super) fn report(&self, layer: usize, step: usize, steps: usize) {
        let depth = self.model.architecture.layers.len();
        let share = (layer as f64 + step as f64 / steps.max(1) as f64) / depth as f64;
        self.run.report(Phase::Reconstruct, Some(layer), depth, share);
    }

    /// Empty sums for the repair of one linear layer.
    pub(super) async fn sums(&self, inputs: usize, outputs: usize) -> Result<AwareSums> {
        AwareSums::new(self.device, inputs, outputs, self.repair.repair()?.needs().gram).await
    }

    /// The plain problem of one consumer on the fitted and the held-out tokens; `None` where the repair looks at no statistics.
    async fn plain_problems(&self, index: usize, layer: &Layer, unit: Unit, dense: &HostLayer, kept: &LayerPlan) -> Result<Option<Two>> {
        let (device, store, needs) = (self.device, self.store, self.repair.repair()?.needs());
        let Some(site) = self.statistics.site(index, unit).filter(|_| needs.any()) else { return Ok(None) };
        let kept = channels(kept.kept(unit), layer.unit_size(unit));
        let affine = self.affine(index, unit);
        // One Gram matrix at a time: they are the largest things that there are.
        let problem = async |moments: &KeptMoments, held_out: bool| {
            // It may be there for the criterion alone.
            let gram = if needs.gram { moments.gram(device, store).await? } else { None };
            let wanted = || async {
                let matrix = &consumer(dense, unit).weight;
                let weight = device.upload(matrix.inputs(), matrix.outputs(), &matrix.to_f32_inputs_major()?).await?;
                Wanted::new(device, &moments.sums, gram.as_ref(), &weight).await
            };
            let wanted = match self.targets {
                Some(targets) => targets.get(store, (index, unit, held_out, needs.gram), wanted).await?,
                None => wanted().await?,
            };
            Problem::plain(device, &moments.sums, gram.as_ref(), &wanted, &kept, affine).await
        };
        let fit = problem(&site.fit, false).await?;
        let held_out = if site.held_out.sums.count > 0.0 { Some(problem(&site.held_out, true).await?) } else { None };
        Ok(Some(Two { fit, held_out }))
    }

    /// The repaired consumer, in the dtype that will be written.
    pub(super) async fn repair(
        &self,
        unit_size: usize,
        dense: &HostLinear,
        truncated: &HostLinear,
        problems: Option<&Two>,
    ) -> Result<(HostLinear, Outcome)> {
        let device = self.device;
        let dtype = output_dtype(&self.recipe.output, truncated.weight.dtype);
        let Some(problems) = problems else {
            return Ok((truncated.clone(), Outcome::untouched()));
        };
        let (inputs, outputs) = (truncated.weight.inputs(), truncated.weight.outputs());
        let weight = device.upload(inputs, outputs, &truncated.weight.to_f32_inputs_major()?).await?;
        let written: RefCell<Option<Matrix>> = RefCell::new(None);
        let accept = async |fit: &Fit| -> Result<bool> {
            let values = device.read(&fit.weight).await?;
            if values.iter().any(|v| !v.is_finite()) {
                return Ok(false);
            }
            let (matrix, overflowed) = Matrix::from_f32_inputs_major(&values, inputs, outputs, dtype, truncated.weight.layout);
            let shifted = shifted(dense, fit)?;
            let bias_dtype = output_dtype(&self.recipe.output, dense.bias.as_ref().map_or(truncated.weight.dtype, |bias| bias.dtype));
            let fits = shifted.iter().all(|v| v.is_finite()) && encode(bias_dtype, &shifted).overflowed == 0;
            *written.borrow_mut() = Some(matrix);
            Ok(overflowed == 0 && fits)
        };
        let options = SiteOptions { ridge: self.repair.ridge, unit_size };
        let (fit, outcome) = repair_site(device, self.repair.repair()?, problems.view(), &weight, options, accept).await?;
        if outcome.repair == "none" {
            return Ok((truncated.clone(), outcome));
        }
        let matrix = written.into_inner().ok_or_else(|| Error::internal("a repair without weights"))?;
        let bias = match &dense.bias {
            Some(bias) => {
                let dtype = output_dtype(&self.recipe.output, bias.dtype);
                Some(Matrix { dtype, bytes: encode(dtype, &shifted(dense, &fit)?).bytes, ..bias.clone() })
            }
            None if fit.shift.iter().any(|&shift| shift != 0.0) => {
                let values = shifted(dense, &fit)?;
                Some(Matrix { rows: outputs, cols: 1, dtype, layout: Layout::OutIn, bytes: encode(dtype, &values).bytes })
            }
            None => None,
        };
        Ok((HostLinear { weight: matrix, bias, factor: None }, outcome))
    }

    pub(super) async fn export(&self, index: usize, pruned: HostLayer, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
        export_layer(&self.model.architecture, index, self.plan, &pruned, &self.recipe.output, scratch).await
    }
}

/// The consumer's bias with what a fit adds to it.
fn shifted(dense: &HostLinear, fit: &Fit) -> Result<Vec<f32>> {
    Ok(dense.bias_values()?.iter().zip(&fit.shift).map(|(bias, shift)| (f64::from(*bias) + shift) as f32).collect())
}

/// One problem on two sets of tokens.
pub(super) struct Two {
    fit: Problem,
    held_out: Option<Problem>,
}

impl Two {
    fn view(&self) -> Problems<'_> {
        Problems { fit: &self.fit, held_out: self.held_out.as_ref() }
    }
}

impl AwareSums {
    async fn new(device: &Device, inputs: usize, outputs: usize, gram: bool) -> Result<Self> {
        let cross = match gram {
            true => Some([device.zeros(inputs, outputs).await?, device.zeros(inputs, outputs).await?]),
            false => None,
        };
        Ok(Self {
            inputs: SiteMoments::new(device, inputs, gram).await?,
            cross,
            outputs: [Moments::new(device, outputs, false).await?, Moments::new(device, outputs, false).await?],
        })
    }

    pub(super) async fn add(&mut self, device: &Device, inputs: &Tensor, wanted: &Tensor, fitted: bool) -> Result<()> {
        self.inputs.pick(fitted).add(device, inputs).await?;
        let set = usize::from(!fitted);
        self.outputs[set].add(device, wanted).await?;
        match &self.cross {
            Some(cross) => device.cross_gram(inputs, wanted, &cross[set]).await,
            None => Ok(()),
        }
    }

    pub(super) async fn problems(self, device: &Device, affine: bool) -> Result<Two> {
        let SiteMoments { fit, held_out } = &self.inputs;
        let (cross, held_cross) = self.cross.as_ref().map(|[fit, held_out]| (fit, held_out)).unzip();
        let [outputs, held_outputs] = &self.outputs;
        let problem = Problem::aware(device, fit, cross, outputs, affine).await?;
        let check = match held_out.count > 0.0 {
            true => Some(Problem::aware(device, held_out, held_cross, held_outputs, affine).await?),
            false => None,
        };
        Ok(Two { fit: problem, held_out: check })
    }
}

/// The linear layer that reads the units.
pub(super) fn consumer(host: &HostLayer, unit: Unit) -> &HostLinear {
    match unit {
        Unit::Heads => &host.attention_output,
        Unit::Neurons => &host.ffn_output,
    }
}

pub(super) fn consumer_mut(host: &mut HostLayer, unit: Unit) -> &mut HostLinear {
    match unit {
        Unit::Heads => &mut host.attention_output,
        Unit::Neurons => &mut host.ffn_output,
    }
}
