use super::*;
use crate::base::LocalFuture;
use crate::checkpoint::{ByteSource, Folder, MemorySource, Part, Source};
use pollster::block_on;
use std::any::Any;
use std::future::Future;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Waker};

fn text(name: &str, text: &str) -> OutputFile {
    OutputFile::text(name, text.to_owned())
}

/// Everything below a folder, with contents.
fn tree(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
            all.push((path, None));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.push((path, Some(bytes)));
        }
    }
    all.sort();
    all
}

/// Gives `good` bytes and then fails, or never answers.
struct Faulty {
    good: u64,
    hangs: bool,
}

impl ByteSource for Faulty {
    fn name(&self) -> &str {
        "faulty"
    }
    fn len(&self) -> u64 {
        100 << 20
    }
    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            assert!(range.end - range.start <= PIECE, "pieces only");
            if range.end <= self.good {
                return Ok(vec![1; (range.end - range.start) as usize]);
            }
            if self.hangs {
                std::future::pending::<()>().await;
            }
            Err(Error::io("faulty cannot be read (pulled out); plug it in."))
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn faulty(hangs: bool) -> OutputFile {
    let source: Source = Rc::new(Faulty { good: 20 << 20, hangs });
    OutputFile { name: "model.safetensors".into(), parts: vec![Part { range: 0..source.len(), source }] }
}

#[test]
fn writes_parts_in_order_through_missing_parents() {
    let root = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..PIECE + 5).map(|i| (i % 251) as u8).collect();
    let source: Source = Rc::new(MemorySource::new("big", big.clone()));
    let parts = vec![
        Part { range: 3..7, source: source.clone() },
        Part { range: 9..9, source: source.clone() },
        Part { range: 0..source.len(), source },
    ];
    let out = root.path().join("a/b/out");
    block_on(write_folder(&[OutputFile { name: "m".into(), parts }, text("t.json", "{}")], &out)).unwrap();
    assert_eq!(fs::read(out.join("m")).unwrap(), [&[3, 4, 5, 6], big.as_slice()].concat());
    assert_eq!(fs::read_to_string(out.join("t.json")).unwrap(), "{}");
    assert_eq!(tree(root.path()).len(), 5, "two parents, the folder, two files");
}

#[test]
fn an_empty_folder_is_filled_and_a_full_one_refused() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    fs::create_dir(&out).unwrap();
    block_on(write_folder(&[text("a", "1")], &out)).unwrap();
    let before = tree(root.path());
    let error = block_on(write_folder(&[text("a", "2")], &out)).unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(tree(root.path()), before);
}

#[test]
fn a_failing_part_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    for out in ["out", "new/parents/out"] {
        let error = block_on(write_folder(&[text("a", "1"), faulty(false)], &root.path().join(out))).unwrap_err().to_string();
        assert!(error.contains("pulled out"), "{error}");
        assert_eq!(tree(root.path()), []);
    }
}

#[test]
fn a_dropped_write_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("parent/out");
    let files = [text("a", "1"), faulty(true)];
    let mut writing = Box::pin(write_folder(&files, &out));
    assert!(writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(tree(root.path()).len() > 2, "it must have begun");
    assert!(!out.exists(), "nothing half-written under the real name");
    drop(writing);
    assert_eq!(tree(root.path()), []);
}

#[test]
fn the_input_is_refused_and_untouched() {
    let root = tempfile::tempdir().unwrap();
    let input = root.path().join("model");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("config.json"), "{}").unwrap();
    let before = tree(root.path());
    let files: Vec<_> = Folder::open(&input).unwrap().files().iter().cloned().map(OutputFile::copy).collect();
    for out in [input.clone(), input.join("."), input.join("../model"), root.path().join("model/")] {
        let error = block_on(write_folder(&files, &out)).unwrap_err().to_string();
        assert!(error.contains("is the folder of the input"), "{error}");
        assert_eq!(tree(root.path()), before);
    }
    block_on(write_folder(&files, &root.path().join("copy"))).unwrap();
    assert_eq!(fs::read(root.path().join("copy/config.json")).unwrap(), b"{}");
    assert_eq!(fs::read(input.join("config.json")).unwrap(), b"{}");
}

#[test]
fn files_in_the_way_are_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("f"), "x").unwrap();
    let said = |out: &str| block_on(write_folder(&[text("a", "1")], &root.path().join(out))).unwrap_err().to_string();
    assert!(said("f").contains("is a file"));
    assert!(said("f/out").contains("cannot be made"), "{}", said("f/out"));
    assert_eq!(tree(root.path()).len(), 1);
}

#[test]
fn file_names_cannot_leave_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    for name in ["", ".", "..", "../a", "a/b", "/tmp/a", "a\\b", "a\0"] {
        assert!(block_on(write_folder(&[text(name, "1")], &out)).is_err(), "{name:?}");
    }
    assert!(block_on(write_folder(&[text("a", "1"), text("a", "2")], &out)).is_err());
    assert_eq!(tree(root.path()), []);
}
