//! The runs: inspect a folder, prune it by a recipe, evaluate it.
//!
//! Pruning is `global`: pass 1 over the dense model collects statistics, scores and the allocation make the plan, pass 2
//! repairs and exports layer by layer (docs/ARCHITECTURE.md).

mod bench;
mod changes;
mod estimate;
mod evaluation;
mod generation;
mod inspection;
mod low_rank;
mod model;
mod narrow;
mod narrow_head;
mod repair;
mod report;
mod session;
mod sparse;
mod storage;
mod sweep;
mod targets;
mod text;

pub use bench::Bench;
pub use estimate::{Estimate, Steps};
pub use evaluation::{Evaluation, Measure, Scope, Task, evaluate};
pub use generation::{Generated, generate, generator};
pub use inspection::{Inspection, inspect};
pub use model::Model;
pub use report::Report;
pub use session::Session;
pub use storage::Storage;
pub use sweep::{Event, Named, Row, Sweep, Watch, recipes};

use crate::allocate::{Cut, Plan};
use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::{Calibration, Shelves};
use crate::checkpoint::{Folder, OutputFile, OutputTensor};
use crate::device::Device;
use crate::evaluate::batch_tokens;
use crate::export::{OutputKind, OutputOptions, check_plan, check_ranks, check_request, check_tensors, check_widths, check_zeros};
use crate::forward::Loss;
use crate::model::{Head, Layer, Structure, Unit};
use crate::recipe::{Method, Recipe, Structured};
use crate::text::{CalibrationUsed, calibration_lines, calibration_windows, classes};
use session::Order;
use text::text_of;

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
    /// Tensors of the files that are not the input's, for writing the report anew.
    changed: Vec<OutputTensor>,
}

/// Prunes the model in `folder`. Nothing is written but scratch; the output is a list of parts.
///
/// # Errors
/// The model, the recipe or the texts are not right, the device fails, or the run is cancelled.
pub async fn prune(device: &Device, run: &Run, folder: &Folder, recipe: &Recipe, inputs: &Inputs, storage: Storage) -> Result<Pruned> {
    run.report(Phase::Open, None, 0, 0.0);
    let mut session = Session::open(device, folder, std::slice::from_ref(recipe), inputs, storage).await?;
    session.prune(device, run, recipe, inputs.plan.as_deref()).await
}

/// What a run may use of the device beside what is there already (texts that are being generated keep their models there).
fn free_budget(device: &Device) -> u64 {
    device.budget().saturating_sub(device.ledger().live())
}

/// What [`prune`] would need, without doing any of it, once `freed` bytes that are in use on the device are not any more.
///
/// # Errors
/// As [`prune`], before it starts: the folder, the recipe or the texts are not right, or it cannot fit.
pub async fn estimate(
    device: &Device,
    folder: &Folder,
    recipe: &Recipe,
    inputs: &Inputs,
    shelves: &Shelves,
    freed: u64,
) -> Result<Estimate> {
    let model = Model::open(folder).await?;
    let order = Order::new(&model, recipe, inputs.plan.as_deref())?;
    let evaluation = evaluation::Prepared::new(device, &model, recipe, inputs).await?;
    let used = match order.reads_text() {
        true => Some(calibration(device, &model, recipe, inputs, order.needs.labels).await?.1),
        false => None,
    };
    order.check_length(&model, recipe, used.as_ref())?;
    let task = estimate::Task::new(device, &model, recipe, &order, used.as_ref(), &evaluation);
    Estimate::new(&task, inputs, shelves, free_budget(device) + freed).await
}

/// Refuses what cannot be done, before any work.
fn check(recipe: &Recipe, model: &Model, given: Option<&Plan>) -> Result<()> {
    if model.architecture.layers.iter().any(Layer::is_factored) {
        return Err(Error::input(
            "The layers of this model are factored; Coppice measures and runs such a model, but prunes only what it was made from, or its \"dense\" output.",
        ));
    }
    match (&recipe.method, given) {
        (Method::Structured(method), _) => {
            if nothing_to_remove(recipe, model, None) {
                return Ok(());
            }
            let allocation = method.allocation()?;
            let uneven = allocation.uneven().then(|| allocation.name());
            check_request(&model.architecture, &method.units, uneven, &recipe.output)?;
            if method.removes(Structure::Hidden) {
                check_tensors(&model.architecture, &model.checkpoint)?;
            }
            if method.criterion()?.needs().gradients {
                Loss::check(&model.architecture)?;
            }
            cut(model, method, &recipe.output, None)?.check()
        }
        (_, Some(plan)) => {
            check_widths(&recipe.output)?;
            if plan.kept_hidden(&model.architecture).is_some() {
                check_tensors(&model.architecture, &model.checkpoint)?;
            }
            check_plan(&model.architecture, plan, &recipe.output)
        }
        (Method::Sparse(method), None) => {
            check_zeros(&recipe.output)?;
            sparse::check(&model.architecture, method)
        }
        (Method::LowRank(_), None) => check_ranks(&recipe.output),
        (_, None) => Ok(()),
    }
}

fn cut<'a>(model: &'a Model, method: &'a Structured, output: &OutputOptions, used: Option<&CalibrationUsed>) -> Result<Cut<'a>> {
    let heads_pad = output.pad && !model.architecture.stock_units.contains(&Unit::Heads);
    Ok(Cut {
        architecture: &model.architecture,
        structures: &method.units,
        allocation: method.allocation()?,
        ratio: method.ratio,
        floor: method.sharing.floor,
        stock: output.kind == OutputKind::Stock && !heads_pad,
        length: used.map(CalibrationUsed::mean_length),
    })
}

/// A ratio of 0, or a plan that keeps all: everything is copied.
fn nothing_to_remove(recipe: &Recipe, model: &Model, given: Option<&Plan>) -> bool {
    match (&recipe.method, given) {
        (_, Some(plan)) => plan.keeps_all(&model.architecture),
        (method, None) => method.ratio() == Some(0.0),
    }
}

/// Whether channels of the residual stream may go.
fn narrows(recipe: &Recipe, model: &Model, given: Option<&Plan>) -> bool {
    match (&recipe.method, given) {
        (_, Some(plan)) => plan.kept_hidden(&model.architecture).is_some(),
        (Method::Structured(method), None) => method.removes(Structure::Hidden),
        (_, None) => false,
    }
}

/// Whether layers that stay lose anything: where whole layers go, nothing is left to repair.
fn leaves_repairs(recipe: &Recipe, model: &Model, given: Option<&Plan>) -> bool {
    match (&recipe.method, given) {
        (_, Some(plan)) => narrows(recipe, model, given) || Unit::ALL.iter().any(|&unit| plan.removes(unit, &model.architecture)),
        (Method::Structured(method), None) => narrows(recipe, model, given) || !method.inside().is_empty(),
        (_, None) => true,
    }
}

/// The plan that the recipe holds or names.
fn given_plan(recipe: &Recipe, plan: Option<&str>, model: &Model) -> Result<Option<Plan>> {
    let Method::Plan(planned) = &recipe.method else { return Ok(None) };
    let text = match (&planned.plan, plan) {
        (serde_json::Value::String(path), None) => {
            return Err(Error::recipe(format!(
                "The recipe names the plan {path}, which was not given; put the plan itself into method.plan."
            )));
        }
        (serde_json::Value::String(_), Some(text)) => text.to_owned(),
        (inline, _) => inline.to_string(),
    };
    Ok(Some(Plan::parse(&text, &model.architecture)?))
}

/// The calibration set, tokenised and packed; for a classifier with the classes that its text names, if `labels` are wanted.
async fn calibration(
    device: &Device,
    model: &Model,
    recipe: &Recipe,
    inputs: &Inputs,
    labels: bool,
) -> Result<(Calibration, CalibrationUsed)> {
    let text = inputs.calibration.as_deref().ok_or_else(no_calibration)?;
    let (tokenizer, architecture) = (model.tokenizer().await?, &model.architecture);
    let drawn = match architecture.causal {
        true => {
            calibration_windows(text, &tokenizer, &recipe.calibration, architecture.positions, architecture.bos, device.cancel()).await?
        }
        false => calibration_lines(text, &tokenizer, &recipe.calibration, architecture.positions, &model.config.label_names())?,
    };
    let classifies = matches!(architecture.head, Head::Classifier { .. });
    let labels = match drawn.labels.filter(|_| labels && classifies) {
        Some(labels) => Some(classes(&labels, &model.config.label_names())?),
        None => None,
    };
    Ok((Calibration { labels, ..Calibration::new(&drawn.sequences, batch_tokens(device)) }, drawn.used))
}

fn no_calibration() -> Error {
    Error::recipe("This method looks at what the model computes, so it needs a calibration text; name one in calibration.source.")
}
