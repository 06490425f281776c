//! Where changed tensors go while a job runs, so that the output is never held whole.

use super::source::{MemorySource, Source};
use crate::base::{LocalFuture, Result};
use std::rc::Rc;

#[cfg(not(target_arch = "wasm32"))]
mod file;
pub(super) mod space;
#[cfg(not(target_arch = "wasm32"))]
pub use file::FileScratch;

/// Keeps bytes until the output is written.
pub trait Scratch {
    /// Keeps `bytes` under a name; the source gives them back, and keeps them alive.
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>>;
}

/// Scratch in memory, for small models and tests.
#[derive(Default)]
pub struct MemoryScratch;

impl Scratch for MemoryScratch {
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>> {
        let source: Source = Rc::new(MemorySource::new(name, bytes));
        Box::pin(async move { Ok(source) })
    }
}
