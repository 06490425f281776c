//! Runs within less memory than they would like: what does not fit on the device goes to the disk, and the result is the same.

#![allow(clippy::expect_used, reason = "a test that cannot set itself up has failed")]

use std::path::Path;
use std::process::{Command, Output};

const LLAMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/models/llama-stories");

fn coppice(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coppice")).current_dir(folder).args(arguments).output().expect("the command runs")
}

/// A folder with a recipe.
fn bench(error_aware: bool, sequences: usize) -> tempfile::TempDir {
    bench_of(serde_json::json!({"kind": "structured", "ratio": 0.3, "error_aware": error_aware}), sequences)
}

fn bench_of(method: serde_json::Value, sequences: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = serde_json::json!({
        "version": 1,
        "calibration": {"source": format!("{LLAMA}/calibration.txt"), "sequences": sequences, "length": 64},
        "method": method,
        "output": {"kind": "sliced"},
    });
    std::fs::write(folder.path().join("recipe.json"), recipe.to_string()).expect("written");
    folder
}

fn prune(folder: &Path, out: &str, memory: Option<&str>) -> serde_json::Value {
    let mut arguments = vec!["prune", LLAMA, "--recipe", "recipe.json", "--device", "cpu", "--out", out];
    arguments.extend(memory.iter().flat_map(|memory| ["--memory", memory]));
    let done = coppice(folder, &arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report = std::fs::read(folder.join(out).join("report.json")).expect("a report");
    serde_json::from_slice(&report).expect("JSON")
}

fn estimate(folder: &Path) -> serde_json::Value {
    let done = coppice(folder, &["estimate", LLAMA, "--recipe", "recipe.json", "--device", "cpu", "--json"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// The same job with all the memory and with room for half of what it keeps: byte for byte the same weights.
fn same_with_less(error_aware: bool) {
    let folder = bench(error_aware, 12);
    let told = estimate(folder.path());
    let bytes = |name: &serde_json::Value| name.as_f64().expect("bytes");
    let memory = (bytes(&told["device_bytes"]) - 0.5 * bytes(&told["kept"]["device"])) / f64::from(1 << 30);
    let (roomy, tight) = (prune(folder.path(), "roomy", None), prune(folder.path(), "tight", Some(&memory.to_string())));
    assert_eq!(roomy["memory"]["kept"]["disk"], 0);
    assert!(bytes(&tight["memory"]["kept"]["disk"]) > 0.0, "{}", tight["memory"]);
    assert!(bytes(&tight["memory"]["kept"]["device"]) < bytes(&roomy["memory"]["kept"]["device"]));
    assert!(bytes(&tight["memory"]["device"]) <= bytes(&tight["memory"]["budget"]), "{}", tight["memory"]);
    let read = |out: &str| std::fs::read(folder.path().join(out).join("model.safetensors")).expect("a model");
    let plan = |out: &str| std::fs::read(folder.path().join(out).join("plan.json")).expect("a plan");
    // The recipe in the header is the same, so the whole files are.
    assert!(read("roomy") == read("tight") && plan("roomy") == plan("tight"), "less memory changed the result");
}

#[test]
fn statistics_on_disk_give_the_same_model() {
    same_with_less(false);
}

#[test]
fn hidden_states_on_disk_give_the_same_model() {
    same_with_less(true);
}

#[test]
fn a_text_that_is_measured_in_groups_gives_the_same_perplexity() {
    let folder = bench(false, 4);
    let valid = format!("{LLAMA}/valid.txt");
    let measure = |memory: &str| -> f64 {
        let arguments = ["eval", LLAMA, "--task", "perplexity", "--data", &valid, "--limit", "6000", "--window", "128", "--json"];
        let done = coppice(folder.path(), &[&arguments[..], &["--device", "cpu", "--memory", memory]].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice::<serde_json::Value>(&done.stdout).expect("JSON")["perplexity"].as_f64().expect("a perplexity")
    };
    // Half of the smaller amount holds the states of some 1,300 tokens of 256 channels.
    let (whole, groups) = (measure("4"), measure("0.005"));
    assert!((whole / groups - 1.0).abs() < 1e-6, "{whole} and {groups}");
}

#[test]
fn what_cannot_fit_is_refused_with_the_figures() {
    let folder = bench(false, 4);
    let done = coppice(folder.path(), &["prune", LLAMA, "--recipe", "recipe.json", "--device", "cpu", "--out", "out", "--memory", "0.01"]);
    let sentence = String::from_utf8_lossy(&done.stderr).lines().last().expect("a sentence").to_owned();
    assert_eq!(done.status.code(), Some(1));
    assert!(sentence.contains("and 11 MiB are allowed"), "{sentence}");
    assert!(sentence.contains("allow more memory") && !folder.path().join("out").exists(), "{sentence}");
}

/// What an estimate tells and what the run then needs, in bytes on the device: never less, and not so much more that runs are refused
/// for nothing.
fn told_what_is_needed(method: serde_json::Value) -> (serde_json::Value, serde_json::Value) {
    let name = method.to_string();
    let folder = bench_of(method, 12);
    let told = estimate(folder.path());
    let report = prune(folder.path(), "out", None);
    let (told_bytes, real) = (told["device_bytes"].as_f64().expect("bytes"), report["memory"]["device"].as_f64().expect("bytes"));
    assert!((1.0..2.5).contains(&(told_bytes / real)), "{name}: told {told_bytes}, needed {real}");
    (told, report)
}

#[test]
fn an_estimate_tells_what_the_run_then_needs() {
    let (told, _) = told_what_is_needed(serde_json::json!({"kind": "structured", "ratio": 0.3}));
    assert!(told["seconds"].as_f64().expect("seconds") > 0.0 && told["flops"].as_f64().expect("operations") > 0.0);
}

#[test]
fn it_tells_what_allocations_need_that_run_the_model() {
    // Without a repair, so that nothing else needs more than they do.
    let with = |allocation: &str| {
        let ratio = serde_json::json!({"kind": "structured", "ratio": 0.2, "reconstruction": "none", "allocation": allocation});
        told_what_is_needed(ratio).1
    };
    assert!(with("latency")["latency"].is_object(), "blocks were timed");
    assert!(!with("sensitivity")["probes"].as_array().expect("probes").is_empty());
}

#[test]
fn a_repair_that_needs_no_gram_matrix_takes_no_room_for_one() {
    let with = |reconstruction: &str| {
        let hidden = serde_json::json!({"kind": "structured", "units": ["hidden"], "ratio": 0.25, "reconstruction": reconstruction});
        let report = told_what_is_needed(hidden).1;
        report["memory"]["device"].as_f64().expect("bytes")
    };
    // Sums of both sets of tokens over what the second FFN matrix reads, the widest of all.
    let grams = 2.0 * 4.0 * f64::from(neurons() * neurons());
    let (bias, liar) = (with("bias"), with("liar"));
    assert!(bias + grams <= liar, "bias {bias}, liar {liar}, Gram matrices {grams}");
}

/// Neurons of a layer of the model.
fn neurons() -> u32 {
    let config = std::fs::read(format!("{LLAMA}/config.json")).expect("a config");
    let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    config["intermediate_size"].as_u64().and_then(|width| u32::try_from(width).ok()).expect("a width")
}
