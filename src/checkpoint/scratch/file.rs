//! Scratch in one temporary file.

use super::Scratch;
use super::space::Space;
use crate::base::{Error, LocalFuture, Result};
use crate::checkpoint::file::read_exactly;
use crate::checkpoint::source::{ByteSource, Source, check_range};
use std::any::Any;
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One temporary file that everything that is kept shares. It goes away with the scratch and the last of its sources; where
/// the system allows, its name goes away at once, so that even a killed process leaves nothing.
pub struct FileScratch {
    kept: Rc<Kept>,
}

struct Kept {
    file: File,
    path: PathBuf,
    named: bool,
    space: Space,
}

impl FileScratch {
    /// An empty scratch file in `folder`, best on the disk that the output goes to.
    ///
    /// # Errors
    /// No file can be made there.
    pub fn new(folder: &Path) -> Result<Self> {
        for attempt in 0.. {
            let path = folder.join(format!(".coppice-scratch-{}-{attempt}", std::process::id()));
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let named = !cfg!(unix) || std::fs::remove_file(&path).is_err();
                    return Ok(Self { kept: Rc::new(Kept { file, path, named, space: Space::default() }) });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::io(format!(
                        "No scratch file can be made in {} ({error}); choose a folder that can be written to.",
                        folder.display()
                    )));
                }
            }
        }
        Err(Error::internal("every scratch name is taken"))
    }

    fn append(&self, name: &str, bytes: &[u8]) -> Result<Source> {
        let range = self.kept.space.take(bytes.len() as u64);
        let mut file = &self.kept.file;
        file.seek(SeekFrom::Start(range.start)).and_then(|_| file.write_all(bytes)).map_err(|error| {
            Error::io(format!(
                "{} bytes of {name} cannot be written to scratch in {} ({error}); free some space on that disk.",
                bytes.len(),
                self.kept.path.parent().unwrap_or(&self.kept.path).display()
            ))
        })?;
        Ok(Rc::new(Piece { name: name.to_owned(), kept: self.kept.clone(), range }))
    }
}

impl Scratch for FileScratch {
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>> {
        let name = name.to_owned();
        Box::pin(async move { self.append(&name, &bytes) })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.named {
            // Nobody is left to be told if this fails.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.kept.space.give(&self.range);
    }
}

/// One tensor's bytes in the file.
struct Piece {
    name: String,
    kept: Rc<Kept>,
    range: Range<u64>,
}

impl ByteSource for Piece {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            check_range(&self.name, self.len(), &range)?;
            let range = self.range.start + range.start..self.range.start + range.end;
            read_exactly(&self.kept.file, &self.name, range).map_err(|error| {
                error
                    .unwrap_or_else(|error| Error::io(format!("{} cannot be read back from scratch ({error}); check the disk.", self.name)))
            })
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;

    #[test]
    fn pieces_outlive_the_scratch_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = FileScratch::new(folder.path()).unwrap();
        let other = FileScratch::new(folder.path()).unwrap();
        let a = block_on(scratch.put("a", vec![1, 2, 3])).unwrap();
        let x = block_on(other.put("x", vec![9])).unwrap();
        let b = block_on(scratch.put("b", vec![4, 5])).unwrap();
        assert_eq!(block_on(a.read(1..3)).unwrap(), [2, 3]);
        drop((scratch, other));
        assert_eq!(block_on(b.read(0..2)).unwrap(), [4, 5]);
        assert_eq!(block_on(x.read(0..1)).unwrap(), [9]);
        assert!(block_on(a.read(2..4)).is_err(), "a piece must not see its neighbour");
        drop((a, b, x));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = FileScratch::new(&folder.path().join("gone")).err().unwrap().to_string();
        assert!(error.contains("gone"), "{error}");
    }
}
