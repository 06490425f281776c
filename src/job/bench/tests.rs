use super::*;
use crate::base::{CancelToken, ErrorKind, LocalFuture, Phase, Progress};
use crate::calibrate::{Shelf, Shelves};
use crate::checkpoint::{MemorySource, Scratch, Source, folder_of};
use crate::device::Preference;
use crate::fixture;
use crate::job::{Estimate, estimate, prune};
use pollster::block_on;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Scratch that knows how many bytes of it are still in use.
#[derive(Default, Clone)]
struct Watched(Rc<RefCell<Vec<Put>>>);

/// Bytes, and what keeps them.
type Put = (u64, Weak<MemorySource>);

impl Watched {
    fn live(&self) -> u64 {
        self.0.borrow().iter().filter(|(_, source)| source.strong_count() > 0).map(|(bytes, _)| bytes).sum()
    }
}

impl Scratch for Watched {
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>> {
        let length = bytes.len() as u64;
        let source = Rc::new(MemorySource::new(name, bytes));
        self.0.borrow_mut().push((length, Rc::downgrade(&source)));
        Box::pin(async move { Ok(source as Source) })
    }
}

/// A device with what it tells of, and the tiny model on it.
struct Setting {
    device: Device,
    folder: Folder,
    inputs: Inputs,
    run: Run,
    cancel: CancelToken,
    /// Phases that were run to their end.
    ended: Rc<RefCell<Vec<Phase>>>,
    /// Where to cancel.
    stop: Rc<Cell<Option<Phase>>>,
    output: Watched,
    kept: Watched,
}

impl Setting {
    fn new() -> Self {
        let folder = folder_of(&fixture::files(fixture::shape("tiny-llama").unwrap()).unwrap()).unwrap();
        let text = |name: &str| block_on(folder.text(name)).unwrap();
        let inputs = Inputs { calibration: Some(text("calibration.txt")), evaluation: Some(text("valid.txt")), plan: None };
        let cancel = CancelToken::default();
        let device = block_on(Device::open(Preference::Cpu, cancel.clone())).unwrap();
        let (ended, stop) = (Rc::<RefCell<Vec<Phase>>>::default(), Rc::<Cell<Option<Phase>>>::default());
        let (seen, stops, token) = (ended.clone(), stop.clone(), cancel.clone());
        let observer = move |progress: &Progress| {
            if progress.layer.is_none() && progress.fraction == 1.0 {
                seen.borrow_mut().push(progress.phase);
            }
            if stops.get() == Some(progress.phase) {
                token.cancel();
            }
        };
        let run = Run::new(cancel.clone(), Rc::new(observer));
        Self { device, folder, inputs, run, cancel, ended, stop, output: Watched::default(), kept: Watched::default() }
    }

    fn storage(&self) -> Storage {
        let shelf = |limit| Shelf { scratch: Box::new(self.kept.clone()), limit };
        Storage { output: Box::new(self.output.clone()), shelves: Shelves { memory: shelf(u64::MAX), disk: shelf(0) } }
    }

    fn open(&self, recipe: &Recipe) -> Bench {
        block_on(Bench::open(&self.device, &self.folder, recipe, self.inputs.clone(), self.storage())).unwrap()
    }

    fn scratch(&self, recipe: &Recipe) -> Pruned {
        block_on(prune(&self.device, &self.run, &self.folder, recipe, &self.inputs, self.storage())).unwrap()
    }

    fn attempt(&self, bench: &mut Bench, recipe: &Recipe, evaluate: bool) -> Result<Pruned> {
        block_on(bench.attempt(&self.device, &self.run, recipe, evaluate))
    }

    fn needs(&self, recipe: &Recipe) -> Estimate {
        block_on(estimate(&self.device, &self.folder, recipe, &self.inputs, &self.storage().shelves, 0)).unwrap()
    }

    /// How many times a phase was run to its end since the last time that this was asked.
    fn phases(&self) -> [usize; 3] {
        let ended = self.ended.take();
        [Phase::EvaluateDense, Phase::Calibrate, Phase::EvaluatePruned].map(|phase| ended.iter().filter(|one| **one == phase).count())
    }
}

/// A structured recipe with fields of the method in the place of the defaults.
fn recipe(method: Value) -> Recipe {
    let mut whole = json!({
        "version": 1, "calibration": {"sequences": 8, "length": 32}, "output": {"kind": "sliced"},
        "evaluation": {"limit": 200, "window": 32}, "method": {"kind": "structured"}
    });
    let fields = method.as_object().unwrap().clone();
    whole["method"].as_object_mut().unwrap().extend(fields);
    Recipe::from_value(whole).unwrap()
}

/// All bytes of the output but of what tells of times and figures.
fn bytes(pruned: &Pruned) -> Vec<(String, Vec<u8>)> {
    let told = ["report.json", "README.md"];
    let files = pruned.files.iter().filter(|file| !told.contains(&file.name.as_str()));
    let whole = |file| block_on(folder_of(std::slice::from_ref(file)).unwrap().files()[0].read(0..file.len())).unwrap();
    files.map(|file: &crate::checkpoint::OutputFile| (file.name.clone(), whole(file))).collect()
}

fn text(pruned: &Pruned, name: &str) -> String {
    block_on(folder_of(&pruned.files).unwrap().text(name)).unwrap()
}

/// As [`recipe`] says, the plan of another with a neuron of the first layer taken out, and its first head put back.
fn by_hand(pruned: &Pruned) -> Recipe {
    let mut plan = pruned.plan.clone();
    plan.layers[0].neurons.pop();
    if !plan.layers[0].heads.contains(&0) {
        plan.layers[0].heads.insert(0, 0);
    }
    let mut whole = serde_json::to_value(&pruned.report.recipe).unwrap();
    whole["method"] = json!({"kind": "plan", "plan": plan, "reconstruction": "liar"});
    Recipe::from_value(whole).unwrap()
}

#[test]
fn what_a_kept_session_gives_is_what_a_run_from_scratch_gives() {
    let setting = Setting::new();
    let half = recipe(json!({"ratio": 0.5}));
    let mut bench = setting.open(&half);
    let first = setting.attempt(&mut bench, &half, true).unwrap();
    assert_eq!(setting.phases(), [1, 1, 1]);
    let recipes = [
        recipe(json!({"ratio": 0.25})),
        by_hand(&first),
        recipe(json!({"ratio": 0.25, "allocation": "global"})),
        recipe(json!({"ratio": 0.25, "error_aware": true})),
        recipe(json!({"ratio": 0.4, "criterion": "magnitude", "reconstruction": "bias"})),
        half.clone(),
    ];
    let kept: Vec<Pruned> = recipes.iter().map(|recipe| setting.attempt(&mut bench, recipe, false).unwrap()).collect();
    assert_eq!(setting.phases(), [0, 0, 0], "something was computed again that was there");
    assert_eq!(bytes(&kept[5]), bytes(&first));
    for (kept, recipe) in kept.iter().zip(&recipes) {
        let scratch = setting.scratch(recipe);
        assert_eq!(kept.plan, scratch.plan);
        assert!(bytes(kept) == bytes(&scratch), "other bytes: {recipe:?}");
        assert!(kept.report.quality_after.is_none() && scratch.report.quality_after.is_some());
        assert_eq!((&kept.report.layers, &kept.report.scores), (&scratch.report.layers, &scratch.report.scores));
    }
    assert_ne!(kept[0].plan, kept[1].plan);
}

#[test]
fn measuring_adds_the_figures_and_leaves_the_tensors() {
    let setting = Setting::new();
    let half = recipe(json!({"ratio": 0.5}));
    let mut bench = setting.open(&half);
    let tried = setting.attempt(&mut bench, &half, false).unwrap();
    assert_eq!(setting.phases(), [0, 1, 0]);
    assert!(tried.report.quality_before.is_none() && !text(&tried, "report.json").contains("quality_after"));
    let measured = block_on(bench.measure(&setting.device, &setting.run, &tried)).unwrap();
    assert_eq!(setting.phases(), [1, 0, 1]);
    assert_eq!(bytes(&measured), bytes(&tried));
    let whole = setting.attempt(&mut bench, &half, true).unwrap();
    assert_eq!(setting.phases(), [0, 0, 1], "the dense model is measured once");
    assert_eq!((measured.report.quality_before, measured.report.quality_after), (whole.report.quality_before, whole.report.quality_after));
    assert!(text(&measured, "report.json").contains("\"quality_after\""));
    let figures = |pruned: &Pruned| text(pruned, "README.md").lines().find(|line| line.contains("erplexity")).map(str::to_owned);
    assert!(figures(&measured).is_some() && figures(&measured) == figures(&whole) && figures(&tried).is_none());
    let seconds = (tried.report.seconds, measured.report.seconds, whole.report.seconds);
    assert!(seconds.0.evaluate_pruned == 0.0 && seconds.1.evaluate_pruned > 0.0 && seconds.1.calibrate == seconds.0.calibrate);
    assert!(seconds.2.own < seconds.2.total, "what was shared is not this recipe's own");
}

#[test]
fn nothing_piles_up_and_all_of_it_goes_in_the_end() {
    let setting = Setting::new();
    let before = setting.device.ledger().live();
    let mut bench = setting.open(&recipe(json!({"ratio": 0.5})));
    let mut held = None;
    for ratio in [0.5, 0.3, 0.4, 0.2, 0.5] {
        let tried = setting.attempt(&mut bench, &recipe(json!({"ratio": ratio})), false).unwrap();
        assert!(setting.output.live() > 0);
        drop(tried);
        assert_eq!(setting.output.live(), 0, "scratch of a recipe outlived its result");
        let now = (bench.held(), setting.device.ledger().live(), setting.kept.live());
        assert_eq!(*held.get_or_insert(now), now);
    }
    let device = bench.held().device;
    assert!(device > 0 && setting.device.ledger().live() >= before + device);
    drop(bench);
    assert_eq!((setting.device.ledger().live(), setting.kept.live()), (before, 0));
}

#[test]
fn after_a_cancel_another_recipe_can_be_tried() {
    let (setting, half) = (Setting::new(), recipe(json!({"ratio": 0.5})));
    let wanted = bytes(&setting.scratch(&half));
    for phase in [Phase::EvaluateDense, Phase::Calibrate, Phase::Score, Phase::Reconstruct, Phase::EvaluatePruned] {
        let mut setting = Setting::new();
        let mut bench = setting.open(&half);
        setting.stop.set(Some(phase));
        // Scores of this criterion come without a report of their own.
        let result = setting.attempt(&mut bench, &recipe(json!({"ratio": 0.3, "criterion": "osscar"})), true);
        assert_eq!(result.err().map(|error| error.kind()), Some(ErrorKind::Cancelled), "{phase:?}");
        setting.stop.set(None);
        let cancel = CancelToken::default();
        setting.device.watch(cancel.clone());
        let run = Run::new(cancel, Rc::new(|_: &Progress| ()));
        let tried = block_on(bench.attempt(&setting.device, &run, &half, false)).unwrap();
        assert!(bytes(&tried) == wanted, "{phase:?}");
        assert!(setting.cancel.check().is_err());
    }
}

#[test]
fn what_another_recipe_needs_beside_is_collected_then() {
    let setting = Setting::new();
    // The first looks at no text, the second at no Gram matrix.
    let bare = recipe(json!({"ratio": 0.5, "criterion": "magnitude", "reconstruction": "none"}));
    let mut bench = setting.open(&bare);
    setting.attempt(&mut bench, &bare, false).unwrap();
    assert_eq!(setting.phases()[1], 0);
    for (method, passes) in [(json!({"reconstruction": "bias"}), 1), (json!({}), 1), (json!({"reconstruction": "bias"}), 0)] {
        let recipe = recipe(method);
        let tried = setting.attempt(&mut bench, &recipe, false).unwrap();
        assert_eq!(setting.phases()[1], passes);
        assert!(bytes(&tried) == bytes(&setting.scratch(&recipe)));
        setting.phases();
    }
}

#[test]
fn statistics_give_way_to_a_recipe_that_needs_their_room() {
    // Without a comparison, whose room is its own.
    let mut setting = Setting::new();
    setting.inputs.evaluation = None;
    let half = Recipe { evaluation: None, ..recipe(json!({"ratio": 0.5})) };
    let needs = setting.needs(&half);
    let mut bench = setting.open(&half);
    let first = setting.attempt(&mut bench, &half, false).unwrap();
    assert!(bench.held().device > 0 && bench.held().memory == 0);
    setting.phases();
    // Room for the work and for a little of what is kept.
    setting.device.ledger().set_budget(needs.device_bytes - needs.kept.device + 4096);
    let again = setting.attempt(&mut bench, &half, false).unwrap();
    assert_eq!(setting.phases()[1], 1);
    assert!(bench.held().device <= 4096 && bench.held().memory > 0);
    assert!(bytes(&again) == bytes(&first), "a result that depends on where statistics are kept");
    // And where the work itself has none, that is said with the figures, and nothing is lost.
    setting.device.ledger().set_budget(1000);
    let error = setting.attempt(&mut bench, &half, false).err().unwrap();
    assert!(error.kind() == ErrorKind::Budget && error.to_string().contains("MiB"), "{error}");
    setting.device.ledger().set_budget(1 << 30);
    assert!(bytes(&setting.attempt(&mut bench, &half, false).unwrap()) == bytes(&first));
    assert_eq!(setting.phases()[1], 0);
}

#[test]
fn recipes_with_other_texts_are_refused() {
    let setting = Setting::new();
    let half = recipe(json!({"ratio": 0.5}));
    let mut bench = setting.open(&half);
    for (field, change) in [("calibration", json!({"sequences": 4, "length": 32})), ("evaluation", json!({"limit": 100}))] {
        let mut other = serde_json::to_value(&half).unwrap();
        other[field] = change;
        let error = setting.attempt(&mut bench, &Recipe::from_value(other).unwrap(), false).err().unwrap();
        assert!(error.kind() == ErrorKind::Recipe && error.to_string().contains(field), "{error}");
    }
    // A ratio out of reach is one sentence, and the next one works.
    let error = setting.attempt(&mut bench, &recipe(json!({"ratio": 0.999})), false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Recipe);
    setting.attempt(&mut bench, &half, false).unwrap();
}
