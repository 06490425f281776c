//! Files of the native file system.

use super::source::{ByteSource, check_range, ended_early};
use crate::base::{Error, LocalFuture, Result};
use futures_channel::oneshot;
use std::any::Any;
use std::cell::OnceCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file, opened at the first read, so that a folder of many files costs no handles.
pub struct FileSource {
    path: PathBuf,
    name: String,
    len: u64,
    file: OnceCell<Arc<Mutex<File>>>,
}

impl FileSource {
    /// The file at `path`; links are followed.
    ///
    /// # Errors
    /// There is no such file, it cannot be looked at, or it is a folder.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let about = std::fs::metadata(&path)
            .map_err(|error| Error::input(format!("{} cannot be read ({error}); check the path and its permissions.", path.display())))?;
        if !about.is_file() {
            return Err(Error::input(format!("{} is not a file; give the path of a file.", path.display())));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path, name, len: about.len(), file: OnceCell::new() })
    }

    /// Where the file is, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn read_now(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let count = check_range(&self.name, self.len, &range)?;
        let failed = |error| Error::io(format!("{} cannot be read ({error}); check its permissions and the disk.", self.path.display()));
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let file = File::open(&self.path).map_err(failed)?;
                self.file.get_or_init(|| Arc::new(Mutex::new(file)))
            }
        };
        let read = match count < LONG {
            true => read_locked(file, &self.name, range),
            false => {
                let (file, name, (tell, done)) = (file.clone(), self.name.clone(), oneshot::channel());
                std::thread::spawn(move || tell.send(read_locked(&file, &name, range)));
                done.await.map_err(|_| Error::internal("a read that never ended"))?
            }
        };
        read.map_err(|error| error.unwrap_or_else(failed))
    }
}

/// Bytes from which a read has a thread of its own, so that work on other things goes on meanwhile.
const LONG: usize = 1 << 20;

fn read_locked(file: &Mutex<File>, name: &str, range: Range<u64>) -> std::result::Result<Vec<u8>, ReadError> {
    // Another reader's panic leaves a file that is as good as before.
    read_exactly(&file.lock().unwrap_or_else(PoisonError::into_inner), name, range)
}

/// Either a finished sentence or what the system said.
pub(super) enum ReadError {
    Ended(Error),
    System(std::io::Error),
}

impl ReadError {
    pub(super) fn unwrap_or_else(self, sentence: impl FnOnce(std::io::Error) -> Error) -> Error {
        match self {
            Self::Ended(error) => error,
            Self::System(error) => sentence(error),
        }
    }
}

/// The bytes of `range`; the file may have been cut since its length was looked up.
pub(super) fn read_exactly(mut file: &File, name: &str, range: Range<u64>) -> std::result::Result<Vec<u8>, ReadError> {
    let count = range.end - range.start;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(count as usize).map_err(|_| {
        ReadError::Ended(Error::memory(format!(
            "There is no memory left to read {count} bytes of {name}; close other programs and try again."
        )))
    })?;
    file.seek(SeekFrom::Start(range.start)).map_err(ReadError::System)?;
    file.take(count).read_to_end(&mut bytes).map_err(ReadError::System)?;
    if (bytes.len() as u64) < count {
        return Err(ReadError::Ended(ended_early(name, range.start + bytes.len() as u64, &range)));
    }
    Ok(bytes)
}

impl ByteSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(self.read_now(range))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;
    use std::io::Write;

    #[test]
    fn reads_beyond_four_gigabytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.bin");
        let mut file = File::create(&path).unwrap();
        let far = (1u64 << 32) + 12_345;
        file.set_len(far + 100).unwrap();
        file.seek(SeekFrom::Start(far)).unwrap();
        file.write_all(b"beyond").unwrap();
        file.seek(SeekFrom::Start(12_345)).unwrap();
        file.write_all(b"before").unwrap();

        let source = FileSource::open(&path).unwrap();
        assert_eq!(source.len(), far + 100);
        assert_eq!(block_on(source.read(far..far + 6)).unwrap(), b"beyond");
        assert_eq!(block_on(source.read(12_345..12_351)).unwrap(), b"before");
        assert!(block_on(source.read(far + 95..far + 101)).is_err());
    }

    #[test]
    fn a_file_cut_while_open_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.bin");
        std::fs::write(&path, [7; 100]).unwrap();
        let source = FileSource::open(&path).unwrap();
        assert_eq!(block_on(source.read(0..100)).unwrap().len(), 100);
        File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        let error = block_on(source.read(0..100)).unwrap_err().to_string();
        assert!(error.contains("cut.bin ended early"), "{error}");
    }

    #[test]
    fn folders_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(FileSource::open(folder.path()).err().unwrap().to_string().contains("is not a file"));
        assert!(FileSource::open(folder.path().join("none")).err().unwrap().to_string().contains("none cannot be read"));
    }
}
