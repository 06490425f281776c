//! What a run will need, before it starts: memory by place, operations, time.

mod host;
mod zeros;

use super::session::Order;
use super::{Inputs, Model, cut, evaluation};
use crate::allocate::Passes;
use crate::base::{Error, Result};
use crate::calibrate::{Needs, Shelves, Tiers};
use crate::device::Device;
use crate::evaluate::batch_tokens;
use crate::model::{Architecture, Layer, Linear, Unit};
use crate::recipe::{Method, Recipe};
use crate::score::{Effort, Text, no_room_for_model};
use crate::text::CalibrationUsed;
use serde::Serialize;

/// What a run needs on the device beside what it keeps, in bytes; and what it would like to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Most bytes that one step works in: a layer's weights, a batch's activations, sums and systems.
    pub(super) working: u64,
    /// Of that, what a criterion takes that keeps the whole model there.
    pub(super) resident: u64,
    /// Hidden states between layers.
    pub(super) states: u64,
    /// Gram matrices that wait for the repair.
    pub(super) grams: u64,
    /// While the model is compared, when nothing is kept.
    pub(super) evaluation: u64,
}

/// Idle buffers that a GPU device keeps for reuse.
const IDLE: u64 = 256 << 20;

/// Floating-point operations a second in f64 on the host, as little as wasm gives.
const HOST_SPEED: f64 = 5e9;

/// A run as it is to be estimated.
pub(super) struct Task<'a> {
    pub(super) device: &'a Device,
    pub(super) model: &'a Model,
    pub(super) recipe: &'a Recipe,
    pub(super) needs: Needs,
    pub(super) aware: bool,
    /// What the criterion runs.
    pub(super) effort: Effort,
    /// Whether the allocation runs the model.
    pub(super) probes: bool,
    /// What it runs.
    pub(super) allocation: Passes,
    /// Whether the residual stream is narrowed.
    pub(super) narrows: bool,
    /// Calibration tokens.
    pub(super) tokens: usize,
    /// Tokens of the longest calibration sequence.
    pub(super) length: usize,
    /// Tokens that the model is compared on.
    pub(super) evaluated: usize,
}

impl<'a> Task<'a> {
    /// A recipe on a model, with what is used of its texts.
    pub(super) fn new(
        device: &'a Device,
        model: &'a Model,
        recipe: &'a Recipe,
        order: &Order,
        used: Option<&CalibrationUsed>,
        evaluation: &evaluation::Prepared,
    ) -> Self {
        let (tokens, length) = used.map_or((0, 0), |used| (used.tokens, used.longest));
        let text = Text { sequences: used.map_or(0, |used| used.sequences), tokens };
        let effort = match &recipe.method {
            Method::Structured(method) if method.ratio > 0.0 => method
                .criterion()
                .map_or_else(|_| Effort::default(), |criterion| criterion.effort(&model.architecture, &method.options, text)),
            _ => Effort::default(),
        };
        let cut = match &recipe.method {
            Method::Structured(method) if method.ratio > 0.0 => cut(model, method, &recipe.output, used).ok(),
            _ => None,
        };
        let probes = cut.as_ref().is_some_and(|cut| cut.allocation.runs_model());
        let allocation = cut.map_or_else(Passes::default, |cut| cut.passes(tokens));
        let (needs, aware, narrows) = (order.needs, order.aware, order.narrows);
        Self { device, model, recipe, needs, aware, narrows, effort, probes, allocation, tokens, length, evaluated: evaluation.tokens() }
    }
}

impl Task<'_> {
    fn architecture(&self) -> &Architecture {
        &self.model.architecture
    }

    /// Bytes of a weight on the device: the CPU unpacks to f32.
    fn weight_size(&self) -> f64 {
        match self.device {
            Device::Gpu(_) => self.model.checkpoint.total_bytes() as f64 / self.model.checkpoint.parameters().max(1) as f64,
            Device::Cpu(_) => 4.0,
        }
    }

    /// Whether the repair solves systems of Gram matrices; the criterion alone may need them too.
    fn repairs_by_gram(&self) -> bool {
        let solves = self.recipe.method.repair_recipe().is_none_or(|recipe| recipe.repair().is_ok_and(|repair| repair.needs().gram));
        solves && (self.needs.gram || self.aware)
    }

    fn ratio(&self) -> f64 {
        match &self.recipe.method {
            Method::Structured(method) if method.allocation().is_ok_and(|allocation| !allocation.uneven()) => method.ratio,
            // A layer may keep nearly all.
            _ => 0.0,
        }
    }

    /// Memory of the whole run.
    pub(super) fn memory(&self) -> Memory {
        let architecture = self.architecture();
        let hidden = architecture.hidden;
        let batch = batch_tokens(self.device).min(self.tokens.max(self.evaluated)).max(1);
        // Gradients are followed down from the inputs of every layer.
        let traced = if self.needs.gradients { architecture.layers.len() as u64 + 1 } else { 0 };
        let streams = traced.max(if self.aware { 2 } else { 1 });
        let (mut working, mut layer_bytes) = (0.0f64, 0.0f64);
        let mut grams = 0;
        for layer in &architecture.layers {
            let weights = layer.linear_parameters(layer.units(Unit::Heads), layer.neurons) as f64 * self.weight_size();
            let activations = 4.0 * batch as f64 * layer.widest(hidden) as f64;
            let sums: u64 = Unit::ALL.iter().map(|&unit| 2 * square(width(layer, unit))).sum();
            let collected = if self.needs.gram { sums as f64 } else { 0.0 };
            layer_bytes = layer_bytes.max(weights + activations);
            working = working.max(weights + activations + collected);
            let readers = self.reader_systems(layer).iter().map(|&(kept, outputs)| self.solving(kept, outputs)).fold(0.0, f64::max);
            let repair = Unit::ALL.iter().map(|&unit| self.repair(layer, unit)).fold(readers, f64::max);
            let beside = if self.aware { 2.0 * (weights + activations) } else { 0.0 };
            working = working.max(repair + beside);
            if let Method::Sparse(method) = &self.recipe.method {
                working = working.max(weights + activations + zeros::working(layer, method, self.tokens));
            }
            if self.needs.gradients {
                // What the way up computes is held beside its gradients.
                working = working.max(weights + 3.0 * activations);
            }
            // Pruned consumers, or a block at all the widths that are timed, beside the layer.
            working = working.max(if self.probes { 4.0 * weights + 2.0 * activations } else { 0.0 });
            grams += if self.needs.gram { sums } else { 0 };
            if self.needs.reader_grams {
                // What the residual stream's readers read; and directions of the spectra, at most half of each weight.
                let weights: u64 = layer.linears().iter().map(|linear| (linear.inputs * linear.outputs) as u64).sum();
                grams += 2 * square(hidden) + 2 * weights;
                let largest = layer.linears().iter().map(|linear| linear.inputs.max(linear.outputs) as u64).max().unwrap_or(0);
                working = working.max(f64::from(8u32) * square(largest as usize) as f64);
            }
        }
        if self.needs.gradients && architecture.causal {
            // A tile of the vocabulary with the logits of a chunk of rows and their gradient; states of a group of batches.
            let rows = architecture.vocabulary.min(8192) as f64;
            let states = (20.0 * self.tokens as f64 * hidden as f64).min(self.device.budget() as f64 / 4.0);
            working = working.max(rows * (8.0 * hidden as f64 + 8.0 * 1024.0) + states);
        }
        let mut resident = 0;
        if self.needs.resident {
            let vocabulary = if architecture.causal { (architecture.vocabulary * hidden) as f64 } else { 0.0 };
            let weights = (architecture.linear_parameters() as f64 + vocabulary) * self.weight_size();
            resident = (weights + self.effort.bytes) as u64;
            working = working.max(resident as f64);
        }
        working = working.max(self.effort.bytes);
        // A tile of the vocabulary with the logits of a chunk of rows, for both models.
        let rows = architecture.vocabulary.min(8192) as f64;
        let tile = |tokens: usize| if architecture.causal { rows * (8.0 * hidden as f64 + 16.0 * tokens.min(1024) as f64) } else { 0.0 };
        // Longer texts go through in groups.
        let compared = (12.0 * self.evaluated as f64 * hidden as f64).min(self.device.budget() as f64 / 4.0);
        let evaluation = if self.evaluated > 0 { compared + tile(self.evaluated).max(layer_bytes) } else { 0.0 };
        working = working.max(if self.allocation.answered > 0 { tile(self.tokens) } else { 0.0 });
        let idle = if matches!(self.device, Device::Gpu(_)) { IDLE } else { 0 };
        let rerun = self.effort.kept * architecture.layers.len();
        let probed = self.allocation.kept.max(rerun) as u64;
        let states = (streams * self.tokens as u64).max(probed) * hidden as u64 * 4;
        let resident = if resident > 0 { resident + idle } else { 0 };
        Memory { working: working as u64 + idle, resident, states, grams, evaluation: evaluation as u64 + idle }
    }

    /// Bytes of the systems that a repair of one consumer sets up and solves (see `reconstruct`).
    fn repair(&self, layer: &Layer, unit: Unit) -> f64 {
        let (all, outputs) = (width(layer, unit) as f64, self.architecture().hidden as f64);
        let kept = all * (1.0 - self.ratio());
        let weight = 4.0 * all * outputs;
        if !self.repairs_by_gram() {
            return 3.0 * weight;
        }
        // Gram of all inputs and its product with the weight, while the problem is set up; then fitted, held-out and joint
        // problems, the system and its factor, right sides and solutions.
        let setting_up = 4.0 * all * all + 2.0 * weight + 8.0 * (kept * kept + kept * outputs);
        setting_up.max(weight + self.solving(kept, outputs))
    }

    /// Bytes of fitted, held-out and joint problems, the system and its factor, right sides and solutions.
    fn solving(&self, kept: f64, outputs: f64) -> f64 {
        if !self.repairs_by_gram() {
            return 12.0 * kept * outputs;
        }
        let wide = if matches!(self.device, Device::Cpu(_)) { 2.0 } else { 1.0 };
        4.0 * ((4.0 + wide) * kept * kept + (9.0 + 2.0 * wide) * kept * outputs)
    }

    /// Kept inputs and outputs of the readers of a layer, where the residual stream gets narrower; all are about as wide as they were.
    fn reader_systems(&self, layer: &Layer) -> Vec<(f64, f64)> {
        if !self.narrows {
            return Vec::new();
        }
        let outputs = |linears: &[&Linear]| linears.iter().map(|linear| linear.outputs).sum::<usize>() as f64;
        let ffn: Vec<&Linear> = layer.ffn_gate.iter().chain([&layer.ffn_input]).collect();
        let hidden = self.architecture().hidden as f64;
        vec![(hidden, outputs(&[&layer.query, &layer.key, &layer.value])), (hidden, outputs(&ffn))]
    }

    /// Floating-point operations, by what is done.
    pub(super) fn work(&self) -> Work {
        let architecture = self.architecture();
        let seen = if architecture.causal { self.length as f64 / 2.0 } else { self.length as f64 };
        let contexts: usize = architecture.layers.iter().map(|layer| width(layer, Unit::Heads)).sum();
        let forward = 2.0 * architecture.linear_parameters() as f64 + 4.0 * seen * contexts as f64;
        let head = if architecture.causal { 2.0 * (architecture.vocabulary * architecture.hidden) as f64 } else { 0.0 };
        let (mut gram, mut solve) = (0.0, 0.0);
        for (layer, unit) in architecture.layers.iter().flat_map(|layer| Unit::ALL.map(|unit| (layer, unit))) {
            let (all, outputs) = (width(layer, unit) as f64, architecture.hidden as f64);
            let kept = all * (1.0 - self.ratio());
            let by_gram = self.repairs_by_gram();
            let aware = if by_gram && self.aware { kept * kept + 2.0 * kept * outputs } else { 0.0 };
            gram += self.tokens as f64 * (aware + if self.needs.gram { all * all } else { 0.0 });
            // A trial and the final fit, each with its right side; the products that set the problems up.
            let setting_up = if self.aware { 0.0 } else { 4.0 * all * all * outputs };
            let system = kept.powi(3) / 3.0 + 6.0 * kept * kept * outputs;
            solve += if by_gram { setting_up + 2.0 * system } else { 0.0 };
        }
        for (kept, outputs) in architecture.layers.iter().flat_map(|layer| self.reader_systems(layer)) {
            let by_gram = f64::from(u8::from(self.repairs_by_gram()));
            gram += by_gram * self.tokens as f64 * (kept * kept + 2.0 * kept * outputs);
            solve += by_gram * 2.0 * (kept.powi(3) / 3.0 + 6.0 * kept * kept * outputs);
        }
        // Up, and down with what lies between computed anew; logits three times or four, and their gradient.
        let (traced, predicted) = if self.needs.gradients { (3.0, 5.0) } else { (0.0, 0.0) };
        let passes = f64::from(u8::from(self.needs.statistics)) + traced;
        let student = 1.0 - self.ratio();
        let zeros = self.zeros();
        let along = if self.aware { 3.0 - 2.0 * self.ratio() } else { 0.0 };
        // Targets of the readers, and the student before and after its normalisations are scaled.
        let along = along + if self.narrows { 3.0 - 2.0 * self.ratio() } else { 0.0 } + zeros.passes;
        Work {
            calibrate: self.tokens as f64 * (passes * forward + predicted * head)
                + self.allocation.passed as f64 * forward
                + self.allocation.answered as f64 * head
                + gram,
            along: self.tokens as f64 * along * forward + zeros.gram,
            score: self.effort.passed * forward + self.effort.flops,
            host: self.effort.host_flops + zeros.host,
            repair: solve + zeros.repair,
            // Before; after, with the dense model beside it for the divergence.
            evaluate: self.evaluated as f64 * ((2.0 + student) * forward + 5.0 * head),
        }
    }
}

/// Floating-point operations of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    calibrate: f64,
    /// Passes along the pruned model, with their statistics.
    along: f64,
    score: f64,
    host: f64,
    repair: f64,
    evaluate: f64,
}

/// What a run will need, as far as can be told before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Most bytes on the device, what is kept there included.
    pub device_bytes: u64,
    /// Bytes that may be used there.
    pub budget_bytes: u64,
    /// Most bytes on the host beside the device, without what is kept: layers that are read, turned and written, the texts, the
    /// program itself. In a browser they are the WebAssembly heap, together with the device's where that is the CPU.
    pub host_bytes: u64,
    /// Statistics and hidden states, by where they will be kept.
    pub kept: Tiers,
    /// Floating-point operations.
    pub flops: f64,
    /// Speed of the device in a quick measurement, floating-point operations a second.
    pub speed: f64,
    /// Time, roughly: operations over speed.
    pub seconds: f64,
    /// Where that time goes.
    pub steps: Steps,
}

/// Time of a run by phase, roughly, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Steps {
    /// Passes along the dense model with their statistics, those of an allocation included.
    pub calibrate: f64,
    /// Scores.
    pub score: f64,
    /// Repairs, with passes along the pruned model where there are some.
    pub reconstruct: f64,
    /// The comparison, before and after together.
    pub evaluate: f64,
}

impl Steps {
    fn total(&self) -> f64 {
        self.calibrate + self.score + self.reconstruct + self.evaluate
    }
}

impl Memory {
    /// How many bytes the store may leave on the device, and where everything will be.
    ///
    /// # Errors
    /// One step alone needs more than the budget, or what is kept has no place; with the figures.
    pub(super) fn place(&self, budget: u64, shelves: &Shelves) -> Result<(u64, Tiers)> {
        let needed = self.working.max(self.evaluation);
        if self.resident > budget {
            return Err(no_room_for_model(self.resident, budget));
        }
        if needed > budget {
            return Err(Error::budget(format!(
                "This run needs about {} on the device for one layer with its activations and its repair, and {} are allowed; allow more memory, shorten the calibration sequences, or choose the repair \"bias\".",
                mebibytes(needed),
                mebibytes(budget)
            )));
        }
        let room = budget - self.working;
        let (states, grams) = (self.states.min(room), self.grams.min(room - self.states.min(room)));
        // Off the device, symmetric matrices are kept by half.
        let away = self.states - states + (self.grams - grams) * 11 / 20;
        let memory = away.min(shelves.memory.limit);
        let disk = away - memory;
        if disk > shelves.disk.limit {
            return Err(Error::budget(format!(
                "This run keeps about {} of statistics and hidden states, and there is room for {} on the device, {} in memory and {} on disk; allow more memory, take fewer calibration sequences, or choose the repair \"bias\".",
                mebibytes(self.states + self.grams),
                mebibytes(room),
                mebibytes(shelves.memory.limit),
                mebibytes(shelves.disk.limit)
            )));
        }
        Ok((room, Tiers { device: states + grams, memory, disk }))
    }
}

impl Work {
    /// All of them.
    pub(super) fn total(&self) -> f64 {
        self.calibrate + self.along + self.score + self.host + self.repair + self.evaluate
    }
}

impl Estimate {
    /// Puts the parts together, for a run that may use `budget` bytes of the device.
    pub(super) async fn new(task: &Task<'_>, inputs: &Inputs, shelves: &Shelves, budget: u64) -> Result<Self> {
        let (memory, work, device) = (task.memory(), task.work(), task.device);
        let (_, kept) = memory.place(budget, shelves)?;
        let speed = device.quick_gflops().await? * 1e9;
        // In f64 a solve runs at half the speed of f32 products, and its small blocks at half of that.
        let slow = if matches!(device, Device::Cpu(_)) { 4.0 } else { 1.0 };
        let steps = Steps {
            calibrate: work.calibrate / speed,
            score: work.score / speed + work.host / HOST_SPEED,
            reconstruct: (work.along + slow * work.repair) / speed,
            evaluate: work.evaluate / speed,
        };
        Ok(Self {
            device_bytes: (memory.working + kept.device).max(memory.evaluation),
            budget_bytes: device.budget(),
            host_bytes: task.host(inputs),
            kept,
            flops: work.total(),
            speed,
            seconds: steps.total(),
            steps,
        })
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "About {} on the device of the {} allowed, {} in memory and {} on disk beside it; {:.3e} operations, about {:.0} s at {:.0} GFLOP/s.",
            mebibytes(self.device_bytes),
            mebibytes(self.budget_bytes),
            mebibytes(self.host_bytes + self.kept.memory),
            mebibytes(self.kept.disk),
            self.flops,
            self.seconds.ceil(),
            self.speed / 1e9
        )
    }
}

/// A number of bytes for people.
fn mebibytes(bytes: u64) -> String {
    if bytes >= 10 << 30 { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes.div_ceil(1 << 20)) }
}

fn width(layer: &Layer, unit: Unit) -> usize {
    layer.units(unit) * layer.unit_size(unit)
}

fn square(width: usize) -> u64 {
    width as u64 * width as u64 * 4
}
