use crate::base::{CancelToken, Run};
use crate::calibrate::{Shelf, Shelves};
use crate::checkpoint::{Checkpoint, Folder, MemoryScratch, decode, folder_of};
use crate::device::{Device, Preference};
use crate::fixture;
use crate::job::{Inputs, Pruned, Storage, prune};
use crate::recipe::Recipe;
use pollster::block_on;
use std::path::Path;

fn pruned(folder: &Folder, text: &str, method: &str) -> crate::base::Result<Pruned> {
    let recipe = format!(
        r#"{{"version": 1, "calibration": {{"sequences": 16, "length": 32}}, "method": {{"kind": "sparse", {method}}}, "output": {{"kind": "masked"}}}}"#
    );
    let recipe = Recipe::parse(&recipe)?;
    let cancel = CancelToken::default();
    let device = block_on(Device::open(Preference::Cpu, cancel.clone()))?;
    let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
    let storage = Storage { output: Box::new(MemoryScratch), shelves: Shelves { memory: shelf(), disk: shelf() } };
    let inputs = Inputs { calibration: Some(text.to_owned()), ..Inputs::default() };
    block_on(prune(&device, &Run::default(), folder, &recipe, &inputs, storage))
}

fn tiny() -> (Folder, String) {
    let folder = folder_of(&fixture::files(fixture::shape("tiny-llama").unwrap()).unwrap()).unwrap();
    let text = block_on(folder.text("calibration.txt")).unwrap();
    (folder, text)
}

/// Zeros among the weights of the blocks' linear layers, by tensor, and how many weights there are.
fn zeros(folder: &Folder) -> (usize, usize) {
    let checkpoint = block_on(Checkpoint::open(folder)).unwrap();
    let linear = |name: &str| name.contains("_proj.weight") || name.contains(".c_") && name.ends_with("weight");
    let mut found = (0, 0);
    for entry in checkpoint.entries().filter(|entry| linear(&entry.name)) {
        let values = decode(entry.dtype, &block_on(entry.source.read(entry.range.clone())).unwrap()).unwrap();
        found.0 += values.iter().filter(|value| **value == 0.0).count();
        found.1 += values.len();
    }
    found
}

#[test]
fn the_ratio_is_what_is_written_whatever_the_method() {
    let (folder, text) = tiny();
    for (method, ratio) in [
        (r#""criterion": "magnitude", "allocation": "alpha", "ratio": 0.43"#, 0.43),
        (r#""criterion": "wanda", "allocation": "owl", "ratio": 0.7"#, 0.7),
        (r#""criterion": "ria", "ratio": 0.61, "update": "dsnot""#, 0.61),
        (r#""criterion": "wanda", "allocation": "adaptive", "ratio": 0.37, "order": "linear""#, 0.37),
        (r#""criterion": "wanda", "allocation": "trim", "ratio": 0.55, "update": "refit""#, 0.55),
        (r#""criterion": "wanda", "allocation": "curves", "layer_budgets": "owl", "ratio": 0.55"#, 0.55),
        (r#""criterion": "sparsegpt", "update": "sparsegpt", "ratio": 0.66, "order": "linear""#, 0.66),
        (r#""criterion": "sparsegpt", "allocation": "curves", "update": "refit", "ratio": 0.66"#, 0.66),
        (r#""criterion": "sparsegpt", "update": "sparsegpt", "pattern": "4:8", "ratio": 0.5"#, 0.5),
        (r#""criterion": "magnitude", "update": "sparsegpt", "pattern": "2:4", "ratio": 0.5"#, 0.5),
    ] {
        let Pruned { files, report, .. } = pruned(&folder, &text, method).unwrap();
        let (zeros, all) = zeros(&folder_of(&files).unwrap());
        let realised = zeros as f64 / all as f64;
        assert!((realised - ratio).abs() < 1e-3, "{method}: {realised}");
        assert_eq!(report.ratio.weights, Some(1.0 - (all - zeros) as f64 / all as f64), "{method}");
        let told: u64 = report.linears.iter().map(|linear| linear.kept).sum();
        assert_eq!((told as usize, report.linears.len()), (all - zeros, 7 * report.layers.len()), "{method}");
        let updates = method.contains("sparsegpt\"") || method.contains("refit");
        for linear in &report.linears {
            assert!(linear.error.is_some_and(|error| error > 0.0 && error < 1.5), "{method}: {linear:?}");
            assert_eq!(linear.error_after.is_some(), updates, "{method}: {linear:?}");
            assert!(linear.error_after <= linear.error || !updates, "{method}: {linear:?}");
        }
    }
}

#[test]
fn tensors_that_layers_share_are_joined_again() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models/gpt2-stories");
    let folder = Folder::open(&path).unwrap();
    let text = block_on(folder.text("calibration.txt")).unwrap();
    let Pruned { files, report, .. } = pruned(&folder, &text[..4000], r#""criterion": "magnitude", "ratio": 0.5"#).unwrap();
    let out = folder_of(&files).unwrap();
    let (dense, pruned) = (block_on(Checkpoint::open(&folder)).unwrap(), block_on(Checkpoint::open(&out)).unwrap());
    let values = |checkpoint: &Checkpoint, name: &str| {
        let entry = checkpoint.get(name).unwrap();
        (entry.shape.clone(), decode(entry.dtype, &block_on(entry.source.read(entry.range.clone())).unwrap()).unwrap())
    };
    for entry in dense.entries() {
        let (before, after) = (values(&dense, &entry.name), values(&pruned, &entry.name));
        assert_eq!(before.0, after.0, "{}", entry.name);
        // What is not zero is what it was; biases, norms and embeddings are all that they were.
        let linear = entry.name.contains(".c_") && entry.name.ends_with("weight");
        assert!(before.1.iter().zip(&after.1).all(|(before, after)| before == after || (linear && *after == 0.0)), "{}", entry.name);
    }
    let names: Vec<&str> = report.linears[..4].iter().map(|linear| linear.tensor.as_str()).collect();
    assert!(
        names[0].ends_with("c_attn.weight (query)") && names[2].ends_with("(value)") && names[3].ends_with("attn.c_proj.weight"),
        "{names:?}"
    );
}

#[test]
fn what_does_not_go_together_is_refused_with_the_field() {
    let (folder, text) = tiny();
    for (method, words) in [
        (r#""criterion": "flap""#, "method.criterion"),
        (r#""pattern": "1:4""#, "method.pattern"),
        (r#""allocation": "global""#, "method.allocation"),
        (r#""allocation": "trim", "layer_budgets": "trim""#, "method.layer_budgets"),
        (r#""allocation": "owl", "layer_budgets": "owl""#, "\"allocation\": \"owl\""),
        (r#""update": "liar""#, "method.update"),
        (r#""ratio": 1"#, "method.ratio"),
        (r#""pattern": "2:4", "ratio": 0.6"#, "0.5 with the pattern 2:4"),
        (r#""pattern": "2:4", "allocation": "owl""#, "method.allocation"),
        (r#""pattern": "4:8", "update": "dsnot""#, "dsnot"),
        (r#""ridge": 0"#, "method.ridge"),
        (r#""samples": 0"#, "method.samples"),
        (r#""range": 1"#, "method.range"),
        (r#""outlier": -1"#, "method.outlier"),
        (r#""iterations": 0"#, "method.iterations"),
        (r#""units": ["heads"]"#, "units"),
        (r#""update": "dsnot", "ridge": 0.1"#, "method.ridge is for the criterion sparsegpt"),
        (r#""allocation": "trim", "range": 0.1"#, "method.range is for the allocations owl and alpha"),
        (r#""allocation": "alpha", "outlier": 3"#, "method.outlier"),
        (r#""update": "sparsegpt", "iterations": 20"#, "method.iterations is for the update refit"),
    ] {
        let message = pruned(&folder, &text, method).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(words) && message.ends_with('.'), "{method}: {message}");
    }
}
