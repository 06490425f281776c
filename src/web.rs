//! The wasm surface, thin: what the page's worker calls (www/src/worker/worker.ts), in plain objects and `Blob`s.

mod bench;

use crate::allocate::sparsity::{LAYER_BUDGETS, PATTERNS, ROW_BUDGETS};
use crate::allocate::{ALLOCATIONS, RANK_ALLOCATIONS};
use crate::base::{CancelToken, Error, ErrorKind, Progress, Run, heap_bytes};
use crate::checkpoint::{BlobSource, Folder, OutputFile, Source, clear_leftovers};
use crate::device::{Device, Preference};
use crate::evaluate::{GenerateOptions, Generator};
use crate::export::OUTPUT_KINDS;
use crate::job::{self, Inputs, Pruned, Storage, Task};
use crate::recipe::Recipe;
use crate::reconstruct::REPAIRS;
use crate::reconstruct::weights::WEIGHT_UPDATES;
use crate::score::weights::WEIGHT_CRITERIA;
use crate::score::{CRITERIA, FACTORISATIONS};
use js_sys::{Array, Float32Array, Function, JSON, Object, Promise, Reflect, Uint8Array};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, MessageChannel};

#[wasm_bindgen]
extern "C" {
    /// A model file: its name without folders, and its bytes.
    pub type NamedBlob;
    #[wasm_bindgen(method, getter)]
    fn name(this: &NamedBlob) -> String;
    #[wasm_bindgen(method, getter)]
    fn blob(this: &NamedBlob) -> Blob;

    /// Texts that a recipe refers to.
    pub type Texts;
    #[wasm_bindgen(method, getter)]
    fn calibration(this: &Texts) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn evaluation(this: &Texts) -> Option<String>;

    /// What to evaluate.
    pub type EvaluateOptions;
    #[wasm_bindgen(method, getter)]
    fn task(this: &EvaluateOptions) -> String;
    #[wasm_bindgen(method, getter)]
    fn data(this: &EvaluateOptions) -> String;
    #[wasm_bindgen(method, getter)]
    fn limit(this: &EvaluateOptions) -> Option<u32>;
    #[wasm_bindgen(method, getter)]
    fn window(this: &EvaluateOptions) -> Option<u32>;
    #[wasm_bindgen(method, getter)]
    fn logits(this: &EvaluateOptions) -> Option<bool>;
}

/// The core on one device. One call at a time; `cancel` may come during one.
#[wasm_bindgen]
pub struct Engine {
    /// Absent while a call uses it.
    device: Cell<Option<Device>>,
    info: JsValue,
    cancel: RefCell<CancelToken>,
    /// Texts that are being generated, by the numbers that the caller gave them.
    texts: RefCell<BTreeMap<u32, Generator>>,
    /// Models whose statistics are kept, likewise.
    benches: RefCell<BTreeMap<u32, bench::Kept>>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the device: `auto`, `gpu` or `cpu`; `memory` is how many bytes a run may use on it, where the person says so.
    pub async fn start(device: String, memory: Option<f64>) -> Result<Engine, JsValue> {
        std::panic::set_hook(Box::new(keep_panic));
        let preference = match device.as_str() {
            "auto" => Preference::Auto,
            "gpu" => Preference::Gpu,
            "cpu" => Preference::Cpu,
            other => return Err(thrown(Error::device(format!("The device \"{other}\" does not exist; choose auto, gpu or cpu.")))),
        };
        let device = Device::open(preference, CancelToken::default()).await.map_err(thrown)?;
        if let Some(bytes) = memory {
            device.ledger().set_budget(bytes.max(0.0) as u64);
        }
        clear_leftovers().await;
        let info = plain(&device.info())?;
        Ok(Self {
            device: Cell::new(Some(device)),
            info,
            cancel: RefCell::default(),
            texts: RefCell::default(),
            benches: RefCell::default(),
        })
    }

    /// What runs the work, and why.
    pub fn info(&self) -> JsValue {
        self.info.clone()
    }

    /// Everything that recipes can name.
    pub fn catalog(&self) -> Result<JsValue, JsValue> {
        let layer_budgets = || LAYER_BUDGETS.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), &[]));
        let row_budgets = ROW_BUDGETS.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), &["layer_budgets"]));
        plain(&Catalog {
            criteria: CRITERIA.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), one.options())).collect(),
            allocations: ALLOCATIONS.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), one.options())).collect(),
            reconstructions: REPAIRS.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), one.options())).collect(),
            weight_criteria: WEIGHT_CRITERIA.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), &[])).collect(),
            patterns: PATTERNS
                .iter()
                .map(|one| Choice { share: one.share(), ..Choice::new(one.name, one.title, one.summary, &[]) })
                .collect(),
            sparsity_allocations: layer_budgets().chain(row_budgets).collect(),
            layer_budgets: layer_budgets().collect(),
            updates: WEIGHT_UPDATES.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), &[])).collect(),
            factorisations: FACTORISATIONS.iter().map(|one| Choice::new(one.name(), one.title(), one.summary(), &[])).collect(),
            rank_allocations: RANK_ALLOCATIONS
                .iter()
                .map(|one| Choice::new(one.name(), one.title(), one.summary(), one.options()))
                .collect(),
            outputs: OUTPUT_KINDS
                .iter()
                .map(|one| Choice { methods: one.methods, ..Choice::new(one.name, one.title, one.summary, &[]) })
                .collect(),
        })
    }

    /// What a folder holds, from its headers.
    pub async fn inspect(&self, files: Vec<NamedBlob>) -> Result<JsValue, JsValue> {
        let folder = folder(&files).map_err(thrown)?;
        plain(&job::inspect(&folder).await.map_err(thrown)?)
    }

    /// Prunes a model: `{report, plan, files: [{name, parts}]}`.
    pub async fn prune(&self, files: Vec<NamedBlob>, recipe: JsValue, texts: Texts, on_progress: Function) -> Result<JsValue, JsValue> {
        let (folder, recipe, inputs) = order(&files, &recipe, &texts)?;
        let (device, run) = self.begin(on_progress).map_err(thrown)?;
        let pruned = job::prune(&device, &run, &folder, &recipe, &inputs, Storage::in_browser(&device).await).await;
        self.device.set(Some(device));
        result(&pruned.map_err(thrown)?, &[]).await
    }

    /// What [`Engine::prune`] would need, once what is kept of other recipes is given up.
    pub async fn estimate(&self, files: Vec<NamedBlob>, recipe: JsValue, texts: Texts) -> Result<JsValue, JsValue> {
        let (folder, recipe, inputs) = order(&files, &recipe, &texts)?;
        // An empty `Function` for the progress would be made by evaluating text, which the page's policy forbids.
        let (device, _) = self.take().map_err(thrown)?;
        let found = job::estimate(&device, &folder, &recipe, &inputs, &Storage::in_browser(&device).await.shelves, self.held()).await;
        self.device.set(Some(device));
        plain(&found.map_err(thrown)?)
    }

    /// Evaluates a model: the figures, and `values` with rows of `width` behind them.
    pub async fn evaluate(&self, files: Vec<NamedBlob>, options: EvaluateOptions, on_progress: Function) -> Result<JsValue, JsValue> {
        let task = match options.task().as_str() {
            "classify" => Task::Classify,
            "features" => Task::Features,
            "perplexity" => Task::Perplexity,
            other => {
                let sentence = format!("The task \"{other}\" does not exist; choose classify, features or perplexity.");
                return Err(thrown(Error::recipe(sentence)));
            }
        };
        let folder = folder(&files).map_err(thrown)?;
        let (device, run) = self.begin(on_progress).map_err(thrown)?;
        let scope = job::Scope {
            limit: options.limit().map(|limit| limit as usize),
            window: options.window().map(|window| window as usize),
            logits: options.logits().unwrap_or(false),
        };
        let evaluated = job::evaluate(&device, &run, &folder, task, &options.data(), scope).await;
        self.device.set(Some(device));
        let (evaluation, values, width) = evaluated.map_err(thrown)?;
        let result = plain(&evaluation)?;
        Reflect::set(&result, &"values".into(), &Float32Array::from(values.as_slice()))?;
        Reflect::set(&result, &"width".into(), &JsValue::from_f64(width as f64))?;
        Ok(result)
    }

    /// Brings a model to the device to go on from `prompt`, as text number `id` of the caller's; gives the prompt's tokens.
    /// `options` are those of [`GenerateOptions`].
    pub async fn begin_text(
        &self,
        id: u32,
        files: Vec<NamedBlob>,
        prompt: String,
        options: JsValue,
        on_progress: Function,
    ) -> Result<usize, JsValue> {
        let options = GenerateOptions::parse(&String::from(JSON::stringify(&options)?)).map_err(thrown)?;
        let folder = folder(&files).map_err(thrown)?;
        let (device, run) = self.begin(on_progress).map_err(thrown)?;
        let generator = job::generator(&device, &run, &folder, &prompt, &options).await;
        self.device.set(Some(device));
        let generator = generator.map_err(thrown)?;
        let tokens = generator.prompt_tokens();
        self.texts.borrow_mut().insert(id, generator);
        Ok(tokens)
    }

    /// The next token of a text: `{id, text, seconds}`, with `ending` if it is the last. After an error the text is gone.
    pub async fn next_token(&self, id: u32) -> Result<JsValue, JsValue> {
        let (device, _) = self.take().map_err(thrown)?;
        let generator = self.texts.borrow_mut().remove(&id);
        let Some(mut generator) = generator else {
            self.device.set(Some(device));
            return Err(thrown(lost_text()));
        };
        let token = generator.next(&device).await;
        self.device.set(Some(device));
        let token = token.map_err(thrown)?.ok_or_else(|| thrown(lost_text()))?;
        self.texts.borrow_mut().insert(id, generator);
        plain(&token)
    }

    /// Lets go of a text and of its model.
    pub fn end_text(&self, id: u32) {
        self.texts.borrow_mut().remove(&id);
    }

    /// Stops the call that is under way, at its next check.
    pub fn cancel(&self) {
        self.cancel.borrow().cancel();
    }

    /// Holds the call that is under way at its next check; what it has on the device stays there. It can still be cancelled.
    pub fn pause(&self) {
        self.cancel.borrow().pause();
    }

    /// Lets the call that is under way go on.
    pub fn resume(&self) {
        self.cancel.borrow().resume();
    }
}

/// A message on progress, with what the run holds at that moment.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    progress: &'a Progress,
    device_bytes: u64,
    heap_bytes: Option<u64>,
}

impl Engine {
    /// Takes the device for one call, with a fresh token.
    fn take(&self) -> crate::base::Result<(Device, CancelToken)> {
        let mut device =
            self.device.take().ok_or_else(|| Error::device("The engine is busy with another call; wait for it or cancel it."))?;
        let cancel = CancelToken::default();
        self.cancel.replace(cancel.clone());
        device.watch(cancel.clone());
        Ok((device, cancel))
    }

    /// Takes the device for one call that tells of its progress.
    fn begin(&self, on_progress: Function) -> crate::base::Result<(Device, Run)> {
        let (device, cancel) = self.take()?;
        let ledger = device.ledger().clone();
        let observer = move |progress: &Progress| {
            let told = Told { progress, device_bytes: ledger.live(), heap_bytes: heap_bytes() };
            // A page that cannot be told of progress still gets its result.
            let _ = plain(&told).and_then(|progress| on_progress.call1(&JsValue::NULL, &progress));
        };
        Ok((device, Run::new(cancel, Rc::new(observer))))
    }
}

fn lost_text() -> Error {
    Error::input("This text has ended, or its engine was replaced by another; generate it again.")
}

#[derive(Serialize)]
struct Choice {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    /// Fields of the recipe's method that go with it.
    options: &'static [&'static str],
    /// Kinds of methods that it goes with, where they matter.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    methods: &'static [&'static str],
    /// The ratio that it prescribes.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
}

impl Choice {
    fn new(name: &'static str, title: &'static str, summary: &'static str, options: &'static [&'static str]) -> Self {
        Self { name, title, summary, options, methods: &[], share: None }
    }
}

#[derive(Serialize)]
struct Catalog {
    criteria: Vec<Choice>,
    allocations: Vec<Choice>,
    reconstructions: Vec<Choice>,
    weight_criteria: Vec<Choice>,
    patterns: Vec<Choice>,
    sparsity_allocations: Vec<Choice>,
    layer_budgets: Vec<Choice>,
    updates: Vec<Choice>,
    factorisations: Vec<Choice>,
    rank_allocations: Vec<Choice>,
    outputs: Vec<Choice>,
}

/// What came of a recipe, `{report, plan, files: [{name, parts}]}`, with further fields.
async fn result(pruned: &Pruned, more: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let files = Array::new();
    for file in &pruned.files {
        files.push(&output(file).await?);
    }
    let fields = [("report", plain(&pruned.report)?), ("plan", plain(&pruned.plan)?), ("files", files.into())];
    object(&[&fields[..], more].concat())
}

/// What a run is asked to do.
fn order(files: &[NamedBlob], recipe: &JsValue, texts: &Texts) -> Result<(Folder, Recipe, Inputs), JsValue> {
    let inputs = Inputs { calibration: texts.calibration(), evaluation: texts.evaluation(), plan: None };
    let recipe = Recipe::parse(&String::from(JSON::stringify(recipe)?)).map_err(thrown)?;
    Ok((folder(files).map_err(thrown)?, recipe, inputs))
}

fn folder(files: &[NamedBlob]) -> crate::base::Result<Folder> {
    Folder::new(files.iter().map(|file| Rc::new(BlobSource::new(file.name(), file.blob())) as Source).collect())
}

/// An output file as `{name, parts}`: ranges of the person's own files and of scratch stay references.
async fn output(file: &OutputFile) -> Result<JsValue, JsValue> {
    let parts = Array::new();
    for part in &file.parts {
        let range = &part.range;
        match part.source.as_any().downcast_ref::<BlobSource>() {
            Some(source) => parts.push(&source.blob().slice_with_f64_and_f64(range.start as f64, range.end as f64)?.into()),
            None => parts.push(&Uint8Array::from(part.source.read(range.clone()).await.map_err(thrown)?.as_slice()).into()),
        };
    }
    object(&[("name", file.name.as_str().into()), ("parts", parts.into())])
}

fn object(fields: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &(*name).into(), value)?;
    }
    Ok(object.into())
}

/// A value as JSON would have it, in JavaScript's own objects.
fn plain(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|error| thrown(Error::internal(format_args!("handing a result to the page: {error}"))))
}

/// An error as JavaScript throws it: its sentence, and `kind` to branch on.
fn thrown(error: Error) -> JsValue {
    let kind = match error.kind() {
        ErrorKind::Input => "input",
        ErrorKind::Recipe => "recipe",
        ErrorKind::Device => "device",
        ErrorKind::Budget => "budget",
        ErrorKind::Memory => "memory",
        ErrorKind::Io => "io",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::Internal => "internal",
    };
    let thrown: JsValue = js_sys::Error::new(&error.to_string()).into();
    // Without its kind the sentence still arrives.
    let _ = Reflect::set(&thrown, &"kind".into(), &kind.into());
    thrown
}

/// Leaves the panic's message where the worker finds it when the trap arrives there.
fn keep_panic(info: &std::panic::PanicHookInfo<'_>) {
    console_error_panic_hook::hook(info);
    let _ = Reflect::set(&js_sys::global(), &"coppicePanic".into(), &info.to_string().into());
}

/// Resolves in a new task of the event loop, after the messages that wait there; a promise alone would not let them in.
pub(crate) async fn macrotask() {
    let mut channel = None;
    let promise = Promise::new(&mut |resolve, _| {
        let Ok(made) = MessageChannel::new() else {
            // No turn to give: better to go on without it than to wait for ever.
            let _ = resolve.call0(&JsValue::NULL);
            return;
        };
        made.port1().set_onmessage(Some(&resolve));
        let _ = made.port2().post_message(&JsValue::NULL);
        channel = Some(made);
    });
    let _ = JsFuture::from(promise).await;
    if let Some(channel) = channel {
        channel.port1().close();
    }
}
