//! Bytes to tensors and back: safetensors files and folders of them, read by range and written as parts.
//!
//! Nothing here holds a checkpoint whole: opening reads headers only, tensors are read one at a time, and an output is a
//! list of byte ranges of the input, of scratch, and of new headers.

#[cfg(target_arch = "wasm32")]
mod blob;
#[cfg(target_arch = "wasm32")]
mod buffer;
mod dtype;
#[cfg(not(target_arch = "wasm32"))]
mod file;
mod folder;
mod header;
mod index;
mod layout;
mod matrix;
mod output;
mod packed;
#[cfg(target_arch = "wasm32")]
mod private_file;
mod reader;
mod rows;
mod scratch;
mod source;
mod spliced;
#[cfg(not(target_arch = "wasm32"))]
mod write;

#[cfg(target_arch = "wasm32")]
pub use blob::{BlobScratch, BlobSource};
#[cfg(target_arch = "wasm32")]
pub use buffer::BufferScratch;
pub use dtype::{Dtype, Encoded, decode, encode};
#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSource;
pub use folder::Folder;
pub use layout::{DEFAULT_SHARD_LIMIT, lay_out};
pub use matrix::{Layout, Matrix};
pub use output::{Data, OutputFile, OutputTensor, Part};
pub use packed::{PACKED_FILE, PACKED_KEY, pack, pack_matrix, packed_name};
#[cfg(target_arch = "wasm32")]
pub use private_file::{PrivateFileScratch, clear_leftovers};
pub use reader::{Checkpoint, Entry};
#[cfg(not(target_arch = "wasm32"))]
pub use scratch::FileScratch;
pub use scratch::{MemoryScratch, Scratch};
pub use source::{ByteSource, MemorySource, Source};
pub use spliced::folder_of;
#[cfg(not(target_arch = "wasm32"))]
pub use write::{check_target, write_folder};

/// File names that the format and Transformers agree on.
/// The weights of a model in one file.
pub const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const EXTENSION: &str = ".safetensors";

/// A name from a file, fit for a sentence: quoted, control characters escaped, cut where it is long.
fn shown(name: &str) -> String {
    const LONGEST: usize = 120;
    let cut: String = name.chars().take(LONGEST).collect();
    let dots = if cut.len() < name.len() { "..." } else { "" };
    format!("{:?}", cut + dots)
}

/// A shape from a file, fit for a sentence.
fn shown_shape(shape: &[u64]) -> String {
    const MOST: usize = 8;
    if shape.len() <= MOST { format!("{shape:?}") } else { format!("of {} dimensions", shape.len()) }
}

/// A parser's remark, cut where hostile input makes it long.
fn remark(error: &dyn std::fmt::Display) -> String {
    const LONGEST: usize = 300;
    error.to_string().chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
