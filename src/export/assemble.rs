//! All files of the output.

use super::card::{self, Card, Facts};
use super::convert::{convert, flatten};
use super::factored::Factors;
use super::names::Names;
use super::narrow::Narrowing;
use super::pad::grow;
use super::widths::{OutputSize, output_size, shapes, written};
use super::{OutputKind, OutputOptions, biases, check_plan, config, copied, loader, output_dtype};
use crate::allocate::Plan;
use crate::base::Result;
use crate::checkpoint::{
    Checkpoint, DEFAULT_SHARD_LIMIT, Data, Folder, OutputFile, OutputTensor, PACKED_FILE, PACKED_KEY, SINGLE, Scratch, lay_out, pack,
};
use crate::model::{Architecture, Config, LAYERS_FIELD};
use std::collections::{BTreeMap, HashMap};

/// The reader that comes along with a packed output.
pub(super) const READER: &str = "coppice_packed.py";
const REPORT: &str = "report.json";
const CARD: &str = "README.md";
const READER_SOURCE: &str = include_str!("loaders/coppice_packed.py");

/// What an output is made of.
#[derive(Debug, Clone)]
pub struct Artifacts<'a> {
    /// The input folder.
    pub folder: &'a Folder,
    /// Its tensors.
    pub checkpoint: &'a Checkpoint,
    /// Its description.
    pub architecture: &'a Architecture,
    /// Its config.
    pub config: &'a Config,
    /// Which units stay.
    pub plan: &'a Plan,
    /// What is written.
    pub options: &'a OutputOptions,
    /// Tensors of pruned layers, from [`super::export_layer`].
    pub changed: Vec<OutputTensor>,
    /// JSON text of the recipe.
    pub recipe: String,
    /// JSON text of the plan.
    pub plan_json: String,
    /// JSON text of the report.
    pub report: String,
    /// What the model card tells.
    pub card: Card,
}

/// The files of the output: config, weights, copies of the tokenizer's files, the loader of a `sliced` output, recipe, plan,
/// report and model card. Tensors that nothing changes are ranges of the input.
///
/// # Errors
/// The output kind cannot express the plan, a value does not fit the output dtype, or reading or scratch fails.
pub async fn assemble(mut artifacts: Artifacts<'_>, scratch: &dyn Scratch) -> Result<Vec<OutputFile>> {
    let Artifacts { folder, checkpoint, architecture, config, plan, options, .. } = artifacts;
    check_plan(architecture, plan, options)?;
    let written = written(architecture, plan, options);
    let mut adapted = config::adapt(architecture, config, &written, options)?;
    let mut changed = std::mem::take(&mut artifacts.changed);
    biases::complete(architecture, checkpoint, &mut adapted, &written, options, &mut changed, scratch).await?;
    let factors = Factors::among(architecture, checkpoint, &changed);
    if options.kind == OutputKind::Factored {
        factors.declare(architecture, &mut adapted)?;
    }
    let mut files = vec![OutputFile::text("config.json", adapted.to_text())];

    let shapes = shapes(architecture, checkpoint, &written);
    let narrowing = Narrowing::of(architecture, checkpoint, plan).await?;
    let names = Names::new(architecture, plan);
    let mut tensors = tensors(checkpoint, changed, options, &names, narrowing.as_ref(), &shapes, scratch).await?;
    tensors.retain(|tensor| !factors.replace(&tensor.name));
    let mut metadata = metadata(checkpoint, &artifacts.recipe);
    if let Some(shapes) = factors.packed() {
        metadata.insert(PACKED_KEY.to_owned(), shapes.to_string());
    }
    let mut limit = DEFAULT_SHARD_LIMIT;
    if options.kind == OutputKind::Packed {
        tensors = packed(tensors, &mut metadata, scratch).await?;
        limit = u64::MAX;
    }
    files.extend(flatten(lay_out(tensors, &metadata, limit)?));
    if options.kind == OutputKind::Packed {
        files.iter_mut().filter(|file| file.name == SINGLE).for_each(|file| file.name = PACKED_FILE.to_owned());
        files.push(OutputFile::text(READER, READER_SOURCE.to_owned()));
    }

    files.extend(copied::files(folder));
    match options.kind {
        OutputKind::Factored => files.push(loader::find(architecture.family)?.factored_file()),
        OutputKind::Stock => {}
        // The shapes of an input that is sliced stay sliced.
        _ if adapted.get(LAYERS_FIELD).is_some() => files.push(loader::find(architecture.family)?.file()),
        _ => {}
    }
    let readme = readme(&artifacts, &factors);
    files.push(OutputFile::text("recipe.json", artifacts.recipe));
    files.push(OutputFile::text("plan.json", artifacts.plan_json));
    files.push(OutputFile::text(REPORT, artifacts.report));
    files.push(OutputFile::text(CARD, readme));
    Ok(files)
}

/// The files of an output that [`assemble`] made of the same artifacts, with the report and the card that they have now: neither
/// says anything among the tensors.
pub fn with_report(mut files: Vec<OutputFile>, artifacts: &Artifacts<'_>) -> Vec<OutputFile> {
    let factors = Factors::among(artifacts.architecture, artifacts.checkpoint, &artifacts.changed);
    for file in &mut files {
        match file.name.as_str() {
            REPORT => *file = OutputFile::text(REPORT, artifacts.report.clone()),
            CARD => *file = OutputFile::text(CARD, readme(artifacts, &factors)),
            _ => {}
        }
    }
    files
}

/// The text of the model card.
fn readme(artifacts: &Artifacts<'_>, factors: &Factors) -> String {
    let Artifacts { folder, checkpoint, architecture, plan, options, .. } = artifacts;
    let facts = Facts {
        architecture,
        options,
        plan,
        written: &written(architecture, plan, options),
        recipe: &artifacts.recipe,
        before: OutputSize { parameters: checkpoint.parameters(), bytes: checkpoint.total_bytes() },
        after: output_size(architecture, checkpoint, plan, options),
        modules: copied::has_modules(folder),
        singles: factors.packed().is_some(),
    };
    card::text(&artifacts.card, &facts)
}

/// The output's tensors in the order of the input, new ones last, under their new names.
async fn tensors(
    checkpoint: &Checkpoint,
    changed: Vec<OutputTensor>,
    options: &OutputOptions,
    names: &Names<'_>,
    narrowing: Option<&Narrowing>,
    shapes: &HashMap<String, Vec<u64>>,
    scratch: &dyn Scratch,
) -> Result<Vec<OutputTensor>> {
    let order: Vec<String> = changed.iter().map(|tensor| tensor.name.clone()).collect();
    let mut changed: HashMap<String, OutputTensor> = changed.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let mut tensors = Vec::new();
    for entry in checkpoint.entries() {
        let Some(name) = names.of(&entry.name) else { continue };
        let dtype = output_dtype(options, entry.dtype);
        let narrow = match narrowing {
            Some(narrowing) if !changed.contains_key(&entry.name) => narrowing.slice(entry, dtype, scratch).await?,
            _ => None,
        };
        let tensor = match changed.remove(&entry.name).or(narrow) {
            Some(tensor) => tensor,
            None => {
                let data =
                    if dtype == entry.dtype { Data::Kept(entry.clone()) } else { Data::Changed(convert(entry, dtype, scratch).await?) };
                OutputTensor { name: entry.name.clone(), dtype, shape: entry.shape.clone(), data }
            }
        };
        tensors.push(OutputTensor { name, ..fit(tensor, shapes, scratch).await? });
    }
    for old in order {
        if let (Some(tensor), Some(name)) = (changed.remove(&old), names.of(&old)) {
            tensors.push(OutputTensor { name, ..fit(tensor, shapes, scratch).await? });
        }
    }
    Ok(tensors)
}

/// Matrices packed wherever that is smaller, and the metadata that says so.
async fn packed(tensors: Vec<OutputTensor>, metadata: &mut BTreeMap<String, String>, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let (mut shapes, mut packed) = (serde_json::Map::new(), Vec::with_capacity(tensors.len()));
    for tensor in tensors {
        match tensor.shape.len() == 2 && tensor.dtype.is_supported_float() {
            true => packed.extend(pack(tensor, &mut shapes, scratch).await?),
            false => packed.push(tensor),
        }
    }
    metadata.insert(PACKED_KEY.to_owned(), serde_json::Value::Object(shapes).to_string());
    Ok(packed)
}

/// A tensor in the shape that is written.
async fn fit(tensor: OutputTensor, shapes: &HashMap<String, Vec<u64>>, scratch: &dyn Scratch) -> Result<OutputTensor> {
    match shapes.get(&tensor.name) {
        Some(shape) if *shape != tensor.shape => grow(tensor, shape, scratch).await,
        _ => Ok(tensor),
    }
}

/// The input's metadata and the recipe, as one line where it is JSON.
fn metadata(checkpoint: &Checkpoint, recipe: &str) -> BTreeMap<String, String> {
    let mut metadata = checkpoint.metadata().clone();
    metadata.entry("format".to_owned()).or_insert_with(|| "pt".to_owned());
    let compact = serde_json::from_str::<serde_json::Value>(recipe).map_or_else(|_| recipe.to_owned(), |value| value.to_string());
    metadata.insert("coppice_recipe".to_owned(), compact);
    metadata
}
