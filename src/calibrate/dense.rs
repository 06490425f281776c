//! Pass 1: the dense model over the calibration set, one layer at a time.

use super::readers::{LayerReaders, head_sums};
use super::{Influence, Needs, Readers, SiteMoments, SiteStatistics, Statistics, Store, Stream};
use crate::base::{Phase, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::{Batch, Block, batches, each_layer};
use crate::model::{Architecture, Unit};

/// The calibration set in batches: those that repairs are fitted on come first, then those that check them.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// All batches.
    pub batches: Vec<Batch>,
    /// How many of them are fitted on.
    pub fitted: usize,
    /// Class of each sequence, in their order, where they are known.
    pub labels: Option<Vec<usize>>,
}

/// One sequence in eight checks the repairs, and at least one from [`Calibration::CHECKED`] on.
const HELD_OUT: usize = 8;

impl Calibration {
    /// Fewest sequences of which one can be spared to check repairs.
    pub const CHECKED: usize = 4;

    /// Splits and packs the sequences; `tokens` a batch.
    pub fn new(sequences: &[Vec<u32>], tokens: usize) -> Self {
        let count = sequences.len();
        let fitted = count - if count < Self::CHECKED { 0 } else { (count / HELD_OUT).max(1) };
        let mut packed = batches(&sequences[..fitted], tokens);
        let count = packed.len();
        packed.extend(batches(&sequences[fitted..], tokens));
        Self { batches: packed, fitted: count, labels: None }
    }

    /// Tokens in all batches.
    pub fn tokens(&self) -> usize {
        self.batches.iter().map(Batch::tokens).sum()
    }
}

/// Runs the dense model and collects what `needs` says.
pub async fn dense_pass(
    device: &Device,
    run: &Run,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    calibration: &Calibration,
    needs: Needs,
    store: &Store,
) -> Result<Statistics> {
    let mut statistics = Statistics::default();
    let (depth, batches) = (architecture.layers.len(), &calibration.batches);
    run.report(Phase::Calibrate, None, depth, 0.0);
    let mut read = Vec::with_capacity(depth);
    let mut states = Stream::embed(device, store, checkpoint, architecture, batches).await?;
    each_layer(checkpoint, architecture, async |index, layer, host| {
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await?;
        drop(host);
        let mut sites = Vec::with_capacity(Unit::ALL.len());
        for unit in Unit::ALL {
            sites.push(SiteMoments::new(device, layer.units(unit) * layer.unit_size(unit), needs.gram).await?);
        }
        let mut influence = Influence::new(device).await?;
        let mut readers = match needs.readers || needs.reader_grams {
            true => Some(LayerReaders::new(device, architecture.hidden, needs.reader_grams).await?),
            false => None,
        };
        for (number, batch) in batches.iter().enumerate() {
            let share = (index as f64 + number as f64 / batches.len() as f64) / depth as f64;
            run.report(Phase::Calibrate, Some(index), depth, share);
            let below = states.get(device, store, number).await?;
            let mut x = below.clone();
            for (unit, site) in Unit::ALL.into_iter().zip(&mut sites) {
                if let Some(readers) = &mut readers {
                    readers.of(unit as usize)?.add(device, &block.read_by(device, unit, &x).await?).await?;
                }
                let inputs = block.consumed(device, unit, &x, batch).await?;
                site.pick(number < calibration.fitted).add(device, &inputs).await?;
                x = block.advance(device, unit, &x, &inputs).await?;
            }
            influence.add(device, &below, &x).await?;
            drop(below);
            states.set(device, store, number, x).await?;
        }
        drop(block);
        statistics.influences.push(influence.mean(device).await?);
        if let Some(readers) = readers {
            let kept = readers.keep(device, store).await?;
            read.push(kept.each_ref().map(|moments| moments.sums.clone()));
            if needs.reader_grams {
                statistics.reader_grams.push(kept);
            }
        }
        let mut kept = Vec::with_capacity(sites.len());
        for site in sites {
            kept.push(SiteStatistics::keep(device, store, site).await?);
        }
        statistics.layers.push(kept);
        device.finish().await
    })
    .await?;
    if needs.readers {
        let head = head_sums(device, store, checkpoint, architecture, &states, batches).await?;
        statistics.readers = Some(Readers { layers: read, head });
    }
    run.report(Phase::Calibrate, None, depth, 1.0);
    Ok(statistics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_sequences_check_the_repairs() {
        let held_out = |count: usize| {
            let calibration = Calibration::new(&vec![vec![1, 2]; count], 2);
            assert_eq!(calibration.batches.len(), count);
            count - calibration.fitted
        };
        assert_eq!([0, 1, 3, 4, 7, 8, 15, 16, 25].map(held_out), [0, 0, 0, 1, 1, 1, 1, 2, 3]);
    }
}
