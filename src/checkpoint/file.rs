//! Files of the native file system.

use super::source::{ByteSource, check_range, ended_early};
use crate::base::{Error, LocalFuture, Result};
use futures_channel::oneshot;
use std::any::Any;
use std::cell::OnceCell;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, opened at the first read, so that a folder of many files costs no handles.
pub struct FileSource {
    path: PathBuf,
    name: String,
    len: u64,
    file: OnceCell<Arc<File>>,
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
                self.file.get_or_init(|| Arc::new(file))
            }
        };
        let elsewhere = if count < LONG { None } else { read_elsewhere(file, &self.name, &range) };
        let read = match elsewhere {
            Some(done) => done.await.map_err(|_| Error::internal("a read that never ended"))?,
            None => read_exactly(file, &self.name, range),
        };
        read.map_err(|error| error.unwrap_or_else(failed))
    }
}

/// Bytes from which a read has a thread of its own, so that work on other things goes on meanwhile.
const LONG: usize = 1 << 20;

type Read = std::result::Result<Vec<u8>, ReadError>;

/// Starts a read at once, whether or not anybody waits for it; `None` where the system gives no thread.
fn read_elsewhere(file: &Arc<File>, name: &str, range: &Range<u64>) -> Option<oneshot::Receiver<Read>> {
    let (file, name, range, (tell, done)) = (file.clone(), name.to_owned(), range.clone(), oneshot::channel());
    let read = move || drop(tell.send(read_exactly(&file, &name, range)));
    std::thread::Builder::new().spawn(read).ok().map(|_| done)
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

/// The bytes of `range`; the file may have been cut since its length was looked up. Uses no position of the file's own, so that
/// reads run side by side.
pub(super) fn read_exactly(file: &File, name: &str, range: Range<u64>) -> Read {
    let count = range.end - range.start;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(count as usize).map_err(|_| {
        ReadError::Ended(Error::memory(format!(
            "There is no memory left to read {count} bytes of {name}; close other programs and try again."
        )))
    })?;
    bytes.resize(count as usize, 0);
    let mut filled = 0;
    while filled < bytes.len() {
        let at = range.start + filled as u64;
        match read_at(file, &mut bytes[filled..], at) {
            Ok(0) => return Err(ReadError::Ended(ended_early(name, at, &range))),
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::System(error)),
        }
    }
    Ok(bytes)
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
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
    use std::io::{Seek, SeekFrom, Write};
    use std::sync::mpsc;
    use std::task::{Context, Poll, Wake, Waker};

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

    /// Says when it is woken.
    struct Bell(mpsc::Sender<()>);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn long_reads_go_on_while_nobody_waits_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.bin");
        let bytes: Vec<u8> = (0..3 * LONG).map(|i| (i >> 12) as u8 ^ i as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let source = FileSource::open(&path).unwrap();
        let ranges = [0..LONG, LONG..3 * LONG, 7..LONG + 8];
        let mut reads: Vec<_> = ranges.iter().map(|range| source.read(range.start as u64..range.end as u64)).collect();
        let (ring, rung) = mpsc::channel();
        // One look starts a read (on an idle machine it may be done by then); all of them end without another, and out of turn.
        let waker = Waker::from(Arc::new(Bell(ring)));
        let ready: Vec<_> = reads.iter_mut().map(|read| read.as_mut().poll(&mut Context::from_waker(&waker))).collect();
        for _ in ready.iter().filter(|first| first.is_pending()) {
            rung.recv().unwrap();
        }
        for ((read, first), range) in reads.into_iter().zip(ready).zip(ranges).rev() {
            let read = match first {
                Poll::Ready(done) => done.unwrap(),
                Poll::Pending => block_on(read).unwrap(),
            };
            assert!(read == bytes[range], "other bytes");
        }
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
