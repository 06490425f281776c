use super::*;
use crate::base::LocalFuture;
use crate::checkpoint::{ByteSource, Checkpoint, Data, Dtype, Folder, Source};
use pollster::block_on;
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;

/// Types whose elements are whole bytes.
const DTYPES: [Dtype; 9] = [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F64, Dtype::I64, Dtype::U8, Dtype::Bool, Dtype::F8E4M3, Dtype::I16];

fn changed(name: &str, dtype: Dtype, shape: &[u64], bytes: Vec<u8>) -> OutputTensor {
    let data = Data::Changed(Rc::new(MemorySource::new(name, bytes)));
    OutputTensor { name: name.into(), dtype, shape: shape.to_vec(), data }
}

fn filled(name: &str, dtype: Dtype, shape: &[u64], seed: u8) -> OutputTensor {
    let count = dtype.span(shape).unwrap();
    changed(name, dtype, shape, (0..count).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect())
}

fn bytes_of(file: &OutputFile) -> Vec<u8> {
    file.parts.iter().flat_map(|part| block_on(part.source.read(part.range.clone())).unwrap()).collect()
}

fn folder(files: &[OutputFile]) -> Folder {
    Folder::new(files.iter().map(|f| Rc::new(MemorySource::new(f.name.clone(), bytes_of(f))) as Source).collect()).unwrap()
}

fn pt() -> BTreeMap<String, String> {
    BTreeMap::from([("format".to_owned(), "pt".to_owned())])
}

/// The same tensors as the format's own crate writes them.
fn crate_bytes(tensors: &[OutputTensor], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let data: Vec<_> = tensors.iter().map(|t| block_on(t.data.part().source.read(t.data.part().range)).unwrap()).collect();
    let views = tensors.iter().zip(&data).map(|(t, data)| {
        let dtype = serde_json::from_value(t.dtype.name().into()).unwrap();
        (t.name.as_str(), TensorView::new(dtype, t.shape.iter().map(|n| *n as usize).collect(), data).unwrap())
    });
    let metadata = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect::<HashMap<_, _>>());
    safetensors::serialize(views, metadata).unwrap()
}

#[test]
fn no_tensors_at_all_still_make_a_file() {
    let files = lay_out(vec![], &BTreeMap::new(), DEFAULT_SHARD_LIMIT).unwrap();
    assert_eq!(SafeTensors::deserialize(&bytes_of(&files[0])).unwrap().len(), 0);
}

#[test]
fn data_starts_aligned_whatever_the_names() {
    for length in 1..20 {
        let name = "n".repeat(length);
        let files = lay_out(vec![filled(&name, Dtype::U8, &[3], 0), filled("w", Dtype::F64, &[1], 1)], &pt(), DEFAULT_SHARD_LIMIT).unwrap();
        let checkpoint = block_on(Checkpoint::open(&folder(&files))).unwrap();
        assert_eq!(checkpoint.get("w").unwrap().range.start % 8, 0);
        assert_eq!(checkpoint.entries().next().unwrap().name, "w");
    }
}

#[test]
fn names_that_json_must_escape_survive() {
    let names = ["a\"b", "back\\slash", "tab\t", "ünïcode 層", "", "nul\0"];
    let tensors: Vec<_> = names.iter().map(|name| filled(name, Dtype::U8, &[2], 3)).collect();
    let metadata = BTreeMap::from([("recipe".to_owned(), "{\"version\":1,\n\"x\":\"\\\"}".to_owned())]);
    let files = lay_out(tensors, &metadata, DEFAULT_SHARD_LIMIT).unwrap();
    let checkpoint = block_on(Checkpoint::open(&folder(&files))).unwrap();
    assert!(names.iter().all(|name| checkpoint.get(name).is_some()));
    assert_eq!(checkpoint.metadata(), &metadata);
}

#[test]
fn kept_neighbours_become_one_part() {
    let input = lay_out((0..5).map(|i| filled(&format!("t{i}"), Dtype::F32, &[4], i)).collect(), &pt(), DEFAULT_SHARD_LIMIT).unwrap();
    let checkpoint = block_on(Checkpoint::open(&folder(&input))).unwrap();
    let keep = |entry: &crate::checkpoint::Entry| OutputTensor {
        name: entry.name.clone(),
        dtype: entry.dtype,
        shape: entry.shape.clone(),
        data: Data::Kept(entry.clone()),
    };
    let mut tensors: Vec<_> = checkpoint.entries().map(keep).collect();
    let files = lay_out(tensors.clone(), &pt(), DEFAULT_SHARD_LIMIT).unwrap();
    assert_eq!((files.len(), files[0].parts.len()), (1, 2), "a header and one run");
    assert_eq!(bytes_of(&files[0]), bytes_of(&input[0]));

    tensors[2] = filled("t2", Dtype::F32, &[2], 9);
    let files = lay_out(tensors, &pt(), DEFAULT_SHARD_LIMIT).unwrap();
    assert_eq!(files[0].parts.len(), 4, "a header, a run, the changed tensor, a run");
    let bytes = bytes_of(&files[0]);
    let read = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.tensor("t2").unwrap().shape(), [2]);
    assert_eq!(read.tensor("t4").unwrap().data()[..2], [4, 35]);
}

#[test]
fn ranges_of_two_files_that_line_up_by_chance_stay_apart() {
    let input = lay_out(vec![filled("a", Dtype::U8, &[8], 1), filled("b", Dtype::U8, &[8], 2)], &pt(), DEFAULT_SHARD_LIMIT).unwrap();
    let (one, two) = (block_on(Checkpoint::open(&folder(&input))).unwrap(), block_on(Checkpoint::open(&folder(&input))).unwrap());
    let (a, b) = (one.get("a").unwrap().clone(), two.get("b").unwrap());
    // The same place, but in another file.
    let other: Source = Rc::new(MemorySource::new("other", vec![7; b.range.end as usize]));
    let b = crate::checkpoint::Entry { source: other, ..b.clone() };
    let kept = |entry: crate::checkpoint::Entry| OutputTensor {
        name: entry.name.clone(),
        dtype: entry.dtype,
        shape: entry.shape.clone(),
        data: Data::Kept(entry),
    };
    let files = lay_out(vec![kept(a), kept(b)], &pt(), DEFAULT_SHARD_LIMIT).unwrap();
    assert_eq!(SafeTensors::deserialize(&bytes_of(&files[0])).unwrap().tensor("b").unwrap().data(), [7; 8]);
}

#[test]
fn shards_and_their_index_open_again() {
    let tensors: Vec<_> = (0..7u8).map(|i| filled(&format!("t{i}"), Dtype::F16, &[8], i)).collect();
    let files = lay_out(tensors.clone(), &pt(), 40).unwrap();
    let names: Vec<_> = files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names[..2], ["model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors"]);
    assert_eq!((names.len(), names[4]), (5, "model.safetensors.index.json"));
    for file in &files[..4] {
        SafeTensors::deserialize(&bytes_of(file)).unwrap();
    }
    let index: Value = serde_json::from_slice(&bytes_of(&files[4])).unwrap();
    assert_eq!(index["metadata"], json!({ "total_parameters": 56, "total_size": 112 }));
    assert_eq!(index["weight_map"]["t6"], "model-00004-of-00004.safetensors");
    let checkpoint = block_on(Checkpoint::open(&folder(&files))).unwrap();
    assert_eq!((checkpoint.total_bytes(), checkpoint.parameters(), checkpoint.metadata()), (112, 56, &pt()));
    for tensor in tensors {
        let entry = checkpoint.require(&tensor.name).unwrap();
        let part = tensor.data.part();
        assert_eq!(block_on(entry.bytes()).unwrap(), block_on(part.source.read(part.range)).unwrap());
    }
}

#[test]
fn a_tensor_above_the_limit_has_its_own_shard() {
    let tensors = vec![filled("a", Dtype::U8, &[3], 0), filled("b", Dtype::U8, &[50], 0), filled("c", Dtype::U8, &[3], 0)];
    let files = lay_out(tensors, &pt(), 10).unwrap();
    assert_eq!(files.len(), 4);
    assert!(block_on(Checkpoint::open(&folder(&files))).is_ok());
}

/// Zeros without end, for sizes that no test can hold.
struct Zeros(u64);

impl ByteSource for Zeros {
    fn name(&self) -> &str {
        "zeros"
    }
    fn len(&self) -> u64 {
        self.0
    }
    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move { Ok(vec![0; (range.end - range.start) as usize]) })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn offsets_go_on_beyond_four_gigabytes() {
    let huge = |name: &str| OutputTensor {
        name: name.into(),
        dtype: Dtype::BF16,
        shape: vec![3, 1 << 30],
        data: Data::Changed(Rc::new(Zeros(3 << 31))),
    };
    let files = lay_out(vec![huge("a"), huge("b")], &pt(), u64::MAX).unwrap();
    assert_eq!(files.len(), 1);
    let header = block_on(files[0].parts[0].source.read(0..files[0].parts[0].len())).unwrap();
    let json: Value = serde_json::from_slice(&header[8..]).unwrap();
    assert_eq!(json["b"]["data_offsets"], json!([6_442_450_944u64, 12_884_901_888u64]));
    assert_eq!(files[0].len(), header.len() as u64 + 12_884_901_888);
    assert_eq!(lay_out(vec![huge("a"), huge("b")], &pt(), DEFAULT_SHARD_LIMIT).unwrap().len(), 3);
}

#[test]
fn defects_of_the_caller_are_errors() {
    let said = |tensors| lay_out(tensors, &pt(), DEFAULT_SHARD_LIMIT).unwrap_err().to_string();
    assert!(said(vec![filled("a", Dtype::U8, &[1], 0), filled("a", Dtype::U8, &[1], 0)]).contains("twice"));
    assert!(said(vec![filled(METADATA, Dtype::U8, &[1], 0)]).contains("forbids"));
    assert!(said(vec![changed("a", Dtype::F32, &[2], vec![0; 7])]).contains("\"a\" of shape [2]"));
    assert!(said(vec![changed("a", Dtype::F32, &[u64::MAX, 8], vec![])]).contains("\"a\""));
}

#[test]
fn a_header_above_the_format_is_refused() {
    let metadata = BTreeMap::from([("recipe".to_owned(), "x".repeat(LONGEST_HEADER as usize))]);
    let sentence = lay_out(vec![], &metadata, DEFAULT_SHARD_LIMIT).unwrap_err().to_string();
    assert!(sentence.contains("format allows"), "{sentence}");
}

proptest! {
    /// Our file is, byte for byte, the file of the format's own crate; and ours reads theirs.
    #[test]
    fn files_equal_those_of_the_crate(
        specs in proptest::collection::vec((0usize..DTYPES.len(), proptest::collection::vec(0u64..5, 0..4), any::<u8>()), 0..12),
        with_metadata in any::<bool>(),
    ) {
        // Names whose order is not that of the tensors.
        let tensors: Vec<_> = specs
            .iter()
            .enumerate()
            .map(|(i, (dtype, shape, seed))| filled(&format!("{}.layer.{i}", seed % 3), DTYPES[*dtype], shape, *seed))
            .collect();
        let metadata = if with_metadata { pt() } else { BTreeMap::new() };
        let files = lay_out(tensors.clone(), &metadata, DEFAULT_SHARD_LIMIT).unwrap();
        let bytes = bytes_of(&files[0]);
        prop_assert_eq!(files[0].len(), bytes.len() as u64);
        prop_assert_eq!(&bytes, &crate_bytes(&tensors, &metadata));

        let theirs = SafeTensors::deserialize(&bytes).unwrap();
        let ours = block_on(Checkpoint::open(&folder(&files))).unwrap();
        prop_assert_eq!(ours.entries().count(), tensors.len());
        for tensor in &tensors {
            let (entry, view) = (ours.require(&tensor.name).unwrap(), theirs.tensor(&tensor.name).unwrap());
            prop_assert_eq!(entry.dtype, tensor.dtype);
            prop_assert_eq!(&entry.shape, &tensor.shape);
            prop_assert_eq!(block_on(entry.bytes()).unwrap(), view.data());
        }
    }
}
