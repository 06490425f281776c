//! Keys and values of the tokens so far, so that a new token costs one row of work.

use crate::base::{Error, Result};
use crate::device::{Device, Segments, Tensor};

/// Keys and values of one block for one sequence, in room that was taken for all of it.
#[derive(Debug)]
pub struct Cache {
    keys: Tensor,
    values: Tensor,
    rows: usize,
}

impl Cache {
    /// An empty cache for `capacity` tokens, of keys and values of `width` channels.
    pub async fn new(device: &Device, capacity: usize, width: usize) -> Result<Self> {
        Ok(Self { keys: device.zeros(capacity, width).await?, values: device.zeros(capacity, width).await?, rows: 0 })
    }

    /// Tokens in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Keys, [capacity, width]; the first [`Cache::rows`] rows are filled.
    pub fn keys(&self) -> &Tensor {
        &self.keys
    }

    /// Values, shaped as the keys.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// Appends the keys and values of new tokens, and gives the sequence as it is then.
    pub async fn append(&mut self, device: &Device, keys: &Tensor, values: &Tensor) -> Result<Segments> {
        if self.rows + keys.rows() > self.keys.rows() {
            return Err(Error::internal("a cache that is full was appended to"));
        }
        device.place(keys, &self.keys, self.rows).await?;
        device.place(values, &self.values, self.rows).await?;
        self.rows += keys.rows();
        Ok(Segments::new([self.rows]))
    }
}
