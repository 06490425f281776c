//! Blobs of the browser: files that a person gave, and scratch outside of the wasm heap.

use super::scratch::Scratch;
use super::source::{ByteSource, Source, check_range, ended_early};
use crate::base::{Error, LocalFuture, Result};
use js_sys::{Array, Uint8Array};
use std::any::Any;
use std::ops::Range;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

/// A `Blob` (or `File`) under a name; only the ranges that are read are copied into wasm.
pub struct BlobSource {
    name: String,
    blob: Blob,
    len: u64,
}

impl BlobSource {
    /// `blob` under a file name without folders.
    pub fn new(name: impl Into<String>, blob: Blob) -> Self {
        // A double holds every length up to 2^53 exactly.
        let len = blob.size() as u64;
        Self { name: name.into(), blob, len }
    }

    /// The blob itself.
    pub fn blob(&self) -> &Blob {
        &self.blob
    }

    async fn read_now(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let count = check_range(&self.name, self.len, &range)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let failed = |error: JsValue| {
            Error::io(format!("{} cannot be read ({}); it may have been moved or changed, so choose it again.", self.name, message(&error)))
        };
        let slice = self.blob.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(failed)?;
        let buffer = JsFuture::from(slice.array_buffer()).await.map_err(failed)?;
        let bytes = Uint8Array::new(&buffer);
        if bytes.length() as usize != count {
            return Err(ended_early(&self.name, range.start + u64::from(bytes.length()), &range));
        }
        Ok(bytes.to_vec())
    }
}

impl ByteSource for BlobSource {
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

/// Scratch as one `Blob` a tensor, which the browser keeps outside of the wasm heap and may move to disk.
#[derive(Default)]
pub struct BlobScratch;

impl Scratch for BlobScratch {
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>> {
        let name = name.to_owned();
        Box::pin(async move {
            let parts = Array::of1(&Uint8Array::from(bytes.as_slice()));
            drop(bytes);
            let blob = Blob::new_with_u8_array_sequence(&parts).map_err(|error| {
                Error::memory(format!(
                    "The browser cannot keep the changed tensor {name} ({}); close other tabs and try again.",
                    message(&error)
                ))
            })?;
            Ok(Rc::new(BlobSource::new(name, blob)) as Source)
        })
    }
}

/// What a thrown value says.
fn message(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{error:?}"), |error| error.message().into())
}
