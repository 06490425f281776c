//! The index of a sharded model: which shard holds which tensor.

use super::header::Pairs;
use super::{Folder, INDEX, Source, remark, shown};
use crate::base::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct RawIndex {
    weight_map: Pairs<String>,
}

/// A read index.
pub(super) struct Index {
    /// Tensor name to file name.
    pub(super) places: BTreeMap<String, String>,
    /// Every shard once, by name.
    pub(super) shards: Vec<Source>,
}

/// Reads the index of a folder and finds its shards.
pub(super) async fn read(folder: &Folder) -> Result<Index> {
    let text = folder.text(INDEX).await?;
    let raw: RawIndex = serde_json::from_str(&text)
        .map_err(|error| Error::input(format!("{INDEX} is not a shard index ({}); download or save the model again.", remark(&error))))?;
    let places: BTreeMap<_, _> = raw.weight_map.0.into_iter().collect();
    let names: BTreeSet<_> = places.values().collect();
    if names.is_empty() {
        return Err(Error::input(format!("{INDEX} places no tensor in any shard; download or save the model again.")));
    }
    let mut shards = Vec::with_capacity(names.len());
    for name in names {
        let shard = folder.find(name).ok_or_else(|| {
            Error::input(format!("The folder has no {}, which {INDEX} names as a shard; add that file to the folder.", shown(name)))
        })?;
        shards.push(shard.clone());
    }
    Ok(Index { places, shards })
}
