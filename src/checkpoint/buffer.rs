//! Scratch in memory of the browser outside of the wasm heap, which is small and never gives anything back.

use super::scratch::Scratch;
use super::source::{ByteSource, Source, check_range};
use crate::base::{Error, LocalFuture, Result};
use js_sys::{Array, Function, Reflect, Uint8Array};
use std::any::Any;
use std::ops::Range;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};

/// Scratch as one array buffer a piece.
#[derive(Default)]
pub struct BufferScratch;

struct Buffer {
    name: String,
    bytes: Uint8Array,
}

impl Scratch for BufferScratch {
    fn put(&self, name: &str, bytes: Vec<u8>) -> LocalFuture<'_, Result<Source>> {
        let name = name.to_owned();
        Box::pin(async move {
            // Through `Reflect`, since the constructor throws where there is no memory left.
            let length = Array::of1(&JsValue::from_f64(bytes.len() as f64));
            let made = Reflect::get(&js_sys::global(), &"Uint8Array".into())
                .and_then(|class| Reflect::construct(class.unchecked_ref::<Function>(), &length))
                .map_err(|_| Error::memory(format!("The browser has no memory left for {name}; close other tabs and try again.")))?;
            let buffer: Uint8Array = made.unchecked_into();
            buffer.copy_from(&bytes);
            Ok(Rc::new(Buffer { name, bytes: buffer }) as Source)
        })
    }
}

impl ByteSource for Buffer {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        u64::from(self.bytes.length())
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            check_range(&self.name, self.len(), &range)?;
            Ok(self.bytes.subarray(range.start as u32, range.end as u32).to_vec())
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
