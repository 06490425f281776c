//! An opened checkpoint: every tensor's place, and reads of single tensors.

use super::{Dtype, EXTENSION, Folder, INDEX, Layout, Matrix, SINGLE, Source, decode, header, index, packed, rows, shown, shown_shape};
use crate::base::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The tensor's name.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Lengths of the dimensions, outermost first; none for a scalar.
    pub shape: Vec<u64>,
    /// The file.
    pub source: Source,
    /// Bytes in the file, from its start.
    pub range: Range<u64>,
}

impl Entry {
    /// Number of elements. The header was checked: it fits.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Elements that the file holds: of a packed tensor those that are not zero.
    pub fn kept(&self) -> u64 {
        packed::values(self).unwrap_or_else(|| self.elements())
    }

    /// The tensor's bytes as they are in the file.
    pub async fn bytes(&self) -> Result<Vec<u8>> {
        self.source.read(self.range.clone()).await
    }

    fn require(&self, dimensions: usize) -> Result<()> {
        let place = || format!("The tensor {} in {}", shown(&self.name), self.source.name());
        if self.shape.len() != dimensions {
            return Err(Error::input(format!(
                "{} has the shape {}, which is no {}; check that the model and its config.json belong together.",
                place(),
                shown_shape(&self.shape),
                if dimensions == 1 { "vector" } else { "matrix" }
            )));
        }
        if !self.dtype.is_supported_float() {
            return Err(Error::input(format!(
                "{} has the dtype {}, which is not computed with; convert the model to F32, F16 or BF16.",
                place(),
                self.dtype.name()
            )));
        }
        Ok(())
    }

    /// Rows and columns of a table of floats.
    pub(super) fn table(&self) -> Result<(usize, usize)> {
        self.require(2)?;
        let size = |n: u64| {
            usize::try_from(n).map_err(|_| Error::memory(format!("The tensor {} is too large for this machine.", shown(&self.name))))
        };
        Ok((size(self.shape[0])?, size(self.shape[1])?))
    }
}

/// The tensors of a model folder. Opening reads headers only.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    entries: Vec<Entry>,
    by_name: BTreeMap<String, usize>,
    metadata: BTreeMap<String, String>,
    /// Bytes that the files have less than their tensors, where some are packed.
    saved: i64,
}

impl Checkpoint {
    /// Opens `model.safetensors`, or the shards of `model.safetensors.index.json`, or the only safetensors file there is.
    ///
    /// # Errors
    /// There is none of these, a shard or a tensor that the index places is missing, or a file breaks a rule of the format.
    pub async fn open(folder: &Folder) -> Result<Self> {
        if let Some(source) = folder.find(SINGLE) {
            return Self::read(std::slice::from_ref(source), &BTreeMap::new()).await;
        }
        if folder.find(INDEX).is_some() {
            let index = index::read(folder).await?;
            return Self::read(&index.shards, &index.places).await;
        }
        let source = only_file(folder)?;
        Self::read(&[source], &BTreeMap::new()).await
    }

    /// Reads the headers of `shards`, where `places` says which shard holds a tensor. A tensor that it does not mention is
    /// kept all the same.
    async fn read(shards: &[Source], places: &BTreeMap<String, String>) -> Result<Self> {
        let mut checkpoint = Self { entries: Vec::new(), by_name: BTreeMap::new(), metadata: BTreeMap::new(), saved: 0 };
        for source in shards {
            let header = header::read(source).await?;
            for info in header.tensors {
                if places.get(&info.name).is_some_and(|place| place != source.name()) {
                    continue;
                }
                if let Some(other) = checkpoint.by_name.insert(info.name.clone(), checkpoint.entries.len()) {
                    let other = checkpoint.entries[other].source.name();
                    return Err(Error::input(format!(
                        "The tensor {} is both in {other} and in {}, and {INDEX} places it in neither; save the model again.",
                        shown(&info.name),
                        source.name()
                    )));
                }
                let header::Info { name, dtype, shape, range } = info;
                checkpoint.entries.push(Entry { name, dtype, shape, source: source.clone(), range });
            }
            for (key, value) in header.metadata {
                checkpoint.metadata.entry(key).or_insert(value);
            }
        }
        if let Some((name, place)) = places.iter().find(|(name, _)| !checkpoint.by_name.contains_key(*name)) {
            return Err(Error::input(format!(
                "{} has no tensor {}, which {INDEX} places there; download that shard again.",
                place,
                shown(name)
            )));
        }
        let (entries, saved) = packed::unpacked(checkpoint.entries, &checkpoint.metadata)?;
        let by_name = entries.iter().enumerate().map(|(place, entry)| (entry.name.clone(), place)).collect();
        // An output of what was read here is packed only where it asks for it.
        checkpoint.metadata.remove(packed::PACKED_KEY);
        Ok(Self { entries, by_name, saved, ..checkpoint })
    }

    /// The tensor of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|index| &self.entries[*index])
    }

    /// The tensor of a name.
    ///
    /// # Errors
    /// There is none.
    pub fn require(&self, name: &str) -> Result<&Entry> {
        self.get(name).ok_or_else(|| {
            Error::input(format!(
                "The checkpoint has no tensor {}, which its config.json calls for; check that both belong together.",
                shown(name)
            ))
        })
    }

    /// Every tensor, file by file, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The files' `__metadata__`; of shards that disagree, the first one's.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Bytes of all tensors, without headers.
    pub fn total_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.range.end - entry.range.start).sum()
    }

    /// The same as they lie in the files, of which some may be packed.
    pub fn stored_bytes(&self) -> u64 {
        self.total_bytes().saturating_add_signed(-self.saved)
    }

    /// Elements of all floating point tensors; integer and boolean tensors are buffers and no parameters.
    pub fn parameters(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.dtype.is_float()).map(Entry::elements).sum()
    }

    /// A two-dimensional tensor of F32, F16 or BF16, with the bits of the file.
    ///
    /// # Errors
    /// There is no such tensor, it has other dimensions or another dtype, or it cannot be read.
    pub async fn matrix(&self, name: &str, layout: Layout) -> Result<Matrix> {
        let entry = self.require(name)?;
        let (rows, cols) = entry.table()?;
        Ok(Matrix { rows, cols, dtype: entry.dtype, layout, bytes: entry.bytes().await? })
    }

    /// A one-dimensional tensor of F32, F16 or BF16, as f32.
    ///
    /// # Errors
    /// There is no such tensor, it has other dimensions or another dtype, or it cannot be read.
    pub async fn vector(&self, name: &str) -> Result<Vec<f32>> {
        let entry = self.require(name)?;
        entry.require(1)?;
        decode(entry.dtype, &entry.bytes().await?)
    }

    /// The asked rows of a two-dimensional tensor, in the asked order, repeated where asked twice; `[rows, cols]`, read by
    /// ranges. The layout is [`Layout::OutIn`].
    ///
    /// # Errors
    /// As [`Checkpoint::matrix`], or a row is beyond the table.
    pub async fn rows(&self, name: &str, rows: &[u32]) -> Result<Matrix> {
        rows::gather(self.require(name)?, rows).await
    }
}

/// The only safetensors file of a folder that has neither the usual name nor an index.
fn only_file(folder: &Folder) -> Result<Source> {
    let mut found = folder.files().iter().filter(|file| file.name().ends_with(EXTENSION));
    match (found.next(), found.next()) {
        (Some(one), None) if is_shard(one.name()) => Err(Error::input(format!(
            "{} is one shard of a model, but the folder has no {INDEX}; add the index and all shards.",
            shown(one.name())
        ))),
        (Some(one), None) => Ok(one.clone()),
        (Some(one), Some(two)) => Err(Error::input(format!(
            "The folder has several safetensors files ({}, {}{}) and neither {SINGLE} nor {INDEX}; add the index, or rename the one to use to {SINGLE}.",
            shown(one.name()),
            shown(two.name()),
            if found.next().is_some() { ", ..." } else { "" }
        ))),
        (None, _) => Err(match folder.files().iter().find(|file| is_pickle(file.name())) {
            Some(file) => Error::input(format!(
                "The folder has {} but no safetensors file; convert the model first, for example by loading it in Transformers and calling save_pretrained.",
                shown(file.name())
            )),
            None => Error::input(format!("The folder has no safetensors file; choose the folder that holds {SINGLE}.")),
        }),
    }
}

/// Whether a name reads like `model-00001-of-00003.safetensors`.
fn is_shard(name: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_suffix(EXTENSION)
        .and_then(|stem| stem.rsplit_once("-of-"))
        .and_then(|(left, count)| left.rsplit_once('-').map(|(_, number)| (number, count)))
        .is_some_and(|(number, count)| digits(number) && digits(count) && count.parse() != Ok(1u64))
}

/// Whether a name is that of weights in Python's pickle format.
fn is_pickle(name: &str) -> bool {
    let weights = name.ends_with(".bin") && (name.starts_with("pytorch_model") || name.starts_with("model"));
    weights || [".pt", ".pth", ".ckpt"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
