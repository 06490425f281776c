//! Scratch in the origin's private file system: on the person's disk, seen by this page alone, and removed when the job ends
//! or, where a tab was closed in the middle, when the page is opened next.

use super::scratch::Scratch;
use super::scratch::space::Space;
use super::source::{ByteSource, Source, check_range, ended_early};
use crate::base::{Error, LocalFuture, Result};
use js_sys::{AsyncIterator, IteratorNext, JsString};
use std::any::Any;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    DedicatedWorkerGlobalScope, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemSyncAccessHandle, StorageEstimate,
};

/// The folder that all jobs of this origin use.
const FOLDER: &str = "coppice-scratch";

/// One private file that everything that is kept shares. It is made at the first piece.
pub struct PrivateFileScratch {
    room: u64,
    kept: RefCell<Option<Rc<Kept>>>,
}

struct Kept {
    folder: FileSystemDirectoryHandle,
    name: String,
    file: FileSystemSyncAccessHandle,
    space: Space,
}

impl PrivateFileScratch {
    /// A scratch that uses no disk yet.
    pub async fn new() -> Self {
        Self { room: room().await.unwrap_or(0), kept: RefCell::default() }
    }

    /// Bytes that the browser lets this origin have; 0 where it has no private file system.
    pub fn room(&self) -> u64 {
        self.room
    }

    async fn kept(&self) -> Result<Rc<Kept>> {
        if let Some(kept) = self.kept.borrow().as_ref() {
            return Ok(kept.clone());
        }
        let kept = Rc::new(Kept::new().await.map_err(|error| {
            Error::io(format!(
                "The browser gives no room for scratch on disk ({}); leave private browsing, or use less calibration text.",
                message(&error)
            ))
        })?);
        self.kept.replace(Some(kept.clone()));
        Ok(kept)
    }
}

/// Removes what jobs left behind whose tab was closed. Files that another tab uses are locked, and stay.
pub async fn clear_leftovers() {
    // Nothing is lost where this fails: the next start tries again.
    let _ = remove_all().await;
}

async fn remove_all() -> std::result::Result<(), JsValue> {
    let folder = folder(false).await?;
    let names: AsyncIterator<JsValue> = folder.keys().unchecked_into();
    let mut found = Vec::new();
    loop {
        let next: IteratorNext = JsFuture::from(names.next_iterator()?).await?.unchecked_into();
        if next.done() {
            break;
        }
        found.extend(next.value().as_string());
    }
    for name in found {
        let _ = JsFuture::from(folder.remove_entry(&name)).await;
    }
    Ok(())
}

fn storage() -> Option<web_sys::StorageManager> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().dyn_into().ok()?;
    let storage = js_sys::Reflect::get(&scope.navigator(), &"storage".into()).ok()?;
    storage.dyn_into().ok()
}

async fn room() -> Option<u64> {
    let estimate = JsFuture::from(storage()?.estimate().ok()?).await.ok()?;
    let estimate: StorageEstimate = estimate.unchecked_into();
    let (quota, usage) = (estimate.get_quota()?, estimate.get_usage().unwrap_or(0.0));
    // Some of the quota is left to the browser: a full one makes every other write of the page fail.
    Some(((quota - usage) * 0.9).max(0.0) as u64)
}

async fn folder(create: bool) -> std::result::Result<FileSystemDirectoryHandle, JsValue> {
    let storage = storage().ok_or_else(|| JsValue::from(JsString::from("it has no private file system")))?;
    let root: FileSystemDirectoryHandle = JsFuture::from(storage.get_directory()).await?.unchecked_into();
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(create);
    Ok(JsFuture::from(root.get_directory_handle_with_options(FOLDER, &options)).await?.unchecked_into())
}

impl Kept {
    async fn new() -> std::result::Result<Self, JsValue> {
        let folder = folder(true).await?;
        let name = format!("{:x}", (js_sys::Math::random() * (1u64 << 53) as f64) as u64);
        let options = FileSystemGetFileOptions::new();
        options.set_create(true);
        let handle: FileSystemFileHandle = JsFuture::from(folder.get_file_handle_with_options(&name, &options)).await?.unchecked_into();
        let file: FileSystemSyncAccessHandle = JsFuture::from(handle.create_sync_access_handle()).await?.unchecked_into();
        Ok(Self { folder, name, file, space: Space::default() })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.file.close();
        let removed = JsFuture::from(self.folder.remove_entry(&self.name));
        // What fails here is removed at the next start.
        spawn_local(async { drop(removed.await) });
    }
}

struct Piece {
    name: String,
    kept: Rc<Kept>,
    range: Range<u64>,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.kept.space.give(&self.range);
    }
}

fn at(offset: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(offset as f64);
    options
}

impl Scratch for PrivateFileScratch {
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>> {
        let name = name.to_owned();
        Box::pin(async move {
            let kept = self.kept().await?;
            let range = kept.space.take(bytes.len() as u64);
            let written = kept.file.write_with_u8_array_and_options(&bytes, &at(range.start));
            match written {
                Ok(count) if count as usize == bytes.len() => Ok(Rc::new(Piece { name, kept, range }) as Source),
                other => {
                    let reason = other.map_or_else(|error| message(&error), |count| format!("{count} bytes fitted"));
                    Err(Error::io(format!(
                        "{} bytes of {name} cannot be written to scratch on disk ({reason}); free some disk space and start again.",
                        bytes.len()
                    )))
                }
            }
        })
    }
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
            let count = check_range(&self.name, self.len(), &range)?;
            let mut bytes = vec![0; count];
            let read = self.kept.file.read_with_u8_array_and_options(&mut bytes, &at(self.range.start + range.start));
            match read {
                Ok(read) if read as usize == count => Ok(bytes),
                Ok(read) => Err(ended_early(&self.name, range.start + read as u64, &range)),
                Err(error) => Err(Error::io(format!(
                    "{} cannot be read back from scratch on disk ({}); start the run again.",
                    self.name,
                    message(&error)
                ))),
            }
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a thrown value says.
fn message(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{error:?}"), |error| error.message().into())
}
