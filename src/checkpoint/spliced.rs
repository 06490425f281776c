//! An output read back as if it had been written: the pruned model is evaluated from its parts.

use super::{ByteSource, Folder, OutputFile, Part, Source};
use crate::base::{Error, LocalFuture, Result};
use std::any::Any;
use std::ops::Range;
use std::rc::Rc;

/// The parts of a file, one after the other, as one source.
struct Spliced {
    file: OutputFile,
    length: u64,
}

impl Spliced {
    async fn gather(&self, range: Range<u64>) -> Result<Vec<u8>> {
        if range.start > range.end || range.end > self.length {
            return Err(Error::internal(format_args!("a read of {range:?} in {} bytes of {}", self.length, self.file.name)));
        }
        let mut bytes = Vec::new();
        let mut start = 0;
        for Part { source, range: of } in &self.file.parts {
            let end = start + (of.end - of.start);
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                bytes.extend(source.read(of.start + from - start..of.start + to - start).await?);
            }
            start = end;
        }
        Ok(bytes)
    }
}

impl ByteSource for Spliced {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(self.gather(range))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Output files as a model folder.
pub fn folder_of(files: &[OutputFile]) -> Result<Folder> {
    Folder::new(files.iter().map(|file| Rc::new(Spliced { length: file.len(), file: file.clone() }) as Source).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::MemorySource;

    #[test]
    fn reads_across_parts() {
        let source: Source = Rc::new(MemorySource::new("a", b"0123456789".to_vec()));
        let part = |range| Part { source: source.clone(), range };
        let file = OutputFile { name: "f".into(), parts: vec![part(2..5), part(0..0), part(7..9)] };
        let folder = folder_of(&[file]).unwrap();
        let read = |range| pollster::block_on(folder.files()[0].read(range));
        assert_eq!(read(0..5).unwrap(), b"23478");
        assert_eq!(read(1..4).unwrap(), b"347");
        assert_eq!(read(3..3).unwrap(), b"");
        assert!(read(4..6).is_err());
    }
}
