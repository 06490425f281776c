//! `coppice sweep`.

use crate::table::{Table, beside};
use crate::{DeviceArguments, clear_progress, open_device, places, print, read_text, tell};
use coppice::base::{CancelToken, Error, Progress, Result, Run};
use coppice::checkpoint::Folder;
use coppice::job::{Event, Inputs, Measure, Named, Row, Storage, Sweep, recipes};
use coppice::recipe::{Method, Recipe};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[derive(clap::Args)]
pub(crate) struct SweepArguments {
    /// Model folder; it is not modified.
    dir: PathBuf,
    /// Recipes, a JSON file: an array of recipes, or {"base": recipe, "vary": {path: [values]}}; paths in it are relative to it.
    #[arg(long)]
    recipes: PathBuf,
    /// Table to write, a .csv; whole reports go into a .json beside it. Rows that are there already are not run again.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceArguments,
}

/// Runs the recipes whose rows are not there yet.
pub(crate) async fn execute(arguments: SweepArguments) -> Result<()> {
    let SweepArguments { dir, recipes: file, out, device } = arguments;
    let folder = Folder::open(&dir)?;
    let base = file.parent().unwrap_or(Path::new(""));
    let (named, read) = read_recipes(&file, base)?;
    for path in [&out, &beside(&out)?] {
        places::check_file("table", path, &dir, &read)?;
    }
    let mut table = Table::open(&out)?;
    let known = table.keys().clone();
    let inputs = |recipe: &Recipe| {
        let text = |path: Option<&str>| path.map(|path| read_text(&base.join(path))).transpose();
        let (calibration, evaluation) = sources(recipe);
        Ok(Inputs { calibration: text(calibration)?, evaluation: text(evaluation)?, plan: None })
    };
    let shown = Rc::new(RefCell::new(String::new()));
    let (cancel, run) = run(shown.clone());
    let device = open_device(device, cancel).await?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let storage = || Storage::in_folder(parent, &device);
    let (mut failed, mut added) = (0, 0);
    let mut watch = |event: Event<'_>| {
        match event {
            Event::Begins { index, count, name } => *shown.borrow_mut() = format!("{} of {count}, {name}", index + 1),
            Event::Done(row) => {
                table.add(&row)?;
                clear_progress();
                tell(&format!("{}: {}\n", shown.borrow(), summary(&row)));
                added += 1;
                failed += usize::from(row.error.is_some());
            }
        }
        Ok(())
    };
    let sweep = Sweep { recipes: &named, inputs: &inputs, storage: &storage, known: &known };
    sweep.run(&device, &run, &folder, &mut watch).await?;
    print(&format!(
        "{added} rows written to {}, {failed} of them with an error; {} were there already.",
        out.display(),
        named.len() - added
    ))
}

/// The recipes, with the plans that they name put into them, and the files that they and their texts are read from.
fn read_recipes(file: &Path, base: &Path) -> Result<(Vec<Named>, Vec<PathBuf>)> {
    let mut named = recipes(&read_text(file)?)?;
    let mut read = BTreeSet::from([file.to_owned()]);
    for (index, Named { name, recipe }) in named.iter_mut().enumerate() {
        let (calibration, evaluation) = sources(recipe);
        read.extend([calibration, evaluation].into_iter().flatten().map(|path| base.join(path)));
        if let Method::Plan(planned) = &mut recipe.method
            && let Value::String(path) = &planned.plan
        {
            let path = base.join(path);
            let plan = read_text(&path)?;
            planned.plan = serde_json::from_str(&plan).map_err(|error| {
                Error::recipe(format!("Recipe {} ({name}): the plan {} is not valid JSON ({error}).", index + 1, path.display()))
            })?;
            read.insert(path);
        }
    }
    Ok((named, read.into_iter().collect()))
}

/// Paths of the texts that a recipe names: for calibration and for evaluation.
fn sources(recipe: &Recipe) -> (Option<&str>, Option<&str>) {
    (recipe.calibration.source.as_deref(), recipe.evaluation.as_ref().and_then(|evaluation| evaluation.source.as_deref()))
}

/// A run that shows on a terminal which recipe it is at, and how far; Ctrl-C ends the process, and the rows that are there stay.
fn run(shown: Rc<RefCell<String>>) -> (CancelToken, Run) {
    let cancel = CancelToken::default();
    let terminal = std::io::stderr().is_terminal();
    let show = move |progress: &Progress| {
        if terminal {
            clear_progress();
            tell(&format!("{}: {:?} {:3.0} % ", shown.borrow(), progress.phase, 100.0 * progress.fraction));
        }
    };
    (cancel.clone(), Run::new(cancel, Rc::new(show)))
}

/// A row in a few words.
fn summary(row: &Row) -> String {
    let Some(report) = &row.report else { return row.error.clone().unwrap_or_default() };
    let quality = match report.quality_after {
        Some(Measure::Classify(quality)) => format!(", accuracy {:.4}", quality.accuracy),
        Some(Measure::Perplexity(found)) => format!(", perplexity {:.3}", found.perplexity),
        _ => String::new(),
    };
    format!("{:.1} % removed{quality}, {:.1} s", 100.0 * report.ratio.linear, report.seconds.total)
}
