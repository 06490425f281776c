//! report.json: what was asked for, what happened, and where.

use super::evaluation::Measure;
use super::model::Model;
use crate::allocate::{Budget, CloseCall, GroupProbe, LatencyTable, LayerPlan, Plan, Probe};
use crate::base::heap_bytes;
use crate::calibrate::{Calibration, Tiers};
use crate::device::{Device, DeviceInfo};
use crate::evaluate::Size;
use crate::export::Card;
use crate::model::{Layer, Structure, Unit};
use crate::recipe::{Method, Recipe, RepairRecipe};
use crate::reconstruct::{Outcome, REPAIRS};
use crate::score::LayerScores;
use crate::text::CalibrationUsed;
use serde::Serialize;
use std::collections::BTreeSet;

/// The report of a pruning job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of Coppice.
    pub coppice: &'static str,
    /// What ran the work.
    pub device: DeviceInfo,
    /// Where each step ran, and in which precision.
    pub ran_on: RanOn,
    /// Class of the model.
    pub model: String,
    /// The recipe, with defaults filled in.
    pub recipe: Recipe,
    /// What was used of the calibration text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationUsed>,
    /// Ratios, asked for and realised.
    pub ratio: Ratios,
    /// Sizes before.
    pub before: Size,
    /// Sizes after.
    pub after: Size,
    /// How good the dense model is, where there was data to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_before: Option<Measure>,
    /// How good the pruned model is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_after: Option<Measure>,
    /// What was done to each layer.
    pub layers: Vec<LayerOutcome>,
    /// What was done to the head, where the residual stream got narrower; of a vocabulary, to some rows at a time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<HeadOutcome>,
    /// Channels of the residual stream, where some were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<HiddenOutcome>,
    /// Units that another device might have decided otherwise.
    pub close_calls: Vec<CloseCall>,
    /// Scores of the units, by layer, where a criterion gave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<UnitScores>>,
    /// Times of the dense model's sublayers by width, where the allocation measured them. With the scores they reproduce the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyTable>,
    /// What pruning one sublayer alone does, where the allocation probed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<Vec<Probe>>,
    /// What lowering the linear layers with one input alone does, where the allocation of ranks probed it. With it the ranks can be
    /// reproduced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_probes: Option<Vec<GroupProbe>>,
    /// What was done to each linear layer of the blocks, where single weights or ranks went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub linears: Vec<LinearOutcome>,
    /// Things a person should know.
    pub notes: Vec<String>,
    /// Wall time of each phase.
    pub seconds: Seconds,
    /// Memory, from the run's own ledgers.
    pub memory: MemoryUse,
}

/// Most bytes that were held at any one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// Tensors and weights on the device.
    pub device: u64,
    /// What was allowed there.
    pub budget: u64,
    /// Statistics and hidden states between steps, by where they were kept; those on the device count there too.
    pub kept: Tiers,
    /// The WebAssembly heap, which never shrinks; absent natively.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heap: Option<u64>,
}

/// Where each step ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RanOn {
    /// Forward passes and statistics.
    pub statistics: &'static str,
    /// Scores and the plan.
    pub plan: &'static str,
    /// Solves and folds.
    pub repair: &'static str,
}

/// Shares that are removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratios {
    /// Asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<f64>,
    /// Which of the shares below that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_of: Option<Budget>,
    /// Of the blocks' linear parameters.
    pub linear: f64,
    /// Of the blocks' linear weights alone, where single ones went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<f64>,
    /// Of all parameters that the files hold.
    pub parameters: f64,
    /// Of floating-point operations a token in the blocks, at the calibration's mean length.
    pub flops: f64,
    /// Of the blocks' time on this device, where the allocation measured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<f64>,
    /// Of the tensors' bytes.
    pub bytes: f64,
}

/// Scores of one layer's units; the larger, the more a unit matters. Absent where a kind was not to be removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitScores {
    /// Of heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<f64>>,
    /// Of neurons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neurons: Option<Vec<f64>>,
}

impl UnitScores {
    pub(super) fn by_layer(scores: &[LayerScores]) -> Vec<Self> {
        let of = |layer: &LayerScores, unit: Unit| layer[unit as usize].as_ref().map(|scores| scores.values());
        scores.iter().map(|layer| Self { heads: of(layer, Unit::Heads), neurons: of(layer, Unit::Neurons) }).collect()
    }
}

/// Sizes before and after.
pub(super) struct Sizes {
    pub(super) before: Size,
    pub(super) after: Size,
}

/// Wall time of each phase, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// The dense model on the evaluation data.
    pub evaluate_dense: f64,
    /// Pass 1.
    pub calibrate: f64,
    /// Scores and plan.
    pub score: f64,
    /// Pass 2.
    pub reconstruct: f64,
    /// Laying out the output.
    pub export: f64,
    /// The pruned model on the evaluation data.
    pub evaluate_pruned: f64,
    /// All of it, as if this recipe were the first.
    pub total: f64,
    /// What this recipe took itself: without what one before it on the same session had collected, scored or measured already.
    pub own: f64,
}

/// What was done to one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerOutcome {
    /// Heads.
    pub heads: UnitOutcome,
    /// Neurons.
    pub neurons: UnitOutcome,
}

/// What was done to one kind of unit of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitOutcome {
    /// How many stayed.
    pub kept: usize,
    /// Of how many.
    pub of: usize,
    /// The repair of their consumer; absent where nothing was removed.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
    /// The repair of the layers that produce them from the residual stream, where that got narrower.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producers: Option<Outcome>,
}

/// What was done to one linear layer of a block, where single weights or ranks went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinearOutcome {
    /// Name of its weight; of layers that share a tensor, with which of them it is.
    pub tensor: String,
    /// Names of the weights of further layers, where they share a factor with it: then all else here is of all of them together, and the
    /// error is the mean of theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Outputs and inputs.
    pub shape: [usize; 2],
    /// Parameters that are left: weights that are not zero, or both factors and the single weights beside their product.
    pub kept: u64,
    /// The rank that is left, where it is a product now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Of what is left, single weights beside the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub singles: Option<u64>,
    /// Squared error of its output on the calibration text, relative to the output's own square, before anything made up for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// The same, after the weights that stay were updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_after: Option<f64>,
}

/// What was done to a layer of the head.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadOutcome {
    /// Name of its weight.
    pub tensor: String,
    /// Its repair.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What is left of the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HiddenOutcome {
    /// Channels that stayed.
    pub kept: usize,
    /// Of how many.
    pub of: usize,
}

impl LayerOutcome {
    pub(super) fn new(layer: &Layer, kept: &LayerPlan) -> Self {
        let unit = |unit| UnitOutcome { kept: kept.kept(unit).len(), of: layer.units(unit), outcome: None, producers: None };
        Self { heads: unit(Unit::Heads), neurons: unit(Unit::Neurons) }
    }

    pub(super) fn removes(&self) -> bool {
        self.heads.kept < self.heads.of || self.neurons.kept < self.neurons.of
    }

    pub(super) fn set_producers(&mut self, unit: Unit, outcome: Outcome) {
        match unit {
            Unit::Heads => self.heads.producers = Some(outcome),
            Unit::Neurons => self.neurons.producers = Some(outcome),
        }
    }

    pub(super) fn set(&mut self, unit: Unit, outcome: Outcome) {
        match unit {
            Unit::Heads => self.heads.outcome = Some(outcome),
            Unit::Neurons => self.neurons.outcome = Some(outcome),
        }
    }
}

/// What the report is put together from, beside the model and the recipe.
pub(super) struct Findings {
    pub(super) sizes: Sizes,
    pub(super) calibration: Option<CalibrationUsed>,
    pub(super) layers: Vec<LayerOutcome>,
    pub(super) head: Vec<HeadOutcome>,
    pub(super) linears: Vec<LinearOutcome>,
    pub(super) close_calls: Vec<CloseCall>,
    pub(super) scores: Option<Vec<UnitScores>>,
    pub(super) latency: Option<LatencyTable>,
    /// Share of the blocks' time that is removed.
    pub(super) time: Option<f64>,
    pub(super) probes: Option<Vec<Probe>>,
    pub(super) rank_probes: Option<Vec<GroupProbe>>,
    pub(super) kept: Tiers,
    pub(super) quality_before: Option<Measure>,
    pub(super) quality_after: Option<Measure>,
    pub(super) seconds: Seconds,
}

impl Report {
    pub(super) fn new(device: &Device, model: &Model, recipe: &Recipe, plan: &Plan, findings: Findings) -> Self {
        let Findings {
            sizes: Sizes { before, after },
            calibration,
            layers,
            head,
            linears,
            close_calls,
            scores,
            latency,
            time,
            probes,
            rank_probes,
            kept,
            quality_before,
            quality_after,
            seconds,
        } = findings;
        let share = |before: f64, after: f64| if before > 0.0 { 1.0 - after / before } else { 0.0 };
        let (asked, asked_of) = match &recipe.method {
            Method::Structured(method) => (Some(method.ratio), method.budget().ok()),
            Method::Sparse(_) | Method::LowRank(_) => (recipe.method.ratio(), Some(Budget::Linear)),
            Method::Plan(_) => (None, None),
        };
        let info = device.info();
        let ran_on = match device {
            Device::Gpu(_) => RanOn { statistics: "gpu, f32", plan: "cpu, f64", repair: "gpu, f32 with refinement" },
            Device::Cpu(_) => RanOn { statistics: "cpu, f32", plan: "cpu, f64", repair: "cpu, f64" },
        };
        let ratio = Ratios {
            asked,
            asked_of,
            linear: share(before.linear_parameters as f64, after.linear_parameters as f64),
            weights: matches!(recipe.method, Method::Sparse(_)).then(|| zeros(&linears)).flatten(),
            parameters: share(before.parameters as f64, after.parameters as f64),
            flops: share(before.flops_per_token, after.flops_per_token),
            latency: time,
            bytes: share(before.bytes as f64, after.bytes as f64),
        };
        let channels = plan.kept_hidden(&model.architecture).map(<[u32]>::len);
        let hidden = channels.map(|kept| HiddenOutcome { kept, of: model.architecture.hidden });
        let mut notes = notes(recipe, &layers, &head, &ratio);
        if let (Method::Structured(_), Some(asked), true) = (&recipe.method, asked, plan.keeps_all(&model.architecture))
            && asked > 0.0
        {
            notes.push(format!("Nothing was removed: a ratio of {asked} is less than half of what the smallest unit has."));
        }
        notes.extend(unchecked(calibration.as_ref(), repairs(&layers, &head)));
        if info.software {
            notes.push("The GPU adapter is a program on the CPU; the CPU device is faster here.".to_owned());
        }
        Self {
            coppice: env!("CARGO_PKG_VERSION"),
            device: info,
            ran_on,
            model: model.architecture.class.clone(),
            recipe: recipe.clone(),
            calibration,
            ratio,
            before,
            after,
            quality_before,
            quality_after,
            layers,
            head,
            hidden,
            linears,
            close_calls,
            scores,
            latency,
            probes,
            rank_probes,
            notes,
            seconds,
            memory: MemoryUse { device: device.ledger().peak(), budget: device.budget(), kept, heap: heap_bytes() },
        }
    }
}

/// Every repair that was done.
fn repairs<'a>(layers: &'a [LayerOutcome], head: &'a [HeadOutcome]) -> impl Iterator<Item = &'a Outcome> {
    let of_layers =
        layers.iter().flat_map(|layer| [&layer.heads, &layer.neurons]).flat_map(|unit| unit.producers.iter().chain(&unit.outcome));
    of_layers.chain(head.iter().map(|done| &done.outcome))
}

/// A note where repairs were fitted on all of a text that is too short to spare any of it.
fn unchecked<'a>(used: Option<&CalibrationUsed>, mut repairs: impl Iterator<Item = &'a Outcome>) -> Option<String> {
    let sequences = used?.sequences;
    let some = sequences < Calibration::CHECKED && repairs.any(|outcome| outcome.repair != "none");
    some.then(|| {
        format!(
            "The repair was not checked: the calibration text has {sequences} sequences, and of fewer than {} none is held out.",
            Calibration::CHECKED
        )
    })
}

fn notes(recipe: &Recipe, layers: &[LayerOutcome], head: &[HeadOutcome], ratio: &Ratios) -> Vec<String> {
    let mut notes = Vec::new();
    let mut fell_back = |place: String, outcome: &Outcome| {
        if let (Some(wanted), Some(reason)) = (outcome.fell_back_from, &outcome.reason) {
            notes.push(format!("{place}: {} instead of {wanted}, since {reason}.", outcome.repair));
        }
    };
    for (index, layer) in layers.iter().enumerate() {
        for (unit, done) in [(Unit::Heads, &layer.heads), (Unit::Neurons, &layer.neurons)] {
            let name = unit.name();
            done.producers.iter().for_each(|outcome| fell_back(format!("Layer {index}, producers of {name}"), outcome));
            done.outcome.iter().for_each(|outcome| fell_back(format!("Layer {index}, {name}"), outcome));
        }
    }
    head.iter().for_each(|done| fell_back(format!("Head, {}", done.tensor), &done.outcome));
    if recipe.output.pad && ratio.bytes + 1e-3 < ratio.linear * 0.5 {
        notes.push("Padded units are zeros in place: the logits are exact, but their bytes are not saved.".to_owned());
    }
    notes
}

/// The share of zeros among weights of linear layers, where there are any.
fn zeros(linears: &[LinearOutcome]) -> Option<f64> {
    let all: f64 = linears.iter().map(|linear| linear.shape[0] as f64 * linear.shape[1] as f64).sum();
    let kept: f64 = linears.iter().map(|linear| linear.kept as f64).sum();
    (all > 0.0).then(|| 1.0 - kept / all)
}

/// The figures that go onto the model card.
pub(super) fn card(report: &Report, name: &str) -> Card {
    let repaired = |repair: &RepairRecipe| {
        // What ran: some may have fallen back, and where whole layers go there is nothing to repair.
        let ran: BTreeSet<&str> = repairs(&report.layers, &report.head).map(|outcome| outcome.repair).collect();
        let names: Vec<&str> = REPAIRS.iter().rev().map(|one| one.name()).filter(|name| *name != "none" && ran.contains(name)).collect();
        let aware = if repair.error_aware { ", error-aware" } else { "" };
        match names.is_empty() {
            true => "the rest stayed as it was".to_owned(),
            false => format!("the rest was repaired with {}{aware}", names.join(" and ")),
        }
    };
    let method = match &report.recipe.method {
        Method::Structured(method) => {
            let whole =
                [(Structure::Layers, "layers by their influence"), (Structure::Hidden, "hidden channels by what their readers lose")];
            let mut removed: Vec<String> =
                whole.into_iter().filter(|(structure, _)| method.removes(*structure)).map(|(_, how)| how.to_owned()).collect();
            let inside: Vec<&str> = method.inside().into_iter().map(Unit::name).collect();
            if !inside.is_empty() {
                removed.push(format!(
                    "{} by the criterion {} with {} allocation",
                    inside.join(" and "),
                    method.criterion,
                    method.allocation
                ));
            }
            format!("Removed {}; {}", removed.join(", then "), repaired(&method.repair))
        }
        Method::Sparse(method) => format!(
            "Set single weights to zero by the criterion {} with {} allocation, pattern {}; the rest was updated with {}",
            method.criterion, method.allocation, method.pattern, method.update
        ),
        Method::LowRank(method) => {
            let joint = if method.joint { "; layers that read the same may share a factor" } else { "" };
            let sparse = match method.sparse > 0.0 {
                true => format!("; {:.0} % of what a lowered layer keeps are single weights beside the product", 100.0 * method.sparse),
                false => String::new(),
            };
            let (factorisation, allocation) = (&method.factorisation, &method.allocation);
            format!("Lowered the ranks of weights by the factorisation {factorisation} with {allocation} allocation{joint}{sparse}")
        }
        Method::Plan(method) => format!("Removed what a given plan lists; {}", repaired(&method.repair)),
    };
    let calibration = report.calibration.map(|used| format!("{} sequences, {} tokens", used.sequences, used.tokens));
    let mut card = Card {
        model: name.to_owned(),
        method,
        ratio_asked: report.ratio.asked,
        ratio_of: report.ratio.asked_of.map_or("", Budget::phrase),
        ratio_realised: report.ratio.linear,
        parameters_before: Some(report.before.parameters),
        parameters_after: Some(report.after.parameters),
        bytes_before: Some(report.before.bytes),
        bytes_after: Some(report.after.bytes),
        calibration: calibration.unwrap_or_default(),
        device: format!("{} ({})", report.device.name, report.device.backend),
        seconds: Some(report.seconds.total),
        ..Card::default()
    };
    if let (Some(Measure::Classify(before)), Some(Measure::Classify(after))) = (&report.quality_before, &report.quality_after) {
        card.metric = "accuracy".to_owned();
        card.evaluation = format!("{} labelled sentences", before.examples);
        (card.before, card.after) = (Some(before.accuracy), Some(after.accuracy));
    }
    if let (Some(Measure::Perplexity(before)), Some(Measure::Perplexity(after))) = (&report.quality_before, &report.quality_after) {
        card.metric = "perplexity".to_owned();
        card.evaluation = format!("{} tokens in windows of {}", before.tokens, before.window);
        (card.before, card.after) = (Some(before.perplexity), Some(after.perplexity));
    }
    card
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |share: f64| 100.0 * share;
        writeln!(
            f,
            "Removed {:.1} % of the blocks' linear parameters, {:.1} % of all parameters; saved {:.1} % of the bytes ({} of {} left).",
            percent(self.ratio.linear),
            percent(self.ratio.parameters),
            percent(self.ratio.bytes),
            self.after.bytes,
            self.before.bytes
        )?;
        if let (Some(asked), Some(budget)) = (self.ratio.asked, self.ratio.asked_of.filter(|&budget| budget != Budget::Linear)) {
            let removed = if budget == Budget::Flops { self.ratio.flops } else { self.ratio.latency.unwrap_or(0.0) };
            writeln!(f, "That is {:.1} % of {}, of which {:.1} % were asked for.", percent(removed), budget.phrase(), percent(asked))?;
        }
        for (when, quality) in [("Before", &self.quality_before), ("After", &self.quality_after)] {
            match quality {
                Some(Measure::Classify(quality)) => {
                    let kl = quality.kl.map_or(String::new(), |kl| format!(", KL to the dense model {kl:.4}"));
                    writeln!(f, "{when}: accuracy {:.4} on {} sentences{kl}.", quality.accuracy, quality.examples)?;
                }
                Some(Measure::Perplexity(found)) => {
                    let kl = found.kl.map_or(String::new(), |kl| format!(", KL to the dense model {kl:.4}"));
                    writeln!(
                        f,
                        "{when}: perplexity {:.3} on {} tokens in windows of {}, token accuracy {:.4}{kl}.",
                        found.perplexity, found.tokens, found.window, found.token_accuracy
                    )?;
                }
                Some(Measure::Features { distance: Some(distance), examples }) => {
                    writeln!(
                        f,
                        "{when}: hidden states differ from the dense model's by {distance:.4} (1 - cosine) on {examples} sentences."
                    )?;
                }
                _ => {}
            }
        }
        if !self.close_calls.is_empty() {
            writeln!(f, "{} units were close calls; the report lists them.", self.close_calls.len())?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}
