//! What a model answers, and how far its answers move: KL divergence, written in terms of the change of the logits, since that of
//! one neuron is far below what the difference of two divergences could resolve in f32.

use super::rerun::Rows;
use crate::base::Result;
use crate::checkpoint::Checkpoint;
use crate::device::{Activation, Device, Segments, Tensor, Weight};
use crate::forward::{Decoder, HeadWeights};
use crate::model::{Architecture, Head};

/// The dense model's answers.
pub(super) enum Answers<'a> {
    /// Logits of a classifier, row-major [sequences, labels].
    Labels { head: HeadWeights, logits: Vec<f32>, labels: usize },
    /// Next tokens of the sampled rows: their states as the decoder reads them, [rows, hidden], and each row's ln of summed
    /// exponentials, [rows, 1].
    Tokens { decoder: Decoder<'a>, tiles: Vec<Weight>, states: Tensor, norms: Tensor },
    /// Nothing is predicted.
    Nothing,
}

impl<'a> Answers<'a> {
    /// Bytes of the vocabulary's weights on the device.
    pub(super) fn weight_bytes(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture) -> Result<u64> {
        let Head::CausalLm { decoder } = &architecture.head else { return Ok(0) };
        let size = match device {
            Device::Cpu(_) => 4,
            Device::Gpu(_) => checkpoint.require(&decoder.weight)?.dtype.size() as u64,
        };
        Ok((decoder.outputs * decoder.inputs) as u64 * size)
    }

    /// Bytes that each copy of the model takes on the device while it answers for so many sampled tokens.
    pub(super) fn copy_bytes(architecture: &Architecture, sampled: usize) -> u64 {
        match &architecture.head {
            Head::CausalLm { decoder } => 4 * (sampled * (decoder.outputs.min(Decoder::TILE) + 2 * decoder.inputs)) as u64,
            _ => 0,
        }
    }

    /// The answers of the dense model, from the last hidden states of `rows`.
    pub(super) async fn of(
        device: &'a Device,
        checkpoint: &'a Checkpoint,
        architecture: &'a Architecture,
        rows: &Rows,
        states: &Tensor,
    ) -> Result<Self> {
        match &architecture.head {
            Head::Classifier { .. } => {
                let head = HeadWeights::read(device, checkpoint, architecture).await?;
                let logits = class_logits(device, &head, states, 1, rows).await?;
                Ok(Self::Labels { labels: logits.cols(), logits: device.read(&logits).await?, head })
            }
            Head::CausalLm { .. } => {
                let decoder = Decoder::read(device, checkpoint, architecture).await?;
                let mut tiles = Vec::with_capacity(decoder.tiles());
                for index in 0..decoder.tiles() {
                    tiles.push(decoder.tile(index).await?.1);
                    device.finish().await?;
                }
                let states = decoder.normalise(&device.select(states, Some(&rows.sampled(1)), None).await?).await?;
                let running = device.upload(states.rows(), 4, &[-1e30, 0.0, 0.0, 0.0].repeat(states.rows())).await?;
                let targets = vec![0; states.rows()];
                for (index, tile) in tiles.iter().enumerate() {
                    device.softmax_tile(&decoder.logits(&states, tile).await?, index * Decoder::TILE, &targets, &running).await?;
                }
                let norms: Vec<f32> = device.read(&running).await?.chunks_exact(4).map(|row| row[0] + row[1].ln()).collect();
                Ok(Self::Tokens { norms: device.upload(norms.len(), 1, &norms).await?, decoder, tiles, states })
            }
            Head::None | Head::MaskedLm { .. } => Ok(Self::Nothing),
        }
    }

    /// Shape of what [`Answers::moved`] gives of one copy.
    pub(super) fn shape(&self, rows: &Rows) -> [usize; 2] {
        match self {
            Self::Labels { labels, .. } => [rows.first.len(), *labels],
            Self::Tokens { states, .. } => [states.rows(), 2],
            Self::Nothing => [0, 1],
        }
    }

    /// What [`Answers::divergences`] needs to know about the answers of some copies, from their last hidden states.
    pub(super) async fn moved(&self, device: &Device, states: &Tensor, copies: usize, rows: &Rows) -> Result<Option<Tensor>> {
        match self {
            Self::Labels { head, .. } => Ok(Some(class_logits(device, head, states, copies, rows).await?)),
            Self::Tokens { decoder, tiles, states: own, norms } => {
                let moved = decoder.normalise(&device.select(states, Some(&rows.sampled(copies)), None).await?).await?;
                let places: Vec<u32> = (0..own.rows() as u32).collect();
                // A linear map of the difference is the difference of the logits, without its rounding.
                let changes = device.add(&moved, &device.select(own, Some(&places.repeat(copies)), None).await?, -1.0).await?;
                let sums = device.zeros(copies * own.rows(), 2).await?;
                for tile in tiles {
                    let logits = decoder.logits(own, tile).await?;
                    let changes = device.linear(&changes, tile, None, Activation::Identity).await?;
                    device.divergence_change_tile(&logits, norms, &changes, &sums).await?;
                }
                Ok(Some(sums))
            }
            Self::Nothing => Ok(None),
        }
    }

    /// KL(dense || copy) in nats, summed over sequences or sampled tokens, of every copy whose part [`Answers::moved`] gave.
    pub(super) fn divergences(&self, moved: &[f32], rows: &Rows) -> Vec<f64> {
        let [height, width] = self.shape(rows);
        let copies = moved.chunks_exact((height * width).max(1));
        match self {
            Self::Labels { logits, labels, .. } => copies
                .map(|copy| logits.chunks_exact(*labels).zip(copy.chunks_exact(*labels)).map(|(p, q)| divergence(p, q)).sum())
                .collect(),
            Self::Tokens { .. } => {
                let of_row = |sums: &[f32]| {
                    let (mean, rest) = (f64::from(sums[0]), f64::from(sums[1]));
                    ((mean + rest).max(-1.0 + 1e-7).ln_1p() - mean).max(0.0)
                };
                copies.map(|copy| copy.chunks_exact(2).map(of_row).sum()).collect()
            }
            Self::Nothing => Vec::new(),
        }
    }
}

async fn class_logits(device: &Device, head: &HeadWeights, states: &Tensor, copies: usize, rows: &Rows) -> Result<Tensor> {
    let first = device.select(states, Some(&rows.places(&rows.first, copies)), None).await?;
    head.logits(device, &first, &Segments::new(vec![1; first.rows()])).await
}

/// KL(softmax p || softmax q) in nats. With c = q - p - E_p[q - p] it is ln E_p[e^c], in which nothing cancels.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let top = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares: Vec<f64> = p.iter().map(|&v| f64::from(v - top).exp()).collect();
    let total: f64 = shares.iter().sum();
    let changes = || p.iter().zip(q).map(|(&p, &q)| f64::from(q) - f64::from(p));
    let mean: f64 = shares.iter().zip(changes()).map(|(share, change)| share / total * change).sum();
    let growth: f64 = shares.iter().zip(changes()).map(|(share, change)| share / total * (change - mean).exp_m1()).sum();
    growth.ln_1p().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::divergence;

    #[test]
    fn divergences_large_and_small() {
        // KL((1/4, 3/4) || (1/2, 1/2)) = ln 2 - H(1/4).
        assert!((divergence(&[0.0, 3f32.ln()], &[1.0, 1.0]) - (2f64.ln() - 0.562_335_144_618_808_6)).abs() < 1e-7);
        // A shift of all logits is nothing; a small change of one costs p (1 - p) c^2 / 2.
        assert_eq!(divergence(&[0.5, 1.5], &[1.0, 2.0]), 0.0);
        let small = divergence(&[0.0, 0.0], &[2f32.powi(-20), 0.0]);
        assert!((small / (0.125 * 2f64.powi(-40)) - 1.0).abs() < 1e-6);
    }
}
