//! The command as a person uses it: exit statuses, sentences, outputs, and inputs that stay as they are.

#![allow(clippy::expect_used, reason = "a test that cannot set itself up has failed")]

#[path = "command/sweep.rs"]
mod sweep;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/models/bert-sst2");

fn coppice(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coppice")).args(arguments).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with a few calibration and evaluation sentences, and a recipe that is `method` and `output`.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/www/data/sst2-train.tsv")).expect("the training sentences");
        let lines = |from: usize, count: usize| data.lines().skip(from).take(count).map(|line| format!("{line}\n")).collect::<String>();
        std::fs::write(folder.path().join("train.tsv"), lines(0, 24)).expect("written");
        std::fs::write(folder.path().join("dev.tsv"), lines(100, 8)).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn recipe(&self, method: &str, output: &str) -> String {
        let recipe = format!(
            r#"{{"version": 1, "calibration": {{"source": "train.tsv", "sequences": 16, "length": 32}}, "method": {method}, "output": {output},
                "evaluation": {{"source": "dev.tsv"}}}}"#
        );
        let path = self.path("recipe.json");
        std::fs::write(&path, recipe).expect("written");
        path
    }

    fn prune(&self, model: &str, method: &str, output: &str) -> Output {
        let (recipe, out) = (self.recipe(method, output), self.path("out"));
        coppice(&["prune", model, "--recipe", &recipe, "--out", &out, "--device", "cpu"])
    }

    /// Runs a job that must fail with one sentence that holds `words`, and must leave no output.
    fn refused(&self, model: &str, method: &str, output: &str, words: &[&str]) {
        let done = self.prune(model, method, output);
        let message = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{message}");
        let sentence = message.lines().last().unwrap_or_default();
        for word in words {
            assert!(sentence.contains(word), "no {word:?} in {sentence:?}");
        }
        assert!(sentence.ends_with('.'), "{sentence:?} is no sentence");
        assert!(!Path::new(&self.path("out")).exists(), "an output was left");
        let left: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
        assert!(left.iter().all(|path| !path.to_string_lossy().contains("coppice")), "scratch was left: {left:?}");
    }

    /// A copy of the demo model's folder in which one file is changed.
    fn broken(&self, name: &str, change: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> String {
        self.broken_copy(MODEL, name, change)
    }

    fn broken_copy(&self, model: &str, name: &str, change: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> String {
        let copy = self.folder.path().join("model");
        let _ = std::fs::remove_dir_all(&copy);
        std::fs::create_dir(&copy).expect("made");
        for entry in std::fs::read_dir(model).expect("listed") {
            let entry = entry.expect("an entry");
            let bytes = std::fs::read(entry.path()).expect("read");
            let bytes = if entry.file_name() == name { change(bytes) } else { Some(bytes) };
            if let Some(bytes) = bytes {
                std::fs::write(copy.join(entry.file_name()), bytes).expect("written");
            }
        }
        copy.display().to_string()
    }
}

const NEURONS: &str = r#"{"kind": "structured", "units": ["neurons"], "ratio": 0.3, "reconstruction": "bias"}"#;
const STOCK: &str = r#"{"kind": "stock"}"#;

#[test]
fn inspection_tells_what_a_folder_holds() {
    let done = coppice(&["inspect", MODEL, "--json"]);
    assert!(done.status.success());
    let found: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!((&found["hidden"], &found["layers"][0]["heads"], &found["layers"][5]["neurons"]), (&384.into(), &12.into(), &1536.into()));
    assert_eq!(found["labels"][1], "positive");
}

#[test]
fn wrong_usage_is_status_two() {
    assert_eq!(coppice(&["prune", MODEL]).status.code(), Some(2));
    assert_eq!(coppice(&["grow", MODEL]).status.code(), Some(2));
}

#[test]
fn a_job_writes_a_whole_folder_and_leaves_its_input() {
    let bench = Bench::new();
    let before = std::fs::read(format!("{MODEL}/model.safetensors")).expect("read");
    let done = bench.prune(MODEL, NEURONS, STOCK);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "recipe.json",
        "plan.json",
        "report.json",
        "README.md",
    ] {
        assert!(Path::new(&bench.path("out")).join(name).is_file(), "no {name}");
    }
    assert!(before == std::fs::read(format!("{MODEL}/model.safetensors")).expect("read"), "the input changed");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(bench.path("out/report.json")).expect("read")).expect("JSON");
    let realised = report["ratio"]["linear"].as_f64().expect("a ratio");
    assert!((realised - 0.3).abs() <= 0.005, "realised {realised}");
    let files = std::fs::metadata(bench.path("out/model.safetensors")).expect("written").len();
    assert!(files < before.len() as u64 && report["after"]["bytes"].as_u64().expect("bytes") <= files);
    // The output is a model again, and a second run into it is refused.
    assert!(coppice(&["inspect", &bench.path("out")]).status.success());
    let again = bench.prune(MODEL, NEURONS, STOCK);
    assert_eq!(again.status.code(), Some(1));
}

#[test]
fn the_plan_of_a_job_reproduces_it() {
    let bench = Bench::new();
    assert!(bench.prune(MODEL, NEURONS, STOCK).status.success());
    let first = std::fs::read(bench.path("out/model.safetensors")).expect("read");
    std::fs::copy(bench.path("out/plan.json"), bench.path("plan.json")).expect("copied");
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
    let done = bench.prune(MODEL, r#"{"kind": "plan", "plan": "plan.json", "reconstruction": "bias"}"#, STOCK);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let second = std::fs::read(bench.path("out/model.safetensors")).expect("read");
    let tensors = |bytes: &[u8]| bytes[8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize..].to_vec();
    assert!(tensors(&first) == tensors(&second), "the same plan gave other tensors");
}

#[test]
fn another_dtype_holds_for_every_tensor() {
    let bench = Bench::new();
    let method = r#"{"kind": "structured", "units": ["heads", "neurons"], "ratio": 0.3, "reconstruction": "none"}"#;
    for (dtype, expected) in [("f32", safetensors::Dtype::F32), ("bf16", safetensors::Dtype::BF16)] {
        let done = bench.prune(MODEL, method, &format!(r#"{{"kind": "sliced", "dtype": "{dtype}"}}"#));
        assert!(done.status.success(), "{}", text(&done.stderr));
        let bytes = std::fs::read(bench.path("out/model.safetensors")).expect("read");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("read");
        assert!(file.tensors().iter().all(|(_, tensor)| tensor.dtype() == expected), "not all of {dtype}");
        std::fs::remove_dir_all(bench.path("out")).expect("removed");
    }
}

#[test]
fn ratio_zero_gives_back_every_byte() {
    let bench = Bench::new();
    let done = bench.prune(MODEL, r#"{"kind": "structured", "ratio": 0}"#, STOCK);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let (before, after) = (
        std::fs::read(format!("{MODEL}/model.safetensors")).expect("read"),
        std::fs::read(bench.path("out/model.safetensors")).expect("read"),
    );
    let (before, after) =
        (safetensors::SafeTensors::deserialize(&before).expect("read"), safetensors::SafeTensors::deserialize(&after).expect("read"));
    assert_eq!(before.names().len(), after.names().len());
    for (name, tensor) in before.tensors() {
        let other = after.tensor(&name).expect("the tensor");
        assert!((tensor.dtype(), tensor.shape(), tensor.data()) == (other.dtype(), other.shape(), other.data()), "{name} changed");
    }
}

#[test]
fn requests_that_cannot_be_met_are_refused_with_a_way_out() {
    let bench = Bench::new();
    let method = |units: &str, ratio: &str| format!(r#"{{"kind": "structured", "units": {units}, "ratio": {ratio}}}"#);
    bench.refused(MODEL, &method(r#"["heads", "neurons"]"#, "0.5"), STOCK, &["heads", "sliced", "pad"]);
    bench.refused(MODEL, &method(r#"["neurons"]"#, "0.9"), STOCK, &["0.9", "nearest"]);
    bench.refused(MODEL, &method(r#"["heads"]"#, "0.51"), r#"{"kind": "sliced"}"#, &["heads", "nearest"]);
    bench.refused(MODEL, &method(r#"["layers"]"#, "0.25"), STOCK, &["layers", "nearest", "0.167 and 0.333"]);
    bench.refused(MODEL, &method(r#"["neurons"]"#, "1.5"), STOCK, &["method.ratio"]);
    bench.refused(MODEL, r#"{"kind": "structured", "criterion": "luck"}"#, STOCK, &["luck", "flap"]);
    bench.refused(MODEL, NEURONS, r#"{"kind": "crumbled"}"#, &["output.kind", "crumbled"]);
}

#[test]
fn bad_folders_are_named() {
    let bench = Bench::new();
    let broken = |name: &str, change: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>| bench.broken(name, change);
    let refused = |model: &str, words: &[&str]| bench.refused(model, NEURONS, STOCK, words);
    refused(&broken("config.json", &|_| None), &["config.json"]);
    refused(&broken("model.safetensors", &|_| None), &["safetensors"]);
    refused(&broken("model.safetensors", &|bytes| Some(bytes[..bytes.len() / 2].to_vec())), &["model.safetensors"]);
    refused(&broken("model.safetensors", &|_| Some(b"not a model at all".to_vec())), &["model.safetensors"]);
    refused(&broken("config.json", &|_| Some(br#"{"model_type": "bert", "hidden_size": 0}"#.to_vec())), &["hidden_size"]);
    refused(
        &broken("config.json", &|bytes| Some(text(&bytes).replace("1536", "1024").into_bytes())),
        &["intermediate.dense", "1536", "1024"],
    );
    refused(&broken("config.json", &|bytes| Some(text(&bytes).replace("\"bert\"", "\"mamba\"").into_bytes())), &["mamba"]);
    let renamed = |bytes: Vec<u8>| {
        let at = bytes.windows(13).position(|window| window == b"layer.3.outpu").expect("the tensor");
        let mut bytes = bytes;
        bytes[at] = b'L';
        Some(bytes)
    };
    refused(&broken("model.safetensors", &renamed), &["layer.3.output"]);
    refused(&broken("tokenizer.json", &|_| None), &["tokenizer"]);
    refused("no/such/folder", &["no/such/folder"]);
}

#[test]
fn empty_or_missing_calibration_is_named() {
    let bench = Bench::new();
    std::fs::write(bench.path("train.tsv"), "\n\n").expect("written");
    bench.refused(MODEL, NEURONS, STOCK, &["calibration"]);
    std::fs::remove_file(bench.path("train.tsv")).expect("removed");
    bench.refused(MODEL, NEURONS, STOCK, &["train.tsv"]);
}

#[test]
fn labels_outside_of_the_model_are_named() {
    let bench = Bench::new();
    std::fs::write(bench.path("dev.tsv"), "fine\t1\nodd\t7\n").expect("written");
    bench.refused(MODEL, NEURONS, STOCK, &["2", "7"]);
}

/// The stories model of a family, and a recipe's texts from its folder.
fn stories(family: &str) -> (String, String) {
    let model = format!("{}/www/models/{family}-stories", env!("CARGO_MANIFEST_DIR"));
    (model.clone(), format!("{model}/valid.txt"))
}

fn perplexity(model: &str, text_file: &str) -> serde_json::Value {
    let done = coppice(&[
        "eval",
        model,
        "--task",
        "perplexity",
        "--data",
        text_file,
        "--window",
        "128",
        "--limit",
        "2000",
        "--device",
        "cpu",
        "--json",
    ]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

#[test]
fn decoders_are_pruned_and_measured() {
    let bench = Bench::new();
    for (family, units, fields) in [("gpt2", r#"["neurons"]"#, "n_inner"), ("llama", r#"["heads", "neurons"]"#, "attention_bias")] {
        let (model, valid) = stories(family);
        let dense = perplexity(&model, &valid);
        assert_eq!(dense["window"], 128);
        // Windows of 128 tokens that begin with BOS take 127 of the stream; each predicts 127.
        assert_eq!(dense["tokens"], 2000 / 127 * 127);
        let right = dense["token_accuracy"].as_f64().expect("an accuracy");
        assert!((0.3..0.7).contains(&right), "{family}: token accuracy {right}");
        std::fs::write(bench.path("train.tsv"), calibration_of(&model, 20_000)).expect("written");
        std::fs::copy(&valid, bench.path("valid.txt")).expect("copied");
        let recipe = format!(
            r#"{{"version": 1, "calibration": {{"source": "train.tsv", "sequences": 24, "length": 128}},
                "method": {{"kind": "structured", "units": {units}, "ratio": 0.2}},
                "evaluation": {{"source": "valid.txt", "limit": 2000, "window": 128}}}}"#
        );
        std::fs::write(bench.path("recipe.json"), recipe).expect("written");
        let out = bench.path(family);
        let done = coppice(&["prune", &model, "--recipe", &bench.path("recipe.json"), "--out", &out, "--device", "cpu"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{out}/report.json")).expect("read")).expect("JSON");
        let after = &report["quality_after"];
        for figure in ["perplexity", "token_accuracy"] {
            assert_eq!(report["quality_before"][figure], dense[figure]);
        }
        assert!(after["kl"].as_f64().expect("a divergence") > 0.0);
        let config = std::fs::read_to_string(format!("{out}/config.json")).expect("read");
        assert!(config.contains(fields));
        // What was measured is what was written.
        let again = perplexity(&out, &valid)["perplexity"].as_f64().expect("a perplexity");
        assert!((again / after["perplexity"].as_f64().expect("a perplexity") - 1.0).abs() < 1e-6);
        assert!(again < 2.0 * dense["perplexity"].as_f64().expect("a perplexity"), "{family}: {again}");
    }
}

#[test]
fn layers_come_out_with_widths_of_their_own() {
    let bench = Bench::new();
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(bench.path(&format!("out/{name}"))).expect("read")).expect("JSON")
    };
    for (allocation, budget) in
        [("global", "linear"), ("parameters", "linear"), ("flops", "flops"), ("latency", "latency"), ("sensitivity", "linear")]
    {
        // Magnitudes need no text, but the length of its sequences is asked for all the same.
        let criterion = if allocation == "flops" { "magnitude" } else { "flap" };
        let method = format!(
            r#"{{"kind": "structured", "criterion": "{criterion}", "allocation": "{allocation}", "ratio": 0.3, "floor": 0.1, "reconstruction": "none"}}"#
        );
        let done = bench.prune(MODEL, &method, r#"{"kind": "sliced"}"#);
        assert!(done.status.success(), "{allocation}: {}", text(&done.stderr));
        let (report, plan) = (read("report.json"), read("plan.json"));
        assert_eq!((&report["ratio"]["asked"], &report["ratio"]["asked_of"]), (&0.3.into(), &budget.into()));
        let realised = report["ratio"][budget].as_f64().expect("a ratio");
        let over = if allocation == "latency" { 1.0 } else { 0.305 };
        assert!((0.295..over).contains(&realised), "{allocation}: {realised}");
        let widths: Vec<usize> =
            plan["layers"].as_array().expect("layers").iter().map(|layer| layer["neurons"].as_array().map_or(0, Vec::len)).collect();
        assert!(widths.iter().all(|&width| width >= 154), "{allocation}: {widths:?}");
        // What was measured may say anything.
        assert!(allocation == "latency" || widths.iter().any(|width| *width != widths[0]), "{allocation}: {widths:?}");
        assert_eq!(report["scores"][5]["neurons"].as_array().map(Vec::len), Some(1536));
        assert_eq!(report["latency"].is_object(), allocation == "latency");
        assert_eq!(report["probes"].as_array().map(Vec::len), (allocation == "sensitivity").then_some(24));
        std::fs::remove_dir_all(bench.path("out")).expect("removed");
    }
    let global = r#"{"kind": "structured", "units": ["neurons"], "allocation": "global", "ratio": 0.3}"#;
    bench.refused(MODEL, global, STOCK, &["\"global\"", "intermediate_size", "sliced", "pad"]);
    std::fs::remove_file(bench.path("train.tsv")).expect("removed");
    let flops = r#"{"kind": "structured", "criterion": "magnitude", "allocation": "flops", "ratio": 0.3, "reconstruction": "none"}"#;
    bench.refused(MODEL, flops, r#"{"kind": "sliced"}"#, &["train.tsv"]);
}

#[test]
fn whole_layers_go_and_the_rest_is_measured_as_written() {
    let bench = Bench::new();
    let methods = [
        ("gpt2", "n_layer", 6, r#"{"kind": "structured", "units": ["layers"], "ratio": 0.25}"#),
        ("llama", "num_hidden_layers", 7, r#"{"kind": "structured", "units": ["layers", "neurons"], "ratio": 0.2, "error_aware": true}"#),
    ];
    for (family, field, layers, method) in methods {
        let (model, valid) = stories(family);
        std::fs::write(bench.path("train.tsv"), calibration_of(&model, 10_000)).expect("written");
        std::fs::copy(&valid, bench.path("valid.txt")).expect("copied");
        let recipe = format!(
            r#"{{"version": 1, "calibration": {{"source": "train.tsv", "sequences": 8, "length": 128}}, "method": {method},
                "evaluation": {{"source": "valid.txt", "limit": 2000, "window": 128}}}}"#
        );
        std::fs::write(bench.path("recipe.json"), recipe).expect("written");
        let out = bench.path(family);
        let done = coppice(&["prune", &model, "--recipe", &bench.path("recipe.json"), "--out", &out, "--device", "cpu"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let read = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(format!("{out}/{name}")).expect("read")).expect("JSON")
        };
        let (report, plan) = (read("report.json"), read("plan.json"));
        assert_eq!(read("config.json")[field], layers);
        let removed = plan["layers"].as_array().expect("layers").iter().filter(|layer| layer["heads"] == serde_json::json!([])).count();
        assert_eq!(removed, 8 - layers);
        let again = perplexity(&out, &valid)["perplexity"].as_f64().expect("a perplexity");
        assert!((again / report["quality_after"]["perplexity"].as_f64().expect("a perplexity") - 1.0).abs() < 1e-6);
        assert!(again < 3.0 * report["quality_before"]["perplexity"].as_f64().expect("a perplexity"), "{family}: {again}");
        // The plan gives the same again.
        if family == "gpt2" {
            let planned = format!(r#"{{"version": 1, "method": {{"kind": "plan", "plan": {plan}, "reconstruction": "none"}}}}"#);
            std::fs::write(bench.path("recipe.json"), planned).expect("written");
            let twice = bench.path("twice");
            let done = coppice(&["prune", &model, "--recipe", &bench.path("recipe.json"), "--out", &twice, "--device", "cpu"]);
            assert!(done.status.success(), "{}", text(&done.stderr));
            let tensors = |folder: &str| {
                let bytes = std::fs::read(format!("{folder}/model.safetensors")).expect("read");
                bytes[8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize..].to_vec()
            };
            assert!(tensors(&out) == tensors(&twice));
        }
    }
}

#[test]
fn the_residual_stream_gets_narrower_and_its_readers_are_repaired() {
    let bench = Bench::new();
    // The even share s of channels and of what goes with them: 0.7 of the parameters stay where s (a + (1 - a) s) = 0.7, a being
    // the share of attention in Llama, of which no head goes; s = 0.812 there.
    let methods = [
        ("gpt2", r#""units": ["hidden", "heads", "neurons"], "ratio": 0.3"#, [("n_embd", 224), ("n_head", 7)]),
        ("llama", r#""units": ["hidden", "neurons"], "ratio": 0.3"#, [("hidden_size", 208), ("num_attention_heads", 8)]),
    ];
    for (family, method, fields) in methods {
        let (model, valid) = stories(family);
        std::fs::write(bench.path("train.tsv"), calibration_of(&model, 12_000)).expect("written");
        std::fs::copy(&valid, bench.path("valid.txt")).expect("copied");
        let pruned = |name: &str, method: &str| -> f64 {
            let recipe = format!(
                r#"{{"version": 1, "calibration": {{"source": "train.tsv", "sequences": 24, "length": 64}}, "method": {{{method}}},
                    "evaluation": {{"source": "valid.txt", "limit": 1000, "window": 128}}}}"#
            );
            std::fs::write(bench.path("recipe.json"), recipe).expect("written");
            let out = bench.path(name);
            let done = coppice(&["prune", &model, "--recipe", &bench.path("recipe.json"), "--out", &out, "--device", "cpu"]);
            assert!(done.status.success(), "{}", text(&done.stderr));
            let report: serde_json::Value =
                serde_json::from_slice(&std::fs::read(format!("{out}/report.json")).expect("read")).expect("JSON");
            assert!((report["ratio"]["linear"].as_f64().expect("a ratio") - 0.3).abs() <= 0.005);
            let perplexity = |when: &str| report[when]["perplexity"].as_f64().expect("a perplexity");
            (perplexity("quality_after") / perplexity("quality_before")).ln()
        };
        let repaired = pruned(family, &format!(r#""kind": "structured", {method}"#));
        let config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(bench.path(&format!("{family}/config.json"))).expect("read")).expect("JSON");
        fields.iter().for_each(|(field, value)| assert_eq!(config[field], *value, "{family}: {field}"));
        // Excess loss: the same plan without a repair has far more, even with so little text to repair by.
        let plan = std::fs::read_to_string(bench.path(&format!("{family}/plan.json"))).expect("read");
        let bare = pruned(&format!("{family}-bare"), &format!(r#""kind": "plan", "plan": {plan}, "reconstruction": "none""#));
        assert!(repaired < 0.7 * bare, "{family}: {repaired} repaired, {bare} as it is");
    }
}

#[test]
fn without_affine_no_bias_changes() {
    let bench = Bench::new();
    let tensor = |path: &str, name: &str| {
        let bytes = std::fs::read(path).expect("read");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("read");
        file.tensor(name).expect("the tensor").data().to_vec()
    };
    let dense = tensor(&format!("{MODEL}/model.safetensors"), "classifier.bias");
    for (affine, same) in [(true, false), (false, true)] {
        let method = format!(r#"{{"kind": "structured", "units": ["hidden"], "ratio": 0.25, "affine": {affine}}}"#);
        let done = bench.prune(MODEL, &method, r#"{"kind": "sliced"}"#);
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert_eq!(tensor(&bench.path("out/model.safetensors"), "classifier.bias") == dense, same, "affine {affine}");
        std::fs::remove_dir_all(bench.path("out")).expect("removed");
    }
}

#[test]
fn a_text_too_short_to_check_repairs_is_said() {
    let bench = Bench::new();
    let notes = |sequences: usize| {
        let lines: String = (0..sequences).map(|line| format!("a good film of {line} hours\n")).collect();
        std::fs::write(bench.path("train.tsv"), lines).expect("written");
        let done = bench.prune(MODEL, r#"{"kind": "structured", "units": ["neurons"], "ratio": 0.3}"#, STOCK);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let report = std::fs::read_to_string(bench.path("out/report.json")).expect("read");
        std::fs::remove_dir_all(bench.path("out")).expect("removed");
        report.contains("was not checked: the calibration text has 3 sequences")
    };
    assert_eq!([3, 4].map(notes), [true, false]);
}

#[test]
fn cards_and_reports_say_what_ran() {
    let bench = Bench::new();
    let written = |method: &str| {
        let done = bench.prune(MODEL, method, STOCK);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let read = |name: &str| std::fs::read_to_string(bench.path(&format!("out/{name}"))).expect("read");
        let (card, report) = (read("README.md"), read("report.json"));
        std::fs::remove_dir_all(bench.path("out")).expect("removed");
        (card, report)
    };
    let (card, _) = written(r#"{"kind": "structured", "units": ["layers"], "ratio": 0.1666}"#);
    assert!(card.contains("Removed layers by their influence; the rest stayed as it was\n"), "{card}");
    let (card, _) = written(NEURONS);
    assert!(card.contains("Removed neurons by the criterion flap with uniform allocation; the rest was repaired with bias\n"), "{card}");
    let (card, report) = written(&NEURONS.replace("0.3", "0.0001"));
    assert!(report.contains("Nothing was removed: a ratio of 0.0001 is less"), "{report}");
    assert!(card.contains("the rest stayed as it was"), "{card}");
}

/// The beginning of a stories model's calibration text.
fn calibration_of(model: &str, characters: usize) -> String {
    std::fs::read_to_string(format!("{model}/calibration.txt")).expect("read").chars().take(characters).collect()
}

#[test]
fn what_a_decoder_config_cannot_say_is_refused() {
    let bench = Bench::new();
    let heads = r#"{"kind": "structured", "units": ["heads", "neurons"], "ratio": 0.3}"#;
    bench.refused(&stories("gpt2").0, heads, STOCK, &["heads", "gpt2", "pad"]);
    std::fs::write(bench.path("dev.tsv"), "short").expect("written");
    bench.refused(&stories("llama").0, heads, STOCK, &["evaluation", "tokens", "window"]);
}

/// A checkpoint in which one tensor has another name of the same length, so that it is missing.
fn without(tensor: &str) -> impl Fn(Vec<u8>) -> Option<Vec<u8>> {
    let quoted = format!("\"{tensor}\"");
    move |mut bytes| {
        let at = bytes.windows(quoted.len()).position(|window| window == quoted.as_bytes()).expect("the tensor");
        bytes[at + 1] = b'_';
        Some(bytes)
    }
}

#[test]
fn tensors_that_a_config_promises_are_missed() {
    let bench = Bench::new();
    let model = bench.broken("model.safetensors", without("bert.encoder.layer.2.attention.self.query.bias"));
    bench.refused(&model, NEURONS, STOCK, &["layer.2.attention.self.query.bias"]);
    let model = bench.broken_copy(&stories("llama").0, "model.safetensors", without("lm_head.weight"));
    bench.refused(&model, NEURONS, STOCK, &["lm_head.weight"]);
    let unscaled =
        |bytes: Vec<u8>| Some(text(&bytes).replace("\"scale_attn_weights\": true", "\"scale_attn_weights\": false").into_bytes());
    let model = bench.broken_copy(&stories("gpt2").0, "config.json", unscaled);
    bench.refused(&model, NEURONS, STOCK, &["scale_attn_weights"]);
}

#[test]
fn padding_does_not_say_what_a_llama_config_cannot() {
    let bench = Bench::new();
    let layer = |heads: &str| format!(r#"{{"heads": [{heads}], "neurons": [0, 1, 2]}}"#);
    let layers: Vec<String> = (0..8).map(|index| layer(if index == 0 { "0, 1" } else { "0, 1, 2, 3" })).collect();
    let plan = format!(r#"{{"kind": "plan", "plan": {{"version": 1, "layers": [{}]}}, "reconstruction": "none"}}"#, layers.join(", "));
    bench.refused(&stories("llama").0, &plan, r#"{"kind": "stock", "pad": true}"#, &["key/value heads", "layer 1"]);
}

#[test]
fn padding_does_not_scramble_heads_that_are_gone() {
    let bench = Bench::new();
    std::fs::write(bench.path("dev.tsv"), "once upon a time there was a little boat. ".repeat(60)).expect("written");
    let heads = r#"{"kind": "structured", "units": ["heads"], "ratio": 0.166, "criterion": "magnitude", "reconstruction": "none"}"#;
    let done = bench.prune(&stories("gpt2").0, heads, r#"{"kind": "sliced"}"#);
    assert!(done.status.success(), "{}", text(&done.stderr));
    std::fs::rename(bench.path("out"), bench.path("sliced")).expect("moved");
    bench.refused(&bench.path("sliced"), NEURONS, r#"{"kind": "stock", "pad": true}"#, &["fewer heads", "sliced"]);
}

#[test]
fn damaged_weights_are_no_scores() {
    let bench = Bench::new();
    let nan = |mut bytes: Vec<u8>| {
        // The last two bytes of an f16 file are one weight of the classifier: far up. Its first tensor's are a norm's bias.
        let data = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
        bytes[data..data + 2].copy_from_slice(&[0x00, 0x7e]);
        Some(bytes)
    };
    let model = bench.broken("model.safetensors", nan);
    bench.refused(&model, NEURONS, STOCK, &["not finite"]);
    // Above every statistic, and no part of what this criterion and this repair look at.
    let tensor = "bert.encoder.layer.5.output.dense.bias";
    let last = |mut bytes: Vec<u8>| {
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
        let at = 8 + length + header[tensor]["data_offsets"][0].as_u64().expect("an offset") as usize;
        bytes[at..at + 2].copy_from_slice(&[0x00, 0x7c]);
        Some(bytes)
    };
    let model = bench.broken("model.safetensors", last);
    let blind = NEURONS.replace("\"bias\"", "\"none\", \"criterion\": \"magnitude\"");
    let recipe = bench.recipe(&blind, STOCK);
    // Without an evaluation, whose logits would show it.
    let written = std::fs::read_to_string(&recipe).expect("a recipe");
    let (job, _) = written.rsplit_once(',').expect("an evaluation at its end");
    std::fs::write(&recipe, format!("{job}}}")).expect("written");
    let done = coppice(&["prune", &model, "--recipe", &recipe, "--out", &bench.path("out"), "--device", "cpu"]);
    let message = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{message}");
    let sentence = format!("Tensor {tensor} holds values that are not finite; its weights are damaged, download the model again.");
    assert!(message.contains(&sentence) && !Path::new(&bench.path("out")).exists(), "{message}");
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_work() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("out")).expect("made");
    std::fs::write(bench.path("out/mine.txt"), "mine").expect("written");
    let recipe = bench.recipe(NEURONS, STOCK);
    let done = coppice(&["prune", MODEL, "--recipe", &recipe, "--out", &bench.path("out"), "--device", "cpu"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("not empty") && !text(&done.stderr).contains("Runs on"), "{}", text(&done.stderr));
    // Parents that are not there yet are made.
    let deep = bench.path("new/a/b");
    let done = coppice(&["prune", MODEL, "--recipe", &recipe, "--out", &deep, "--device", "cpu"]);
    assert!(done.status.success() && Path::new(&deep).join("config.json").is_file(), "{}", text(&done.stderr));
}

#[test]
fn a_test_checkpoint_is_made_and_pruned_with_nothing_else() {
    let bench = Bench::new();
    let model = bench.path("tiny");
    let make = || coppice(&["fixture", "tiny-llama", "--out", &model]);
    assert!(make().status.success());
    let again = make();
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("not empty"), "{}", text(&again.stderr));
    let unknown = coppice(&["fixture", "gpt-5", "--out", &bench.path("out")]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("tinyllama-1.1b"), "{}", text(&unknown.stderr));
    let recipe = r#"{"version": 1, "calibration": {"source": "tiny/calibration.txt", "sequences": 24, "length": 128},
        "method": {"kind": "structured", "units": ["heads", "neurons"], "ratio": 0.3, "error_aware": true}, "output": {"kind": "sliced"},
        "evaluation": {"source": "tiny/valid.txt", "limit": 2000, "window": 128}}"#;
    std::fs::write(bench.path("recipe.json"), recipe).expect("written");
    let out = bench.path("out");
    let done = coppice(&["prune", &model, "--recipe", &bench.path("recipe.json"), "--out", &out, "--device", "cpu"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{out}/report.json")).expect("read")).expect("JSON");
    let kl = report["quality_after"]["kl"].as_f64().expect("a divergence");
    assert!(kl > 0.01 && kl < 2.0, "{kl}");
}

fn generate(model: &str, arguments: &[&str]) -> Output {
    coppice(&[&["generate", model, "--device", "cpu", "--prompt", "Once upon a time, there was a little"], arguments].concat())
}

#[test]
fn text_is_generated_as_it_is_asked_for() {
    let (model, _) = stories("llama");
    let done = generate(&model, &["--max-tokens", "12"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("12 tokens") && text(&done.stderr).contains("asked for"), "{}", text(&done.stderr));
    let line = |arguments: &[&str]| -> serde_json::Value {
        let done = generate(&model, &[&["--max-tokens", "12", "--json"], arguments].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("one line of JSON")
    };
    let greedy = line(&[]);
    assert_eq!(text(&done.stdout), format!("{}\n", greedy["text"].as_str().expect("a text")));
    assert_eq!((greedy["ending"].as_str(), greedy["tokens"].as_array().map(Vec::len)), (Some("max_tokens"), Some(12)));
    // Drawn: by its seed alone.
    let drawn = |seed| line(&["--temperature", "1", "--top-k", "40", "--top-p", "0.95", "--seed", seed])["tokens"].clone();
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
    let stopped = line(&["--stop", "never", "--stop", "brave"]);
    assert_eq!(stopped["ending"], "stop_text");
    let whole = greedy["text"].as_str().expect("a text");
    assert_eq!(stopped["text"].as_str(), whole.split("brave").next());
    assert_ne!(stopped["text"], greedy["text"]);
    let third = greedy["tokens"][2].to_string();
    assert_eq!(line(&["--stop-token", &third])["tokens"].as_array().map(Vec::len), Some(3));
}

#[test]
fn text_that_cannot_be_generated_is_refused() {
    let (model, _) = stories("gpt2");
    for (model, arguments, words) in [
        (MODEL, vec![], vec!["causal", "BertForSequenceClassification"]),
        (&model, vec!["--max-tokens", "0"], vec!["max_tokens"]),
        (&model, vec!["--top-p", "0"], vec!["top-p"]),
        (&model, vec!["--temperature", "-1"], vec!["temperature"]),
        // 7.4 million parameters, 4 bytes each on the CPU.
        (&model, vec!["--memory", "0.01"], vec!["28.1 MiB of weights", "may use 10.2 MiB"]),
        ("no/such/folder", vec![], vec!["no/such/folder"]),
    ] {
        let done = generate(model, &arguments);
        let message = text(&done.stderr);
        let sentence = message.lines().last().unwrap_or_default();
        assert_eq!(done.status.code(), Some(1), "{message}");
        assert!(words.iter().all(|word| sentence.contains(word)) && sentence.ends_with('.'), "{sentence}");
        assert!(done.stdout.is_empty());
    }
    assert_eq!(coppice(&["generate", &model]).status.code(), Some(2));
    let negative = generate(&model, &["--max-tokens", "-5"]);
    assert_eq!(negative.status.code(), Some(2));
    assert!(text(&negative.stderr).contains("a whole number that is not negative"), "{}", text(&negative.stderr));
}

#[test]
fn places_that_must_not_be_written_are_refused_before_the_work() {
    let bench = Bench::new();
    let model = bench.broken("none", Some);
    let recipe = bench.recipe(NEURONS, STOCK);
    std::fs::write(bench.path("plan.json"), "{}").expect("written");
    let planned = bench.path("planned.json");
    let with_plan = std::fs::read_to_string(&recipe)
        .expect("read")
        .replace(NEURONS, r#"{"kind": "plan", "plan": "plan.json", "reconstruction": "none"}"#);
    std::fs::write(&planned, with_plan).expect("written");
    let contents = || -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let list = |folder: &Path| std::fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
        let mut all: Vec<PathBuf> = list(bench.folder.path());
        all.extend::<Vec<PathBuf>>(list(Path::new(&model)));
        all.sort();
        all.into_iter().map(|path| (path.clone(), std::fs::read(path).ok())).collect()
    };
    let before = contents();
    let out = "out".to_owned();
    for (recipe, out, report, words) in [
        (&recipe, &out, "model/config.json", ["config.json", "folder of the input model", "choose"]),
        (&recipe, &out, "model/../model/new.json", ["new.json", "folder of the input model", "choose"]),
        (&recipe, &out, "recipe.json", ["recipe.json", "that the job reads", "choose"]),
        (&recipe, &out, "model/../train.tsv", ["train.tsv", "that the job reads", "choose"]),
        (&recipe, &out, "dev.tsv", ["dev.tsv", "that the job reads", "choose"]),
        (&planned, &out, "plan.json", ["plan.json", "that the job reads", "choose"]),
        (&recipe, &out, "model/..", ["report", "is a folder", "file name"]),
        (&recipe, &out, "none/report.json", ["none", "does not exist", "make that folder"]),
        (&recipe, &out, "out/report.json", ["out", "output folder", "choose"]),
        (&recipe, &"model/out".to_owned(), "r.json", ["model/out", "folder of the input model", "choose"]),
        (&recipe, &"model/new/../out".to_owned(), "r.json", ["model/new/../out", "folder of the input model", "choose"]),
        (&recipe, &"train.tsv/out".to_owned(), "r.json", ["train.tsv/out", "cannot be made", "choose"]),
        // The folder's own name would do; the one that is written first is longer.
        (&recipe, &"o".repeat(250), "r.json", ["ooo", "cannot be made", "shorter name"]),
    ] {
        let (out, report) = (bench.path(out), bench.path(report));
        let done = coppice(&["prune", &model, "--recipe", recipe, "--out", &out, "--report", &report, "--device", "cpu"]);
        let message = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{message}");
        // One sentence, and so no line about the device: nothing ran.
        assert!(message.lines().count() == 1 && message.ends_with(".\n"), "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "no {words:?} in {message}");
        assert!(before == contents(), "something was written: {message}");
    }
}

#[test]
fn a_report_is_written_where_it_is_asked_for() {
    let bench = Bench::new();
    let recipe = bench.recipe(r#"{"kind": "structured", "ratio": 0}"#, STOCK);
    let (out, report) = (bench.path("out"), bench.path("r.json"));
    std::fs::write(&report, "an older report").expect("written");
    let done = coppice(&["prune", MODEL, "--recipe", &recipe, "--out", &out, "--report", &report, "--device", "cpu"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let read = |path: &str| -> serde_json::Value { serde_json::from_slice(&std::fs::read(path).expect("read")).expect("JSON") };
    assert_eq!(read(&report)["ratio"], read(&bench.path("out/report.json"))["ratio"]);
}

#[test]
fn an_estimate_needs_no_temporary_folder() {
    let bench = Bench::new();
    let recipe = bench.recipe(NEURONS, STOCK);
    let done = Command::new(env!("CARGO_BIN_EXE_coppice"))
        .args(["estimate", MODEL, "--recipe", &recipe, "--device", "cpu", "--json"])
        .envs(["TMPDIR", "TMP", "TEMP"].map(|name| (name, bench.path("none"))))
        .output()
        .expect("the command runs");
    assert!(done.status.success(), "{}", text(&done.stderr));
    // The phases' times are the whole time.
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let steps: f64 = ["calibrate", "score", "reconstruct", "evaluate"].iter().filter_map(|step| told["steps"][step].as_f64()).sum();
    let seconds = told["seconds"].as_f64().expect("a number");
    assert!(seconds > 0.0 && (steps - seconds).abs() <= 1e-9 * seconds, "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_output_that_is_full_stops_nothing() {
    let run = |arguments: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("opened");
        Command::new(env!("CARGO_BIN_EXE_coppice")).args(arguments).stderr(full).output().expect("the command runs")
    };
    assert_eq!(run(&["inspect", "no/such/folder"]).status.code(), Some(1));
    let (model, _) = stories("gpt2");
    let done = run(&["generate", &model, "--device", "cpu", "--prompt", "Once", "--max-tokens", "2"]);
    assert!(done.status.success() && !done.stdout.is_empty());
}

/// `script` gives the command a terminal.
#[cfg(target_os = "linux")]
#[test]
fn generated_text_starts_on_a_line_of_its_own() {
    let (model, _) = stories("gpt2");
    let command = format!("'{}' generate '{model}' --device cpu --prompt Once --max-tokens 4", env!("CARGO_BIN_EXE_coppice"));
    let done = Command::new("script").args(["-qec", &command, "/dev/null"]).output().expect("script (of util-linux) runs");
    let shown = text(&done.stdout);
    let (progress, answer) = shown.split_once("\r\x1b[K").expect("a cleared line");
    assert!(done.status.success() && progress.contains("100 %") && !answer.contains('%'), "{shown:?}");
    let alone = coppice(&["generate", &model, "--device", "cpu", "--prompt", "Once", "--max-tokens", "4"]);
    assert!(answer.starts_with(text(&alone.stdout).trim_end()), "{answer:?}");
}
