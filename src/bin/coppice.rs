//! The command: the same core and the same recipes as the page.
//!
//! Exit status 0; 1 for a failed job, with one sentence on standard error; 2 for wrong usage.

#[path = "coppice/generate.rs"]
mod generate;
#[path = "coppice/places.rs"]
mod places;
#[path = "coppice/sweep.rs"]
mod sweep;
#[path = "coppice/table.rs"]
mod table;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand, ValueEnum};
use coppice::base::{CancelToken, Error, Phase, Progress, Result, Run};
use coppice::checkpoint::{Folder, OutputFile, check_target, write_folder};
use coppice::device::{Device, Preference};
use coppice::fixture::{self, SHAPES};
use coppice::job::{Inputs, Inspection, Scope, Storage, Task, estimate, evaluate, inspect, prune};
use coppice::recipe::{Method, Recipe};
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

/// Prunes transformer models.
#[derive(Parser)]
#[command(name = "coppice", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says what a model folder holds, from its headers alone.
    Inspect {
        /// Model folder.
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prunes a model by a recipe.
    Prune {
        /// Model folder; it is not modified.
        dir: PathBuf,
        /// Recipe, a JSON file; paths in it are relative to it.
        #[arg(long)]
        recipe: PathBuf,
        /// Folder to write, which must not exist or be empty.
        #[arg(long)]
        out: PathBuf,
        /// Also write the report here.
        #[arg(long)]
        report: Option<PathBuf>,
        #[command(flatten)]
        device: DeviceArguments,
    },
    /// Says what pruning a model by a recipe would need, without doing it.
    Estimate {
        /// Model folder.
        dir: PathBuf,
        /// Recipe, a JSON file; paths in it are relative to it.
        #[arg(long)]
        recipe: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        device: DeviceArguments,
    },
    /// Evaluates a model.
    Eval {
        /// Model folder.
        dir: PathBuf,
        /// What the model is asked to do.
        #[arg(long, value_enum)]
        task: TaskChoice,
        /// Labelled sentences (classify), lines (features) or a text (perplexity).
        #[arg(long)]
        data: PathBuf,
        /// Most examples to use; tokens, for perplexity.
        #[arg(long)]
        limit: Option<usize>,
        /// Tokens in a window (perplexity).
        #[arg(long)]
        window: Option<usize>,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
        /// Also write the logits or hidden states here, as JSON.
        #[arg(long, hide = true)]
        logits: Option<PathBuf>,
        #[command(flatten)]
        device: DeviceArguments,
    },
    /// Goes on from a text with a causal language model.
    Generate(generate::GenerateArguments),
    /// Tries many recipes on a model and writes a table of what they give.
    Sweep(sweep::SweepArguments),
    /// Makes a test checkpoint: a shape with random weights, a tokenizer and texts.
    Fixture {
        /// Its name.
        #[arg(value_parser = PossibleValuesParser::new(SHAPES.map(|shape| shape.name)))]
        name: String,
        /// Folder to write, which must not exist or be empty.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, clap::Args)]
struct DeviceArguments {
    /// Compute device; of several GPUs the one that the environment variable COPPICE_GPU names by its number, from 0.
    #[arg(long, value_enum, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Memory that a run may use on the device, in GiB (2 on a GPU, half of what is free on the CPU).
    #[arg(long, value_name = "GIB", value_parser = gibibytes, allow_negative_numbers = true)]
    memory: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceChoice {
    /// The faster one, by a quick measurement.
    Auto,
    /// The GPU.
    Gpu,
    /// The CPU.
    Cpu,
}

#[derive(Clone, Copy, ValueEnum)]
enum TaskChoice {
    /// Accuracy on labelled sentences.
    Classify,
    /// Last hidden states.
    Features,
    /// Prediction of the next token.
    Perplexity,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match pollster::block_on(execute(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("{error}\n"));
            ExitCode::from(1)
        }
    }
}

async fn execute(command: Command) -> Result<()> {
    match command {
        Command::Inspect { dir, json } => {
            let inspection = inspect(&Folder::open(&dir)?).await?;
            print(&if json { to_json(&inspection)? } else { describe(&inspection) })
        }
        Command::Prune { dir, recipe, out, report, device } => prune_folder(&dir, &recipe, &out, report.as_deref(), device).await,
        Command::Estimate { dir, recipe, json, device } => estimate_folder(&dir, &recipe, json, device).await,
        Command::Eval { dir, task, data, limit, window, json, logits, device } => {
            let folder = Folder::open(&dir)?;
            let text = read_text(&data)?;
            let task = match task {
                TaskChoice::Classify => Task::Classify,
                TaskChoice::Features => Task::Features,
                TaskChoice::Perplexity => Task::Perplexity,
            };
            let (cancel, run) = run();
            let device = open_device(device, cancel).await?;
            let scope = Scope { limit, window, logits: logits.is_some() };
            let (evaluation, values, cols) = evaluate(&device, &run, &folder, task, &text, scope).await?;
            if let Some(path) = logits {
                let rows = values.len() / cols.max(1);
                write_text(&path, &to_json(&serde_json::json!({ "rows": rows, "cols": cols, "logits": values }))?)?;
            }
            let line = to_json(&evaluation)?;
            print(&if json { line } else { plain(&line) })
        }
        Command::Generate(arguments) => generate::execute(arguments).await,
        Command::Sweep(arguments) => sweep::execute(arguments).await,
        Command::Fixture { name, out } => {
            let files = fixture::files(fixture::shape(&name)?)?;
            write_folder(&files, &out).await?;
            let bytes: u64 = files.iter().map(OutputFile::len).sum();
            print(&format!("{name} ({bytes} bytes) written to {}.", out.display()))
        }
    }
}

/// A recipe with the texts that it names, and the files that all of this was read from.
fn read_recipe(recipe_path: &Path) -> Result<(Recipe, Inputs, Vec<PathBuf>)> {
    let recipe = Recipe::parse(&read_text(recipe_path)?)?;
    let base = recipe_path.parent().unwrap_or(Path::new(""));
    let mut paths = vec![recipe_path.to_owned()];
    let mut read = |path: Option<&str>| -> Result<Option<String>> {
        let Some(path) = path.map(|path| base.join(path)) else { return Ok(None) };
        let text = read_text(&path)?;
        paths.push(path);
        Ok(Some(text))
    };
    let plan = match &recipe.method {
        Method::Plan(planned) => planned.plan.as_str(),
        _ => None,
    };
    let inputs = Inputs {
        calibration: read(recipe.calibration.source.as_deref())?,
        evaluation: read(recipe.evaluation.as_ref().and_then(|options| options.source.as_deref()))?,
        plan: read(plan)?,
    };
    Ok((recipe, inputs, paths))
}

async fn estimate_folder(dir: &Path, recipe: &Path, json: bool, device: DeviceArguments) -> Result<()> {
    let folder = Folder::open(dir)?;
    let (recipe, inputs, _) = read_recipe(recipe)?;
    let device = open_device(device, CancelToken::default()).await?;
    let found = estimate(&device, &folder, &recipe, &inputs, &Storage::limits(&device), 0).await?;
    print(&if json { to_json(&found)? } else { found.to_string() })
}

async fn prune_folder(dir: &Path, recipe_path: &Path, out: &Path, report: Option<&Path>, device: DeviceArguments) -> Result<()> {
    let folder = Folder::open(dir)?;
    places::check_out(out, dir)?;
    check_target(out)?;
    let (recipe, inputs, read) = read_recipe(recipe_path)?;
    if let Some(report) = report {
        places::check_report(report, dir, out, &read)?;
    }
    let (cancel, run) = run();
    let device = open_device(device, cancel).await?;
    // Beside the output, so that it lies on a disk that has room for it; the output's parents may be still to be made.
    let path = std::path::absolute(out).map_err(|error| Error::io(format!("{} is no path for an output ({error}).", out.display())))?;
    let parent = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let storage = Storage::in_folder(parent, &device)?;
    let pruned = prune(&device, &run, &folder, &recipe, &inputs, storage).await?;
    write_folder(&pruned.files, out).await?;
    let text = to_json(&pruned.report)?;
    if let Some(path) = report {
        write_text(path, &text)?;
    }
    print(&format!("{}Written to {}.", pruned.report, out.display()))
}

/// A run that shows its progress on a terminal and stops on Ctrl-C through the default action: scratch is a temporary file.
fn run() -> (CancelToken, Run) {
    let cancel = CancelToken::default();
    if !std::io::stderr().is_terminal() {
        return (cancel.clone(), Run::new(cancel, Rc::new(|_| {})));
    }
    let last: Cell<Option<Phase>> = Cell::new(None);
    let show = move |progress: &Progress| {
        let layer = progress.layer.map_or(String::new(), |layer| format!(", layer {} of {}", layer + 1, progress.layers));
        let new_line = if last.replace(Some(progress.phase)).is_some_and(|phase| phase != progress.phase) { "\n" } else { "\r" };
        tell(&format!("{new_line}{:?}{layer}: {:3.0} % ", progress.phase, 100.0 * progress.fraction));
    };
    (cancel.clone(), Run::new(cancel, Rc::new(show)))
}

/// Makes room for other output where a run may have left its progress.
fn clear_progress() {
    if std::io::stderr().is_terminal() {
        tell("\r\x1b[K");
    }
}

/// Writes to standard error, at once; where that fails there is nobody to be told, and the work goes on.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A number of GiB as bytes.
fn gibibytes(text: &str) -> std::result::Result<u64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 65_536.0 => Ok((number * (1u64 << 30) as f64) as u64),
        _ => Err("give a number of GiB above 0, such as 4 or 0.5".to_owned()),
    }
}

async fn open_device(chosen: DeviceArguments, cancel: CancelToken) -> Result<Device> {
    let preference = match chosen.device {
        DeviceChoice::Auto => Preference::Auto,
        DeviceChoice::Gpu => Preference::Gpu,
        DeviceChoice::Cpu => Preference::Cpu,
    };
    let device = Device::open(preference, cancel).await?;
    if let Some(bytes) = chosen.memory {
        device.ledger().set_budget(bytes);
    }
    let info = device.info();
    tell(&format!("Runs on the {} ({}, {}): {}.\n", info.kind, info.name, info.backend, info.why));
    Ok(device)
}

fn describe(inspection: &Inspection) -> String {
    let first = inspection.layers.first();
    let uniform = inspection.layers.iter().all(|layer| Some(layer) == first);
    let units = match (first, uniform) {
        (Some(units), true) => format!("{} heads of {} and {} neurons each", units.heads, inspection.head_dim, units.neurons),
        _ => "of different widths".to_owned(),
    };
    let dtypes: Vec<&str> = inspection.dtypes.keys().copied().collect();
    let recommended = &inspection.recommended;
    format!(
        "{} ({}), {} layers, {units}\nhidden {}, vocabulary {}, positions {}\n{} parameters ({} in the blocks' linear layers), {} bytes, {}\nA stock config can have fewer {}.\nTo try first: criterion {}, reconstruction {}{}, {} calibration sequences of {} tokens.",
        inspection.class,
        inspection.family,
        inspection.layers.len(),
        inspection.hidden,
        inspection.vocabulary,
        inspection.positions,
        inspection.parameters,
        inspection.linear_parameters,
        inspection.bytes,
        dtypes.join(", "),
        inspection.stock_units.join(", "),
        recommended.method.criterion,
        recommended.method.repair.reconstruction,
        if recommended.method.repair.error_aware { ", error-aware" } else { "" },
        recommended.sequences,
        recommended.length,
    )
}

/// `{"a":1,"b":2}` as `a 1, b 2`.
fn plain(line: &str) -> String {
    line.trim_matches(['{', '}', '\n']).replace('"', "").replace(':', " ").replace(',', ", ")
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format_args!("writing JSON: {error}")))
}

/// Prints a line; a closed pipe is no error.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io(format!("Standard output could not be written ({error}).")))
        }
        _ => Ok(()),
    }
}

fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::input(format!("{} could not be read ({error}).", path.display())))?;
    String::from_utf8(bytes).map_err(|_| Error::input(format!("{} is not UTF-8 text; save it as UTF-8.", path.display())))
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Error::io(format!("{} could not be written ({error}).", path.display())))
}
