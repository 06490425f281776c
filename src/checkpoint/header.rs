//! The safetensors header: 8 bytes of length, then JSON. Every rule of the format is checked here, since what comes after
//! trusts the byte ranges.

use super::{Dtype, Source, remark, shown};
use crate::base::{Error, Result};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// The longest header that the format allows, in bytes.
pub(super) const LONGEST_HEADER: u64 = 100_000_000;
/// The key of the header that is no tensor.
pub(super) const METADATA: &str = "__metadata__";
/// Bytes of the length before the header.
pub(super) const PREFIX: u64 = 8;

/// What a header says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<u64>,
    /// Absolute in the file.
    pub(super) range: Range<u64>,
}

/// A checked header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// In the order of the file.
    pub(super) tensors: Vec<Info>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// Reads and checks the header of a file; no other byte of it is read.
pub(super) async fn read(source: &Source) -> Result<Header> {
    let (file, len) = (source.name(), source.len());
    if len < PREFIX {
        return Err(damaged(file, format_args!("it has only {len} bytes")));
    }
    let prefix = source.read(0..PREFIX).await?;
    let claimed = <[u8; 8]>::try_from(prefix.as_slice()).map(u64::from_le_bytes).map_err(|_| Error::internal("a short read"))?;
    if prefix == POINTER_START && len < POINTER_LONGEST {
        return Err(pointer(file));
    }
    if claimed > LONGEST_HEADER {
        return Err(Error::input(format!(
            "{file} is not a safetensors file: its first bytes announce a header of {claimed} bytes, and the format allows {LONGEST_HEADER}; choose a folder with a model saved as safetensors."
        )));
    }
    // Only now is anything allocated: the header is known to be there.
    if claimed > len - PREFIX {
        return Err(damaged(file, format_args!("its header of {claimed} bytes goes beyond the file's {len} bytes")));
    }
    parse(file, &source.read(PREFIX..PREFIX + claimed).await?, len)
}

/// The first bytes of a Git LFS pointer, which read as a header length would be astronomic.
const POINTER_START: &[u8] = b"version ";
/// Pointers are shorter than this many bytes.
const POINTER_LONGEST: u64 = 1024;

/// Whether a text is what Git LFS leaves in place of a large file.
pub(super) fn is_pointer(text: &str) -> bool {
    (text.len() as u64) < POINTER_LONGEST && text.starts_with("version https://git-lfs")
}

/// The error for what Git LFS leaves in place of a large file.
pub(super) fn pointer(file: &str) -> Error {
    Error::input(format!(
        "{file} is only a Git LFS pointer to the real file; run `git lfs pull` in the model folder, or download the file itself."
    ))
}

fn damaged(file: &str, what: impl fmt::Display) -> Error {
    Error::input(format!("{file} is not a whole safetensors file: {what}; download or save it again."))
}

/// Checks the JSON of a header against the length of its file, both in bytes.
fn parse(file: &str, json: &[u8], file_len: u64) -> Result<Header> {
    let text = std::str::from_utf8(json).map_err(|error| damaged(file, format_args!("its header is not UTF-8 ({})", remark(&error))))?;
    if !text.starts_with('{') {
        return Err(damaged(file, "its header does not begin with an opening brace"));
    }
    let raw: RawHeader =
        serde_json::from_str(text).map_err(|error| damaged(file, format_args!("its header does not parse ({})", remark(&error))))?;
    let start = PREFIX + json.len() as u64;
    let mut tensors = Vec::with_capacity(raw.tensors.len());
    for (name, info) in raw.tensors {
        let dtype = Dtype::from_name(&info.dtype)
            .ok_or_else(|| damaged(file, format_args!("the tensor {} has the unknown dtype {}", shown(&name), shown(&info.dtype))))?;
        let span = dtype
            .span(&info.shape)
            .ok_or_else(|| damaged(file, format_args!("the shape of the tensor {} gives no byte count that can be", shown(&name))))?;
        let (from, to) = info.data_offsets;
        if to.checked_sub(from) != Some(span) {
            return Err(damaged(
                file,
                format_args!("the tensor {} needs {span} bytes and is given the offsets {from} to {to}", shown(&name)),
            ));
        }
        let range = from.checked_add(start).zip(to.checked_add(start)).filter(|(_, end)| *end <= file_len);
        let (from, to) = range.ok_or_else(|| {
            damaged(file, format_args!("the tensor {} ends at offset {to}, beyond the file's {file_len} bytes", shown(&name)))
        })?;
        tensors.push(Info { name, dtype, shape: info.shape, range: from..to });
    }
    // Stable, so tensors without bytes keep the header's order among themselves.
    tensors.sort_by_key(|info| (info.range.start, info.range.end));
    let mut end = start;
    for info in &tensors {
        if info.range.start != end {
            let what = if info.range.start < end { "overlaps the one before it" } else { "leaves a hole before it" };
            return Err(damaged(file, format_args!("the tensor {} {what}", shown(&info.name))));
        }
        end = info.range.end;
    }
    if end != file_len {
        return Err(damaged(file, format_args!("its tensors end at byte {end}, but the file has {file_len} bytes")));
    }
    Ok(Header { tensors, metadata: raw.metadata })
}

struct RawHeader {
    tensors: Vec<(String, RawInfo)>,
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawInfo {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(RawHeaderVisitor)
    }
}

struct RawHeaderVisitor;

impl<'de> Visitor<'de> for RawHeaderVisitor {
    type Value = RawHeader;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<RawHeader, A::Error> {
        let mut tensors = Vec::new();
        let mut metadata = None;
        while let Some(name) = map.next_key::<String>()? {
            if name != METADATA {
                let info = map.next_value().map_err(|error| A::Error::custom(format_args!("tensor {}: {error}", shown(&name))))?;
                tensors.push((name, info));
            } else if metadata.is_none() {
                metadata = Some(map.next_value::<Option<Pairs<String>>>()?.map(|pairs| pairs.0.into_iter().collect()).unwrap_or_default());
            } else {
                return Err(duplicate(METADATA));
            }
        }
        unique(&tensors)?;
        Ok(RawHeader { tensors, metadata: metadata.unwrap_or_default() })
    }
}

/// The members of a JSON object in their order, each name once. (`serde_json` alone would keep the last of two.)
pub(super) struct Pairs<V>(pub(super) Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
    type Value = Pairs<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs<V>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        unique(&pairs)?;
        Ok(Pairs(pairs))
    }
}

fn unique<V, E: serde::de::Error>(pairs: &[(String, V)]) -> std::result::Result<(), E> {
    let mut names = HashSet::new();
    match pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
        Some((name, _)) => Err(duplicate(name)),
        None => Ok(()),
    }
}

fn duplicate<E: serde::de::Error>(name: &str) -> E {
    E::custom(format_args!("the name {} is there twice", shown(name)))
}

#[cfg(test)]
mod tests;
