//! What only a wasm build can show: the core on wasm32, in Node instead of a worker (`tools/wasm.sh test`).
//! On any other target this file is empty.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and Clippy does not know these functions as tests")]

use coppice::base::{CancelToken, Random};
use coppice::checkpoint::{BlobSource, ByteSource, Checkpoint, Folder, Layout, MemorySource, Source};
use coppice::device::{Device, Op, Preference};
use coppice::text::Tokenizer;
use js_sys::{Array, Uint8Array};
use std::rc::Rc;
use wasm_bindgen_test::wasm_bindgen_test;

const TOKENIZER: &str = include_str!("../www/models/bert-sst2/tokenizer.json");
const GOLDEN: &str = include_str!("fixtures/tokenizer_bert_sst2.json");

#[wasm_bindgen_test]
fn the_tokenizer_gives_the_tokens_of_stock_transformers() {
    let tokenizer = Tokenizer::from_json(TOKENIZER).unwrap();
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        for (key, special) in [("plain", false), ("special", true)] {
            assert_eq!(serde_json::json!(tokenizer.encode(text, special).unwrap()), case[key], "{key} {text:?}");
        }
    }
}

macro_rules! files {
    ($name:literal: $($file:literal)*) => {
        vec![$(($file, include_bytes!(concat!("fixtures/tokenizers/", $name, "/", $file)) as &[u8])),*]
    };
}

#[wasm_bindgen_test]
async fn tokenizers_of_every_format_give_the_tokens_of_the_python_libraries() {
    let texts: Vec<String> = serde_json::from_str(include_str!("fixtures/tokenizers/texts.json")).unwrap();
    let folders = [
        files!("opt": "golden.json" "config.json" "vocab.json" "merges.txt" "tokenizer_config.json" "special_tokens_map.json"),
        files!("qwen2": "golden.json" "config.json" "vocab.json" "merges.txt" "tokenizer_config.json" "added_tokens.json"),
        files!("llama": "golden.json" "tokenizer.model" "tokenizer_config.json" "added_tokens.json"),
        files!("unigram": "golden.json" "tokenizer.model"),
    ];
    for files in folders {
        let golden: serde_json::Value = serde_json::from_slice(files[0].1).unwrap();
        let sources = files.iter().map(|(name, bytes)| Rc::new(MemorySource::new(*name, bytes.to_vec())) as Source).collect();
        let tokenizer = Tokenizer::open(&Folder::new(sources).unwrap()).await.unwrap();
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), texts.len());
        for (case, text) in cases.iter().zip(&texts).filter(|(case, _)| !case[0].is_null()) {
            let ids = tokenizer.encode(text, false).unwrap();
            assert_eq!(serde_json::json!(ids), case[0], "{text:?}");
            let mut stream = tokenizer.decode_stream(false);
            let streamed: String = ids.iter().filter_map(|&id| stream.push(id).unwrap()).collect();
            assert_eq!(streamed + &stream.finish().unwrap().unwrap_or_default(), tokenizer.decode(&ids, false).unwrap());
        }
    }
}

/// A file of one tensor, f16 `[2, 3]` with the values 0 to 5.
fn one_tensor() -> Vec<u8> {
    let header = br#"{"dense.weight":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}} "#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend((0..6u8).flat_map(|i| half::f16::from(i).to_le_bytes()));
    file
}

async fn read_dense(source: Source) -> Vec<f32> {
    let folder = Folder::new(vec![source]).unwrap();
    let checkpoint = Checkpoint::open(&folder).await.unwrap();
    checkpoint.matrix("dense.weight", Layout::OutIn).await.unwrap().to_f32_inputs_major().unwrap()
}

/// `bytes` as a browser holds a file that a person chose.
fn blob(bytes: &[u8]) -> web_sys::Blob {
    web_sys::Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).unwrap()
}

#[wasm_bindgen_test]
async fn a_tensor_reads_the_same_from_memory_and_from_a_blob() {
    let expected = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
    assert_eq!(read_dense(Rc::new(MemorySource::new("model.safetensors", one_tensor()))).await, expected);
    assert_eq!(read_dense(Rc::new(BlobSource::new("model.safetensors", blob(&one_tensor())))).await, expected);
}

#[wasm_bindgen_test]
async fn a_range_beyond_a_blob_is_refused() {
    let source = BlobSource::new("short.bin", blob(&[1, 2, 3]));
    assert_eq!(source.read(1..3).await.unwrap(), [2, 3]);
    let error = source.read(2..4).await.unwrap_err().to_string();
    assert!(error.contains("short.bin"), "{error}");
}

#[wasm_bindgen_test]
async fn products_on_the_cpu_device_are_those_of_plain_loops() {
    let device = Device::open(Preference::Cpu, CancelToken::default()).await.unwrap();
    let (rows, inner, cols) = (17, 33, 19);
    let mut random = Random::new(7);
    let a: Vec<f32> = (0..rows * inner).map(|_| random.normal() as f32).collect();
    let b: Vec<f32> = (0..inner * cols).map(|_| random.normal() as f32).collect();
    let (left, right) = (device.upload(rows, inner, &a).await.unwrap(), device.upload(inner, cols, &b).await.unwrap());
    let product = device.matmul(&left, Op::N, &right, Op::N).await.unwrap();
    let product = device.read(&product).await.unwrap();
    assert_eq!(product.len(), rows * cols);
    for (at, value) in product.iter().enumerate() {
        let (row, col) = (at / cols, at % cols);
        let exact: f64 = (0..inner).map(|k| f64::from(a[row * inner + k]) * f64::from(b[k * cols + col])).sum();
        assert!((f64::from(*value) - exact).abs() < 1e-4, "row {row}, column {col}: {value} is not {exact}");
    }
}

#[wasm_bindgen_test]
async fn a_solution_on_the_cpu_device_solves_its_system() {
    let device = Device::open(Preference::Cpu, CancelToken::default()).await.unwrap();
    let a = device.upload(2, 2, &[4.0, 1.0, 1.0, 3.0]).await.unwrap();
    let b = device.upload(2, 1, &[1.0, 2.0]).await.unwrap();
    let solution = device.solve_spd(&a, &b).await.unwrap();
    assert!(solution.smallest_pivot > 0.0);
    let x = device.read(&solution.x).await.unwrap();
    assert!((x[0] - 1.0 / 11.0).abs() < 1e-6 && (x[1] - 7.0 / 11.0).abs() < 1e-6, "{x:?}");
}
