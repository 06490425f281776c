use super::*;
use crate::base::LocalFuture;
use crate::checkpoint::{ByteSource, MemorySource};
use pollster::block_on;
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::any::Any;
use std::rc::Rc;

/// A whole file of this JSON and this many bytes of data.
fn file(json: impl AsRef<[u8]>, data: usize) -> Vec<u8> {
    let json = json.as_ref();
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(json);
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn open(bytes: impl Into<Vec<u8>>) -> Result<Header> {
    let source: Source = Rc::new(MemorySource::new("m.safetensors", bytes));
    block_on(read(&source))
}

/// Opening must fail with a sentence that names the file and has all of `words`.
#[track_caller]
fn refused(bytes: impl Into<Vec<u8>>, words: &[&str]) {
    let sentence = open(bytes).unwrap_err().to_string();
    for word in ["m.safetensors"].iter().chain(words) {
        assert!(sentence.contains(word), "{word:?} is not in: {sentence}");
    }
    assert!(sentence.len() < 1000 && !sentence.contains('\n'), "{sentence}");
}

fn one(dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
}

#[test]
fn a_good_file_opens() {
    let json = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}   "#;
    let header = open(file(json, 28)).unwrap();
    let start = 8 + json.len() as u64;
    assert_eq!(header.metadata["format"], "pt");
    let got: Vec<_> = header.tensors.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.as_slice(), t.range.clone())).collect();
    assert_eq!(got, [("a", Dtype::F16, &[2][..], start..start + 4), ("b", Dtype::F32, &[2, 3][..], start + 4..start + 28)]);
    assert_eq!(open(file("{}", 0)).unwrap().tensors, []);
    assert_eq!(open(file(one("BOOL", "[0,7]", "[0,0]"), 0)).unwrap().tensors.len(), 1);
    assert_eq!(open(file(one("I64", "[]", "[0,8]"), 8)).unwrap().tensors.len(), 1);
}

#[test]
fn truncated_anywhere_is_refused() {
    let whole = file(one("F32", "[2]", "[0,8]"), 8);
    assert!(open(whole.clone()).is_ok());
    for end in 0..whole.len() {
        refused(&whole[..end], &["not a whole safetensors file"]);
    }
}

#[test]
fn trailing_bytes_are_refused() {
    refused(file(one("F32", "[2]", "[0,8]"), 9), &["tensors end at byte"]);
    refused(file("{}", 1), &["tensors end at byte 10", "11 bytes"]);
}

/// Claims to be large and counts what is read.
struct Claims(u64);

impl ByteSource for Claims {
    fn name(&self) -> &str {
        "m.safetensors"
    }
    fn len(&self) -> u64 {
        u64::MAX
    }
    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        assert_eq!(range, 0..8, "only the length may be read");
        Box::pin(async move { Ok(self.0.to_le_bytes().to_vec()) })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_header_that_claims_too_much_is_never_read() {
    for claimed in [LONGEST_HEADER + 1, 1 << 40, u64::MAX - 8, u64::MAX] {
        let source: Source = Rc::new(Claims(claimed));
        assert!(block_on(read(&source)).unwrap_err().to_string().contains("format allows 100000000"));
    }
    refused(LONGEST_HEADER.to_le_bytes(), &["goes beyond"]);
    let mut short = 3u64.to_le_bytes().to_vec();
    short.extend(b"{}");
    refused(short, &["goes beyond the file's 10 bytes"]);
}

#[test]
fn other_kinds_of_files_are_refused() {
    refused(b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl".as_slice(), &["not a safetensors file"]);
    refused(b"<!DOCTYPE html><html>".as_slice(), &["not a safetensors file"]);
    refused(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n".as_slice(), &["Git LFS pointer", "git lfs pull"]);
    refused(b"".as_slice(), &["only 0 bytes"]);
}

#[test]
fn json_of_another_kind_is_refused() {
    for json in ["", "[]", "null", "1", " {}", "\u{feff}{}", "\"{}\""] {
        refused(file(json, 0), &["does not begin with an opening brace"]);
    }
    for json in ["{", "{]", "{}x", "{} {}", r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":[1]}"#, "{\"a\":\"\u{1}\"}", "{}\0"] {
        refused(file(json, 0), &["does not parse"]);
    }
    refused(file(b"{\"\xff\xfe\":1}", 0), &["not UTF-8"]);
    // A lone surrogate is valid UTF-8 and valid JSON syntax, but no text.
    refused(file(r#"{"\ud800":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#, 4), &["does not parse"]);
}

#[test]
fn fields_of_another_kind_are_refused() {
    for (shape, offsets) in [
        ("[-1]", "[0,4]"),
        ("[1.0]", "[0,4]"),
        ("[18446744073709551616]", "[0,4]"),
        ("[\"1\"]", "[0,4]"),
        ("1", "[0,4]"),
        ("null", "[0,4]"),
        ("[1]", "[0]"),
        ("[1]", "[0,4,8]"),
        ("[1]", "[-4,0]"),
        ("[1]", "[0,4.0]"),
        ("[1]", "4"),
    ] {
        refused(file(one("F32", shape, offsets), 4), &["does not parse", "a"]);
    }
    refused(file(r#"{"a":{"dtype":"F32","shape":[1]}}"#, 4), &["data_offsets"]);
    refused(file(r#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4), &["dtype"]);
    refused(file(r#"{"__metadata__":{"n":1}}"#, 0), &["does not parse"]);
    refused(file(r#"{"__metadata__":["pt"]}"#, 0), &["does not parse"]);
}

#[test]
fn unknown_dtypes_are_named() {
    for dtype in ["F128", "f32", "", "F32 ", "Float", "F8"] {
        refused(file(one(dtype, "[1]", "[0,4]"), 4), &["\"a\"", &format!("unknown dtype {dtype:?}")]);
    }
}

#[test]
fn duplicate_names_are_refused() {
    let twice = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    refused(file(twice, 8), &["\"a\"", "twice"]);
    // The same name in another spelling.
    let escaped = twice.replacen("\"a\"", "\"\\u0061\"", 1);
    refused(file(escaped, 8), &["\"a\"", "twice"]);
    refused(file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), &["twice"]);
    refused(file(r#"{"__metadata__":{"x":"1","x":"2"}}"#, 0), &["\"x\"", "twice"]);
    refused(file(r#"{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}"#, 4), &["dtype"]);
}

fn two(first: (u64, u64), second: (u64, u64)) -> String {
    let info = |(from, to): (u64, u64)| format!(r#"{{"dtype":"U8","shape":[{}],"data_offsets":[{from},{to}]}}"#, to.wrapping_sub(from));
    format!(r#"{{"a":{},"b":{}}}"#, info(first), info(second))
}

#[test]
fn overlaps_and_holes_are_named() {
    assert!(open(file(two((4, 8), (0, 4)), 8)).is_ok());
    refused(file(two((0, 5), (4, 8)), 8), &["\"b\" overlaps"]);
    refused(file(two((0, 8), (0, 8)), 8), &["\"b\" overlaps"]);
    refused(file(two((0, 8), (2, 6)), 8), &["\"b\" overlaps"]);
    refused(file(two((0, 3), (4, 8)), 8), &["\"b\" leaves a hole"]);
    refused(file(two((1, 4), (4, 8)), 8), &["\"a\" leaves a hole"]);
    // Something empty may not lie inside of something else.
    refused(file(two((0, 8), (4, 4)), 8), &["\"b\" overlaps"]);
}

#[test]
fn offsets_that_do_not_fit_the_shape_are_refused() {
    refused(file(one("F32", "[2]", "[0,4]"), 4), &["\"a\" needs 8 bytes"]);
    refused(file(one("F32", "[1]", "[4,0]"), 4), &["\"a\" needs 4 bytes"]);
    refused(file(one("F4", "[3]", "[0,2]"), 2), &["\"a\" gives no byte count"]);
    assert!(open(file(one("F4", "[4]", "[0,2]"), 2)).is_ok());
}

#[test]
fn overflow_near_the_end_of_64_bits_is_refused() {
    let max = u64::MAX;
    refused(file(one("F32", "[4294967296,4294967296]", "[0,0]"), 0), &["no byte count"]);
    refused(file(one("U8", &format!("[{max},2]"), "[0,0]"), 0), &["no byte count"]);
    refused(file(one("U64", &format!("[{}]", 1u64 << 61), "[0,0]"), 0), &["no byte count"]);
    // The product passes through an overflow although a later dimension is zero; other readers refuse it as well.
    refused(file(one("U8", "[4294967296,4294967296,0]", "[0,0]"), 0), &["no byte count"]);
    // One less than 2^61 elements, whose bits just fit.
    let elements = (1u64 << 61) - 1;
    refused(file(one("U8", &format!("[{elements}]"), &format!("[0,{elements}]")), 0), &["beyond the file"]);
    for from in [max - 4, max - 8, max - 100] {
        refused(file(one("F32", "[1]", &format!("[{from},{}]", from + 4)), 4), &["beyond the file"]);
    }
    refused(file(one("U8", "[0]", &format!("[{max},{max}]")), 0), &["beyond the file"]);
}

#[test]
fn deep_json_neither_opens_nor_overflows_the_stack() {
    for deep in [100, 1_000, 1_000_000] {
        let nest = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
        refused(file(format!(r#"{{"a":{nest}}}"#), 0), &["does not parse"]);
        refused(file(format!(r#"{{"__metadata__":{nest}}}"#), 0), &["does not parse"]);
        let inner = "{\"a\":".repeat(deep);
        refused(file(inner, 0), &["does not parse"]);
    }
}

#[test]
fn long_and_odd_names_are_cut_in_sentences() {
    let name = "x\\n\\u0007".repeat(100_000);
    refused(file(format!(r#"{{"{name}":{{"dtype":"F31","shape":[],"data_offsets":[0,4]}}}}"#), 4), &["unknown dtype"]);
    refused(file(format!(r#"{{"{name}":3}}"#), 4), &["does not parse"]);
    refused(file(format!(r#"{{"a":"{name}"}}"#), 4), &["does not parse"]);
}

proptest! {
    /// Whatever we accept, the format's own crate accepts and reads the same way.
    #[test]
    fn never_laxer_than_the_crate(
        dtypes in proptest::collection::vec(0usize..6, 1..4),
        shapes in proptest::collection::vec(proptest::collection::vec(0u64..4, 0..3), 3),
        nudges in proptest::collection::vec(-1i64..2, 8),
        nudge in any::<bool>(),
    ) {
        let mut offset = 0i64;
        let mut members = Vec::new();
        for (index, dtype) in dtypes.iter().enumerate() {
            let dtype = ["F32", "F16", "U8", "F4", "BOOL", "F9"][*dtype];
            let span = Dtype::from_name(dtype).and_then(|d| d.span(&shapes[index])).unwrap_or(4) as i64;
            let nudges = if nudge { &nudges[2 * index..] } else { &[0, 0] };
            let (from, to) = (offset + nudges[0], offset + span + nudges[1]);
            members.push(format!(r#""t{index}":{{"dtype":"{dtype}","shape":{:?},"data_offsets":[{from},{to}]}}"#, shapes[index]));
            offset += span;
        }
        let bytes = file(format!("{{{}}}", members.join(",")), (offset + if nudge { nudges[7] } else { 0 }).max(0) as usize);
        match (open(bytes.clone()), SafeTensors::deserialize(&bytes)) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(ours.tensors.len(), theirs.len());
                for info in ours.tensors {
                    let view = theirs.tensor(&info.name).unwrap();
                    prop_assert_eq!(view.shape().iter().map(|n| *n as u64).collect::<Vec<_>>(), info.shape);
                    prop_assert_eq!(view.data().as_ptr() as usize - bytes.as_ptr() as usize, info.range.start as usize);
                    prop_assert_eq!(view.data().len() as u64, info.range.end - info.range.start);
                }
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "ours {ours:?}, theirs {theirs:?}"),
        }
    }

    /// Arbitrary damage to a good file may be refused or harmless, but never panics, and never passes what the crate refuses.
    #[test]
    fn damaged_bytes_are_refused_or_harmless(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(), short in any::<bool>()) {
        let json = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}"#;
        let mut bytes = file(json, 9);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if short {
            bytes.truncate(cut.index(bytes.len()));
        }
        if open(bytes.clone()).is_ok() {
            prop_assert!(SafeTensors::deserialize(&bytes).is_ok());
        }
    }
}
