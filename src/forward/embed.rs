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

/// Hidden states below the first block, one tensor [tokens, hidden] a batch.
pub async fn embed(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture, batches: &[Batch]) -> Result<Vec<Tensor>> {
    let names = &architecture.embeddings;
    let ids = batches.iter().flat_map(|batch| batch.ids.iter().copied());
    let tokens = Gathered::new(device, checkpoint, &names.tokens, ids, architecture.vocabulary).await?;
    let longest = batches.iter().flat_map(|batch| batch.positions.iter().copied()).max().unwrap_or(0);
    if longest as usize >= architecture.positions {
        return Err(Error::internal("a sequence longer than the position table"));
    }
    let positions = Gathered::new(device, checkpoint, &names.positions, 0..=longest, architecture.positions).await?;
    let types = match &names.token_types {
        Some(name) => Some(Gathered::new(device, checkpoint, name, 0..=0, 1).await?),
        None => None,
    };
    let norm = DeviceNorm::read(device, checkpoint, &names.norm, architecture.norm_eps).await?;
    let mut states = Vec::with_capacity(batches.len());
    for batch in batches {
        let (rows, zeros) = (tokens.locate(&batch.ids), vec![0; batch.tokens()]);
        let mut parts = vec![(&tokens.table, rows.as_slice()), (&positions.table, batch.positions.as_slice())];
        if let Some(types) = &types {
            parts.push((&types.table, zeros.as_slice()));
        }
        let sum = device.embed(&parts).await?;
        states.push(norm.apply(device, &sum, None).await?);
    }
    Ok(states)
}
