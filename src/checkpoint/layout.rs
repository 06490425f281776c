//! Tensors laid out as safetensors files: a header, then ranges.

use super::header::{LONGEST_HEADER, METADATA, PREFIX};
use super::{INDEX, MemorySource, OutputFile, OutputTensor, Part, SINGLE, shown, shown_shape};
use crate::base::{Error, Result};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// Bytes of tensors in a shard, as Transformers has it by default.
pub const DEFAULT_SHARD_LIMIT: u64 = 5_000_000_000;

/// Lays tensors out as `model.safetensors`, or, where they have more than `shard_limit` bytes, as shards in the given order
/// and `model.safetensors.index.json`. Within a file the format's order holds: wide elements first, then by name. Data
/// starts at a multiple of 8 bytes. A tensor above the limit gets a shard of its own.
///
/// # Errors
/// A header would be longer than the format allows. Two tensors of one name, or bytes that do not fit a shape, are a defect.
pub fn lay_out(tensors: Vec<OutputTensor>, metadata: &BTreeMap<String, String>, shard_limit: u64) -> Result<Vec<OutputFile>> {
    check(&tensors)?;
    let total: u64 = tensors.iter().map(bytes).sum();
    let parameters: u64 = tensors.iter().filter(|t| t.dtype.is_float()).map(|t| t.shape.iter().product::<u64>()).sum();
    let mut shards: Vec<Vec<OutputTensor>> = vec![Vec::new()];
    let mut filled = 0u64;
    for tensor in tensors {
        let bytes = bytes(&tensor);
        if filled > 0 && filled.saturating_add(bytes) > shard_limit {
            shards.push(Vec::new());
            filled = 0;
        }
        filled += bytes;
        if let Some(shard) = shards.last_mut() {
            shard.push(tensor);
        }
    }
    let count = shards.len();
    if count == 1 {
        return shards.into_iter().map(|shard| file(SINGLE.to_owned(), shard, metadata)).collect();
    }
    let mut files = Vec::with_capacity(count + 1);
    let mut places = BTreeMap::new();
    for (number, shard) in shards.into_iter().enumerate() {
        let name = format!("model-{:05}-of-{count:05}.safetensors", number + 1);
        places.extend(shard.iter().map(|tensor| (tensor.name.clone(), name.clone())));
        files.push(file(name, shard, metadata)?);
    }
    let index = json!({ "metadata": { "total_parameters": parameters, "total_size": total }, "weight_map": places });
    files.push(OutputFile::text(INDEX, format!("{index:#}\n")));
    Ok(files)
}

fn bytes(tensor: &OutputTensor) -> u64 {
    tensor.data.part().len()
}

fn check(tensors: &[OutputTensor]) -> Result<()> {
    let mut names = HashSet::new();
    for tensor in tensors {
        let name = shown(&tensor.name);
        if tensor.name == METADATA || !names.insert(tensor.name.as_str()) {
            return Err(Error::internal(format_args!("the output names the tensor {name} twice, or as the format forbids")));
        }
        if tensor.dtype.span(&tensor.shape) != Some(bytes(tensor)) {
            return Err(Error::internal(format_args!(
                "the output tensor {name} of shape {} and dtype {} has {} bytes",
                shown_shape(&tensor.shape),
                tensor.dtype.name(),
                bytes(tensor)
            )));
        }
    }
    Ok(())
}

/// One safetensors file.
fn file(name: String, mut tensors: Vec<OutputTensor>, metadata: &BTreeMap<String, String>) -> Result<OutputFile> {
    tensors.sort_by(|a, b| (Reverse(a.dtype), &a.name).cmp(&(Reverse(b.dtype), &b.name)));
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert(METADATA.to_owned(), json!(metadata));
    }
    let mut offset = 0u64;
    let mut parts = Vec::new();
    for tensor in tensors {
        let part = tensor.data.part();
        let end = offset + part.len();
        let info = json!({ "dtype": tensor.dtype.name(), "shape": tensor.shape, "data_offsets": [offset, end] });
        header.insert(tensor.name, info);
        offset = end;
        append(&mut parts, part);
    }
    let mut bytes = vec![0; PREFIX as usize];
    bytes.extend(Value::Object(header).to_string().into_bytes());
    // Spaces after the JSON, so that the data is aligned.
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    let length = bytes.len() as u64 - PREFIX;
    if length > LONGEST_HEADER {
        return Err(Error::input(format!(
            "The header of {name} would have {length} bytes, and the format allows {LONGEST_HEADER}; save the model in more shards, or with less metadata."
        )));
    }
    bytes[..PREFIX as usize].copy_from_slice(&length.to_le_bytes());
    parts.insert(0, Part::whole(Rc::new(MemorySource::new(name.clone(), bytes))));
    Ok(OutputFile { name, parts })
}

/// Adds a part, joined with the one before it where it goes on in the same source.
fn append(parts: &mut Vec<Part>, part: Part) {
    if part.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(last) if Rc::ptr_eq(&last.source, &part.source) && last.range.end == part.range.start => last.range.end = part.range.end,
        _ => parts.push(part),
    }
}

#[cfg(test)]
mod tests;
