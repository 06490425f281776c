//! The embedding sum, with tables gathered by the rows that are used.

use super::{Batch, DeviceNorm};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor, Weight};
use crate::model::Architecture;

/// Rows of a table on the device, and where each id of the table went.
struct Gathered {
    table: Weight,
    rows: Vec<u32>,
}

impl Gathered {
    async fn new(device: &Device, checkpoint: &Checkpoint, name: &str, ids: impl Iterator<Item = u32>, limit: usize) -> Result<Self> {
        let mut rows: Vec<u32> = ids.collect();
        rows.sort_unstable();
        rows.dedup();
        if let Some(&id) = rows.last().filter(|&&id| id as usize >= limit) {
            return Err(Error::input(format!(
                "The tokenizer gave id {id}, but tensor {name} has {limit} rows; the tokenizer belongs to a different model."
            )));
        }
        Ok(Self { table: device.upload_weight(&checkpoint.rows(name, &rows).await?).await?, rows })
    }

    fn locate(&self, ids: &[u32]) -> Vec<u32> {
        ids.iter().map(|id| self.rows.binary_search(id).unwrap_or_default() as u32).collect()
    }
}

/// The embedding tables, as far as some batches need them.
pub struct Embedding {
    tokens: Gathered,
    /// With the row of position 0.
    positions: Option<(Gathered, u32)>,
    types: Option<Gathered>,
    norm: Option<DeviceNorm>,
    /// Channels of the sum that stay, where some are removed.
    kept: Option<Vec<u32>>,
}

impl Embedding {
    /// Gathers the rows that `batches` use.
    pub async fn new(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture, batches: &[Batch]) -> Result<Self> {
        let names = &architecture.embeddings;
        let ids = batches.iter().flat_map(|batch| batch.ids.iter().copied());
        let tokens = Gathered::new(device, checkpoint, &names.tokens, ids, architecture.vocabulary).await?;
        let positions = match &names.positions {
            Some((name, first)) => {
                let longest = batches.iter().flat_map(|batch| batch.positions.iter().copied()).max().unwrap_or(0);
                if longest as usize >= architecture.positions {
                    return Err(Error::internal("a sequence longer than the position table"));
                }
                let first = *first as u32;
                let places = batches.iter().flat_map(|batch| batch.positions.iter().map(|position| position + first));
                Some((Gathered::new(device, checkpoint, name, places, usize::MAX).await?, first))
            }
            None => None,
        };
        let types = match &names.token_types {
            Some(name) => Some(Gathered::new(device, checkpoint, name, 0..=0, 1).await?),
            None => None,
        };
        let norm = match &names.norm {
            Some(norm) => Some(DeviceNorm::read(device, checkpoint, norm, architecture.norm_eps).await?),
            None => None,
        };
        Ok(Self { tokens, positions, types, norm, kept: None })
    }

    /// Gives only these channels from here on, normalised by `norm`, where there is one.
    pub fn narrow(&mut self, channels: &[u32], norm: Option<DeviceNorm>) {
        self.kept = Some(channels.to_vec());
        self.norm = norm;
    }

    /// Hidden states below the first block, [tokens, hidden], of a batch that was among those.
    pub async fn states(&self, device: &Device, batch: &Batch) -> Result<Tensor> {
        let (rows, zeros) = (self.tokens.locate(&batch.ids), vec![0; batch.tokens()]);
        let mut parts = vec![(&self.tokens.table, rows.as_slice())];
        let places;
        if let Some((positions, first)) = &self.positions {
            places = positions.locate(&batch.positions.iter().map(|position| position + first).collect::<Vec<_>>());
            parts.push((&positions.table, places.as_slice()));
        }
        if let Some(types) = &self.types {
            parts.push((&types.table, zeros.as_slice()));
        }
        let mut sum = device.embed(&parts).await?;
        if let Some(kept) = &self.kept {
            sum = device.select(&sum, None, Some(kept)).await?;
        }
        match &self.norm {
            Some(norm) => norm.apply(device, &sum).await,
            None => Ok(sum),
        }
    }
}

/// Hidden states below the first block, one tensor [tokens, hidden] a batch.
pub async fn embed(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture, batches: &[Batch]) -> Result<Vec<Tensor>> {
    let embedding = Embedding::new(device, checkpoint, architecture, batches).await?;
    let mut states = Vec::with_capacity(batches.len());
    for batch in batches {
        states.push(embedding.states(device, batch).await?);
    }
    Ok(states)
}
