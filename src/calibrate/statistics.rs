//! Statistics of the whole model as they wait for scores and repairs.

use super::store::{Kept, Store};
use super::{HostSums, Moments, Readers, SiteMoments};
use crate::base::Result;
use crate::device::{Device, Tensor};
use crate::model::Unit;

/// Sums over tokens of the input of one consumer: small ones on the host, the Gram matrix in the store.
#[derive(Debug, Clone)]
pub struct KeptMoments {
    /// Column sums.
    pub sums: HostSums,
    gram: Option<Kept>,
}

/// Statistics of one consumer.
#[derive(Debug, Clone)]
pub struct SiteStatistics {
    /// Tokens to fit on.
    pub fit: KeptMoments,
    /// Tokens to check on.
    pub held_out: KeptMoments,
}

impl SiteStatistics {
    /// Puts what was taken away.
    pub async fn keep(device: &Device, store: &Store, site: SiteMoments) -> Result<Self> {
        Ok(Self {
            fit: KeptMoments::keep(device, store, site.fit).await?,
            held_out: KeptMoments::keep(device, store, site.held_out).await?,
        })
    }

    /// Column sums over all tokens.
    pub fn sums(&self) -> HostSums {
        self.fit.sums.clone().merged(&self.held_out.sums)
    }
}

/// Statistics of every consumer of a model.
#[derive(Default)]
pub struct Statistics {
    /// Per layer, by unit: the attention output's input, the second FFN matrix's input.
    pub layers: Vec<Vec<SiteStatistics>>,
    /// How much each layer changes the residual stream.
    pub influences: Vec<f64>,
    /// What the residual stream's readers read, where it was needed.
    pub readers: Option<Readers>,
    /// The same with Gram matrices, where those were needed: of each layer what attention reads, then what the FFN reads.
    pub reader_grams: Vec<[KeptMoments; 2]>,
}

impl Statistics {
    /// Statistics of the consumer of `unit` in a layer, where they were collected.
    pub fn site(&self, layer: usize, unit: Unit) -> Option<&SiteStatistics> {
        self.layers.get(layer)?.get(unit as usize)
    }
}

impl KeptMoments {
    /// Puts what was taken away.
    pub async fn keep(device: &Device, store: &Store, moments: Moments) -> Result<Self> {
        let sums = moments.read_sums(device).await?;
        let gram = match moments.gram {
            // Without a token there is nothing to keep.
            Some(gram) if moments.count > 0.0 => Some(store.keep(device, gram, true).await?),
            _ => None,
        };
        Ok(Self { sums, gram })
    }

    /// x^T x, [n, n], where it was collected.
    pub async fn gram(&self, device: &Device, store: &Store) -> Result<Option<Tensor>> {
        match &self.gram {
            Some(kept) => Ok(Some(store.fetch(device, kept).await?)),
            None => Ok(None),
        }
    }
}
