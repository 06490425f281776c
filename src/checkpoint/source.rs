//! Where bytes come from: anything with a name, a length and reads of a range.

use crate::base::{Error, LocalFuture, Result};
use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// A named run of bytes that is read by range and never held whole.
pub trait ByteSource {
    /// File name without folders.
    fn name(&self) -> &str;

    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly the bytes of `range`; an error if they are not all there.
    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>>;

    /// The source itself, for those who know its kind.
    fn as_any(&self) -> &dyn Any;
}

impl fmt::Debug for dyn ByteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name(), self.len())
    }
}

/// A shared source.
pub type Source = Rc<dyn ByteSource>;

/// Bytes in memory.
pub struct MemorySource {
    name: String,
    bytes: Vec<u8>,
}

impl MemorySource {
    /// `bytes` under a file name.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let count = check_range(&self.name, self.len(), &range)?;
            let start = range.start as usize;
            Ok(self.bytes[start..start + count].to_vec())
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The length of a range that lies inside a source and fits into this machine's memory addresses.
pub(super) fn check_range(name: &str, len: u64, range: &Range<u64>) -> Result<usize> {
    if range.start > range.end || range.end > len {
        return Err(ended_early(name, len, range));
    }
    usize::try_from(range.end - range.start).ok().filter(|count| isize::try_from(*count).is_ok()).ok_or_else(|| {
        Error::memory(format!(
            "{name} would have to be read {} bytes at once, which this machine cannot address; use a 64-bit build.",
            range.end - range.start
        ))
    })
}

/// The error for bytes that are not there.
pub(super) fn ended_early(name: &str, len: u64, range: &Range<u64>) -> Error {
    Error::io(format!(
        "{name} ended early: bytes {} to {} were to be read, but it has {len}; check that nothing changes it, and open it again.",
        range.start, range.end
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;

    #[test]
    fn ranges_outside_of_memory_are_errors_and_not_panics() {
        let source = MemorySource::new("a.bin", [1, 2, 3]);
        assert_eq!(block_on(source.read(1..3)).unwrap(), [2, 3]);
        assert!(block_on(source.read(3..3)).unwrap().is_empty());
        #[expect(clippy::reversed_empty_ranges, reason = "the attack")]
        for range in [0..4, 4..4, 2..1, u64::MAX - 1..u64::MAX, u64::MAX..0] {
            let error = block_on(source.read(range.clone())).unwrap_err();
            assert!(error.to_string().contains("a.bin"), "{range:?}: {error}");
        }
    }
}
