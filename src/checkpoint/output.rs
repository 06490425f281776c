//! What an output is made of: files that are lists of byte ranges.

use super::{Dtype, Entry, MemorySource, Source};
use std::ops::Range;
use std::rc::Rc;

/// The bytes of one tensor of the output.
#[derive(Debug, Clone)]
pub enum Data {
    /// The same bytes as in the input.
    Kept(Entry),
    /// All bytes of a source.
    Changed(Source),
}

impl Data {
    /// The bytes as a range of a source.
    pub(super) fn part(&self) -> Part {
        match self {
            Self::Kept(entry) => Part { source: entry.source.clone(), range: entry.range.clone() },
            Self::Changed(source) => Part::whole(source.clone()),
        }
    }
}

/// One tensor of the output.
#[derive(Debug, Clone)]
pub struct OutputTensor {
    /// The tensor's name.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Lengths of the dimensions, outermost first.
    pub shape: Vec<u64>,
    /// Its bytes.
    pub data: Data,
}

/// A range of a source.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where the bytes are.
    pub source: Source,
    /// Which of them, from the source's start.
    pub range: Range<u64>,
}

impl Part {
    /// All bytes of a source.
    pub fn whole(source: Source) -> Self {
        Self { range: 0..source.len(), source }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A file of the output: its parts one after the other.
#[derive(Debug, Clone)]
pub struct OutputFile {
    /// File name without folders.
    pub name: String,
    /// The parts in order.
    pub parts: Vec<Part>,
}

impl OutputFile {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(Part::len).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A file of this text.
    pub fn text(name: impl Into<String>, text: String) -> Self {
        let name = name.into();
        Self { parts: vec![Part::whole(Rc::new(MemorySource::new(name.clone(), text)))], name }
    }

    /// A file that is a copy of a source, under its name.
    pub fn copy(source: Source) -> Self {
        Self { name: source.name().to_owned(), parts: vec![Part::whole(source)] }
    }
}
