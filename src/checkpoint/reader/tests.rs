use super::*;
use crate::checkpoint::{Data, MemorySource, OutputTensor, lay_out};
use pollster::block_on;
use std::rc::Rc;

fn source(name: &str, bytes: &[u8]) -> Source {
    Rc::new(MemorySource::new(name, bytes))
}

/// A safetensors file of `[2, 2]` tensors whose values all are `value`.
fn weights(file: &str, names: &[&str], value: f32) -> Source {
    let tensors = names
        .iter()
        .map(|name| OutputTensor {
            name: (*name).into(),
            dtype: Dtype::F32,
            shape: vec![2, 2],
            data: Data::Changed(source(name, &[value.to_le_bytes(); 4].concat())),
        })
        .collect();
    let written = lay_out(tensors, &BTreeMap::from([("from".to_owned(), file.to_owned())]), u64::MAX).unwrap();
    let bytes: Vec<u8> = written[0].parts.iter().flat_map(|p| block_on(p.source.read(p.range.clone())).unwrap()).collect();
    source(file, &bytes)
}

fn index(json: &str) -> Source {
    source(INDEX, json.as_bytes())
}

fn open(files: Vec<Source>) -> Result<Checkpoint> {
    block_on(Checkpoint::open(&Folder::new(files).unwrap()))
}

#[track_caller]
fn refused(files: Vec<Source>, words: &[&str]) {
    let sentence = open(files).unwrap_err().to_string();
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
}

fn value(checkpoint: &Checkpoint, name: &str) -> f32 {
    block_on(checkpoint.matrix(name, Layout::OutIn)).unwrap().to_f32_inputs_major().unwrap()[0]
}

const ONE: &str = "model-00001-of-00002.safetensors";
const TWO: &str = "model-00002-of-00002.safetensors";

#[test]
fn model_safetensors_comes_before_an_index() {
    let map = format!(r#"{{"weight_map":{{"a":"{ONE}"}}}}"#);
    let opened = open(vec![weights(SINGLE, &["a"], 1.0), weights(ONE, &["a"], 2.0), index(&map)]).unwrap();
    assert_eq!(value(&opened, "a"), 1.0);
}

#[test]
fn the_index_decides_where_a_tensor_is_and_extras_stay() {
    let map = format!(r#"{{"metadata":{{"total_size":1}},"weight_map":{{"a":"{ONE}","b":"{TWO}"}}}}"#);
    let opened = open(vec![weights(ONE, &["a", "b"], 1.0), weights(TWO, &["b", "extra"], 2.0), index(&map)]).unwrap();
    assert_eq!(opened.entries().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a", "b", "extra"]);
    assert_eq!((value(&opened, "a"), value(&opened, "b"), value(&opened, "extra")), (1.0, 2.0, 2.0));
    assert_eq!(opened.metadata()["from"], ONE);
    assert_eq!((opened.total_bytes(), opened.parameters()), (48, 12));
}

#[test]
fn missing_shards_and_tensors_are_named() {
    let map = format!(r#"{{"weight_map":{{"a":"{ONE}","b":"{TWO}"}}}}"#);
    refused(vec![weights(ONE, &["a"], 1.0), index(&map)], &[TWO, INDEX]);
    refused(vec![weights(ONE, &["a"], 1.0), weights(TWO, &["c"], 1.0), index(&map)], &[TWO, "\"b\""]);
    refused(vec![weights(ONE, &["a"], 1.0), index(r#"{"weight_map":{"a":"../model.safetensors"}}"#)], &["../model.safetensors"]);
}

#[test]
fn a_tensor_in_two_shards_that_no_index_places_is_refused() {
    let map = format!(r#"{{"weight_map":{{"a":"{ONE}","b":"{TWO}"}}}}"#);
    refused(vec![weights(ONE, &["a", "x"], 1.0), weights(TWO, &["b", "x"], 2.0), index(&map)], &["\"x\"", ONE, TWO]);
}

#[test]
fn an_index_that_is_none_is_refused() {
    for json in ["", "[]", "{}", r#"{"weight_map":[]}"#, r#"{"weight_map":{"a":1}}"#, r#"{"weight_map":{"a":"x","a":"y"}}"#] {
        refused(vec![index(json)], &["not a shard index"]);
    }
    refused(vec![index(r#"{"weight_map":{}}"#)], &["no tensor"]);
}

#[test]
fn folders_without_one_clear_model_say_what_is_needed() {
    let config = || source("config.json", b"{}");
    refused(vec![config()], &["no safetensors file", SINGLE]);
    for name in ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.ckpt", "weights.pt"] {
        refused(vec![config(), source(name, b"PK")], &[name, "convert"]);
    }
    refused(vec![weights("a.safetensors", &["a"], 1.0), weights("b.safetensors", &["b"], 1.0)], &["a.safetensors", "b.safetensors", INDEX]);
    refused(vec![weights(TWO, &["a"], 1.0)], &[TWO, "one shard", INDEX]);
    assert_eq!(value(&open(vec![config(), weights("bert.safetensors", &["a"], 5.0)]).unwrap(), "a"), 5.0);
    assert!(open(vec![weights("model-00001-of-00001.safetensors", &["a"], 5.0)]).is_ok());
}

#[test]
fn tensors_of_another_shape_or_dtype_are_named() {
    let tensor = |name: &str, dtype: Dtype, shape: &[u64]| OutputTensor {
        name: name.into(),
        dtype,
        shape: shape.to_vec(),
        data: Data::Changed(source(name, &vec![0; dtype.span(shape).unwrap() as usize])),
    };
    let tensors = vec![tensor("ids", Dtype::I64, &[1, 4]), tensor("bias", Dtype::BF16, &[3]), tensor("scalar", Dtype::F32, &[])];
    let written = lay_out(tensors, &BTreeMap::new(), u64::MAX).unwrap();
    let bytes: Vec<u8> = written[0].parts.iter().flat_map(|p| block_on(p.source.read(p.range.clone())).unwrap()).collect();
    let opened = open(vec![source(SINGLE, &bytes)]).unwrap();
    let said = |name: &str| block_on(opened.matrix(name, Layout::OutIn)).unwrap_err().to_string();
    assert!(said("ids").contains("\"ids\" in model.safetensors has the dtype I64"));
    assert!(said("bias").contains("has the shape [3], which is no matrix"));
    assert!(said("gone").contains("no tensor \"gone\""));
    assert!(block_on(opened.vector("ids")).unwrap_err().to_string().contains("[1, 4], which is no vector"));
    assert!(block_on(opened.rows("scalar", &[0])).unwrap_err().to_string().contains("\"scalar\""));
    assert_eq!(block_on(opened.vector("bias")).unwrap(), [0.0; 3]);
    assert_eq!((opened.parameters(), opened.total_bytes()), (4, 42));
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn opening_a_checkpoint_of_gigabytes_reads_its_header_only() {
    // A sparse file: one bf16 table of 5 GiB, of which the last rows are asked.
    use std::io::{Seek, SeekFrom, Write};
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(folder.path().join(SINGLE)).unwrap();
    let (rows, cols) = ((5u64 << 30) / 2048, 1024u64);
    let json = format!(r#"{{"table":{{"dtype":"BF16","shape":[{rows},{cols}],"data_offsets":[0,{}]}}}}"#, 5u64 << 30);
    file.write_all(&(json.len() as u64).to_le_bytes()).unwrap();
    file.write_all(json.as_bytes()).unwrap();
    let start = 8 + json.len() as u64;
    file.set_len(start + (5 << 30)).unwrap();
    file.seek(SeekFrom::Start(start + (rows - 1) * 2048)).unwrap();
    file.write_all(&[0x80, 0x3f]).unwrap();
    drop(file);

    let opened = block_on(Checkpoint::open(&Folder::open(folder.path()).unwrap())).unwrap();
    assert_eq!((opened.parameters(), opened.total_bytes()), (rows * cols, 5 << 30));
    let got = block_on(opened.rows("table", &[rows as u32 - 1, 0])).unwrap();
    assert_eq!(decode(got.dtype, &got.bytes).unwrap()[0], 1.0);
    assert!(got.bytes[2..].iter().all(|byte| *byte == 0));
}
