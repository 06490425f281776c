//! The runs: inspect a folder, prune it by a recipe, evaluate it.
//!
//! Pruning is `global`: pass 1 over the dense model collects statistics, scores and the allocation make the plan, pass 2
//! repairs and exports layer by layer (docs/ARCHITECTURE.md).

mod estimate;
mod evaluation;
mod generation;
mod inspection;
mod model;
mod repair;
mod report;
mod storage;

pub use estimate::Estimate;
pub use evaluation::{Evaluation, Measure, Scope, Task, evaluate};
pub use generation::{Generated, generate, generator};
pub use inspection::{Inspection, inspect};
pub use model::Model;
pub use report::Report;
pub use storage::Storage;

use crate::allocate::{CloseCall, LayerScores, Plan, Request};
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::calibrate::{Calibration, Needs, Shelves, Statistics, Store, dense_pass};
use crate::checkpoint::{Checkpoint, Folder, OutputFile, folder_of};
use crate::device::Device;
use crate::evaluate::{Size, batch_tokens};
use crate::export::{Artifacts, OutputKind, OutputOptions, assemble, check_plan, check_request};
use crate::forward::HostLayer;
use crate::model::Unit;
use crate::recipe::{Method, Recipe, Structured, needs};
use crate::score::Site;
use crate::text::{CalibrationUsed, calibration_lines, calibration_windows};
use repair::SecondPass;
use report::{Findings, Seconds, Sizes, card};

/// Texts that a recipe refers to, already read.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The calibration text.
    pub calibration: Option<String>,
    /// Labelled data to compare on, before and after.
    pub evaluation: Option<String>,
    /// plan.json, where the recipe names one.
    pub plan: Option<String>,
}

/// What pruning gives.
pub struct Pruned {
    /// The output folder, as parts.
    pub files: Vec<OutputFile>,
    /// Which units stayed.
    pub plan: Plan,
    /// What happened.
    pub report: Report,
}

/// Prunes the model in `folder`. Nothing is written but scratch; the output is a list of parts.
///
/// # Errors
/// The model, the recipe or the texts are not right, the device fails, or the run is cancelled.
pub async fn prune(device: &Device, run: &Run, folder: &Folder, recipe: &Recipe, inputs: &Inputs, storage: Storage) -> Result<Pruned> {
    let started = Instant::now();
    device.ledger().restart();
    run.report(Phase::Open, None, 0, 0.0);
    let Prepared { model, given, evaluation, needs, aware, calibration, used } = Prepared::new(device, folder, recipe, inputs).await?;
    let task = task(device, &model, recipe, needs, aware, used.as_ref(), &evaluation);
    let (room, _) = task.memory().place(free_budget(device), &storage.shelves)?;
    let (scratch, store) = (storage.output.as_ref(), Store::new(room, storage.shelves));
    let mut seconds = Seconds::default();

    let clock = Instant::now();
    let before = evaluation.run(device, run, Phase::EvaluateDense, &model, None).await?;
    seconds.evaluate_dense = clock.elapsed().as_secs_f64();

    // Pass 1 and the plan.
    let clock = Instant::now();
    let statistics = match needs.statistics {
        true => dense_pass(device, run, &model.checkpoint, &model.architecture, &calibration, needs, &store).await?,
        false => Statistics::default(),
    };
    seconds.calibrate = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let (plan, close_calls) = match (&recipe.method, given) {
        (_, Some(plan)) => (plan, Vec::new()),
        (Method::Structured(method), None) => decide(device, run, &model, method, &recipe.output, &statistics).await?,
        (Method::Plan(_), None) => return Err(Error::internal("a plan recipe without its plan")),
    };
    check_plan(&model.architecture, &plan, &recipe.output)?;
    seconds.score = clock.elapsed().as_secs_f64();

    // Pass 2.
    let clock = Instant::now();
    let pass =
        SecondPass { device, run, model: &model, plan: &plan, recipe, calibration: &calibration, statistics: &statistics, store: &store };
    let (changed, outcomes) = if aware { pass.aware(scratch).await? } else { pass.plain(scratch).await? };
    drop(statistics);
    seconds.reconstruct = clock.elapsed().as_secs_f64();

    // The output, laid out once for its size and evaluation, and once more with the report that they go into.
    run.report(Phase::Export, None, 0, 0.0);
    let clock = Instant::now();
    let mut artifacts = Artifacts {
        folder,
        checkpoint: &model.checkpoint,
        architecture: &model.architecture,
        config: &model.config,
        plan: &plan,
        options: &recipe.output,
        changed,
        recipe: text_of(recipe)?,
        plan_json: text_of(&plan)?,
        report: String::new(),
        card: Default::default(),
    };
    let draft = folder_of(&assemble(artifacts.clone(), scratch).await?)?;
    let pruned = Checkpoint::open(&draft).await?;
    seconds.export = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let after = match &before {
        Some(before) => {
            let student = Model::open(&draft).await?;
            evaluation.run(device, run, Phase::EvaluatePruned, &student, Some(&model)).await?.map(|after| after.compared(before))
        }
        None => None,
    };
    seconds.evaluate_pruned = clock.elapsed().as_secs_f64();
    seconds.total = started.elapsed().as_secs_f64();

    let mean_length = used.map_or(0.0, |used: CalibrationUsed| used.tokens as f64 / used.sequences.max(1) as f64);
    let sizes = Sizes {
        before: Size::of(&model.checkpoint, &model.architecture, &Plan::dense(&model.architecture), mean_length),
        after: Size::of(&pruned, &model.architecture, &plan, mean_length),
    };
    let findings = Findings {
        sizes,
        calibration: used,
        layers: outcomes,
        close_calls,
        kept: store.peaks(),
        quality_before: before.map(|before| before.quality()),
        quality_after: after,
        seconds,
    };
    let report = Report::new(device, &model, recipe, &plan, findings);
    artifacts.report = text_of(&report)?;
    artifacts.card = card(&report, &model.architecture.class);
    let files = assemble(artifacts, scratch).await?;
    run.cancel.check()?;
    run.report(Phase::Export, None, 0, 1.0);
    Ok(Pruned { files, plan, report })
}

/// A job whose folder, recipe and texts were read, understood and found to fit together.
struct Prepared {
    model: Model,
    given: Option<Plan>,
    evaluation: evaluation::Prepared,
    needs: Needs,
    aware: bool,
    calibration: Calibration,
    used: Option<CalibrationUsed>,
}

impl Prepared {
    async fn new(device: &Device, folder: &Folder, recipe: &Recipe, inputs: &Inputs) -> Result<Self> {
        let model = Model::open(folder).await?;
        let given = given_plan(recipe, inputs, &model)?;
        check(recipe, &model, given.as_ref())?;
        let evaluation = evaluation::Prepared::new(&model, recipe, inputs).await?;
        let nothing = nothing_to_remove(recipe, &model, given.as_ref());
        let needs = if nothing { Needs::default() } else { needs(&recipe.method)? };
        let aware = recipe.method.repair_recipe().error_aware && !nothing;
        let (calibration, used) = match needs.statistics || aware {
            true => calibration(device, &model, recipe, inputs).await?,
            false => (Calibration::new(&[], 1), None),
        };
        Ok(Self { model, given, evaluation, needs, aware, calibration, used })
    }
}

/// What a run may use of the device beside what is there already (texts that are being generated keep their models there).
fn free_budget(device: &Device) -> u64 {
    device.budget().saturating_sub(device.ledger().live())
}

/// What [`prune`] would need, without doing any of it.
///
/// # Errors
/// As [`prune`], before it starts: the folder, the recipe or the texts are not right, or it cannot fit.
pub async fn estimate(device: &Device, folder: &Folder, recipe: &Recipe, inputs: &Inputs, shelves: &Shelves) -> Result<Estimate> {
    let Prepared { model, evaluation, needs, aware, used, .. } = Prepared::new(device, folder, recipe, inputs).await?;
    Estimate::new(&task(device, &model, recipe, needs, aware, used.as_ref(), &evaluation), shelves).await
}

fn task<'a>(
    device: &'a Device,
    model: &'a Model,
    recipe: &'a Recipe,
    needs: Needs,
    aware: bool,
    used: Option<&CalibrationUsed>,
    evaluation: &evaluation::Prepared,
) -> estimate::Task<'a> {
    let (tokens, length) = used.map_or((0, 0), |used| (used.tokens, used.longest));
    estimate::Task { device, model, recipe, needs, aware, tokens, length, evaluated: evaluation.tokens() }
}

/// Refuses what cannot be done, before any work.
fn check(recipe: &Recipe, model: &Model, given: Option<&Plan>) -> Result<()> {
    match (&recipe.method, given) {
        (Method::Structured(method), _) => {
            if nothing_to_remove(recipe, model, None) {
                return Ok(());
            }
            check_request(&model.architecture, &method.units, &recipe.output)?;
            method.allocation()?.check(&request(model, method, &recipe.output))
        }
        (Method::Plan(_), Some(plan)) => check_plan(&model.architecture, plan, &recipe.output),
        (Method::Plan(_), None) => Ok(()),
    }
}

fn request<'a>(model: &'a Model, method: &'a Structured, output: &OutputOptions) -> Request<'a> {
    let heads_pad = output.pad && !model.architecture.stock_units.contains(&Unit::Heads);
    let stock = output.kind == OutputKind::Stock && !heads_pad;
    Request { architecture: &model.architecture, units: &method.units, ratio: method.ratio, stock }
}

/// A ratio of 0, or a plan that keeps all: everything is copied.
fn nothing_to_remove(recipe: &Recipe, model: &Model, given: Option<&Plan>) -> bool {
    match (&recipe.method, given) {
        (_, Some(plan)) => Unit::ALL.iter().all(|&unit| !plan.removes(unit, &model.architecture)),
        (Method::Structured(method), None) => method.ratio == 0.0,
        (Method::Plan(_), None) => false,
    }
}

/// The plan that the recipe holds or names.
fn given_plan(recipe: &Recipe, inputs: &Inputs, model: &Model) -> Result<Option<Plan>> {
    let Method::Plan(planned) = &recipe.method else { return Ok(None) };
    let text = match (&planned.plan, &inputs.plan) {
        (serde_json::Value::String(path), None) => {
            return Err(Error::recipe(format!(
                "The recipe names the plan {path}, which was not given; put the plan itself into method.plan."
            )));
        }
        (serde_json::Value::String(_), Some(text)) => text.clone(),
        (inline, _) => inline.to_string(),
    };
    Ok(Some(Plan::parse(&text, &model.architecture)?))
}

/// The calibration set, tokenised and packed.
async fn calibration(device: &Device, model: &Model, recipe: &Recipe, inputs: &Inputs) -> Result<(Calibration, Option<CalibrationUsed>)> {
    let text = inputs.calibration.as_deref().ok_or_else(|| {
        Error::recipe("This method looks at what the model computes, so it needs a calibration text; name one in calibration.source.")
    })?;
    let (tokenizer, architecture) = (model.tokenizer().await?, &model.architecture);
    let drawn = match architecture.causal {
        true => calibration_windows(text, &tokenizer, &recipe.calibration, architecture.positions, architecture.bos)?,
        false => calibration_lines(text, &tokenizer, &recipe.calibration, architecture.positions)?,
    };
    Ok((Calibration::new(&drawn.sequences, batch_tokens(device)), Some(drawn.used)))
}

/// Scores and allocation.
async fn decide(
    device: &Device,
    run: &Run,
    model: &Model,
    method: &Structured,
    output: &OutputOptions,
    statistics: &Statistics,
) -> Result<(Plan, Vec<CloseCall>)> {
    if method.ratio == 0.0 {
        return Ok((Plan::dense(&model.architecture), Vec::new()));
    }
    let criterion = method.criterion()?;
    let depth = model.architecture.layers.len();
    let mut scores: Vec<LayerScores> = Vec::with_capacity(depth);
    for (index, layer) in model.architecture.layers.iter().enumerate() {
        run.report(Phase::Score, Some(index), depth, index as f64 / depth as f64);
        device.finish().await?;
        let host = HostLayer::read(&model.checkpoint, layer).await?;
        let mut of_layer: LayerScores = [None, None];
        for &unit in &method.units {
            let site = Site { device, unit, unit_size: layer.unit_size(unit), host: &host, statistics: statistics.site(index, unit) };
            of_layer[unit as usize] = Some(criterion.score(&site).await?);
        }
        scores.push(of_layer);
    }
    method.allocation()?.plan(&request(model, method, output), &scores)
}

fn text_of(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| Error::internal(format_args!("writing JSON: {error}")))
}
