//! The next-token loss over a tiled vocabulary.

use super::{Descent, Targets, spread};
use crate::base::{Random, Result};
use crate::device::{Device, Tensor};
use crate::forward::{Batch, Decoder};

/// Rows whose logits over one tile are held at once.
const ROWS: usize = 1024;

/// Some tokens of a batch that predict another.
struct Chunk {
    /// Their states below the last normalisation and above it.
    before: Tensor,
    after: Tensor,
    /// What they should predict.
    targets: Vec<u32>,
    /// One over the number of predictions in their sequence.
    weights: Vec<f32>,
    /// The state of the tiled softmax.
    sums: Tensor,
}

/// Where the tokens of a batch lie that predict another, and in which sequence of all.
struct Predicting {
    rows: Vec<u32>,
    sequences: Vec<usize>,
    chunks: Vec<Chunk>,
}

pub(super) async fn descend(
    device: &Device,
    decoder: &Decoder<'_>,
    states: &[Tensor],
    batches: &[Batch],
    mut targets: Targets<'_>,
) -> Result<Descent> {
    let mut parts = Vec::with_capacity(batches.len());
    let mut sequences = 0;
    for (states, batch) in states.iter().zip(batches) {
        parts.push(Predicting::new(device, decoder, states, batch, sequences).await?);
        sequences += batch.segments.len();
    }
    for index in 0..decoder.tiles() {
        let (first, tile) = decoder.tile(index).await?;
        for chunk in parts.iter().flat_map(|part| &part.chunks) {
            device.softmax_tile(&decoder.logits(&chunk.after, &tile).await?, first, &chunk.targets, &chunk.sums).await?;
        }
    }
    let mut norms = Vec::new();
    for chunk in parts.iter().flat_map(|part| &part.chunks) {
        let sums = device.read(&chunk.sums).await?;
        norms.push(sums.chunks_exact(4).map(|row| (f64::from(row[0]) + f64::from(row[1]).ln()) as f32).collect::<Vec<f32>>());
    }
    let drawn = matches!(targets, Targets::Drawn(_));
    if let Targets::Drawn(random) = &mut targets {
        draw(device, decoder, &mut parts, &norms, random).await?;
    }
    let mut gradients = Vec::new();
    for (chunk, norms) in parts.iter().flat_map(|part| &part.chunks).zip(&norms) {
        let rows: Vec<f32> = norms.iter().zip(&chunk.weights).flat_map(|(&norm, &weight)| [norm, weight]).collect();
        gradients.push((device.upload(norms.len(), 2, &rows).await?, device.zeros(norms.len(), chunk.after.cols()).await?));
    }
    for index in 0..decoder.tiles() {
        let (first, tile) = decoder.tile(index).await?;
        for (chunk, (rows, gradient)) in parts.iter().flat_map(|part| &part.chunks).zip(&mut gradients) {
            let logits = decoder.logits(&chunk.after, &tile).await?;
            if drawn {
                // For the logit of what was drawn.
                device.softmax_tile(&logits, first, &chunk.targets, &chunk.sums).await?;
            }
            let d_logits = device.softmax_backward_tile(&logits, first, &chunk.targets, rows).await?;
            *gradient = device.add(gradient, &device.linear_backward(&d_logits, &tile).await?, 1.0).await?;
        }
    }
    let mut descent = Descent { losses: vec![0.0; sequences], states: Vec::with_capacity(batches.len()) };
    let mut work = norms.iter().zip(gradients);
    for (part, batch) in parts.iter().zip(batches) {
        let whole = device.zeros(part.rows.len(), states[0].cols()).await?;
        let mut at = 0;
        for (chunk, (norms, (_, gradient))) in part.chunks.iter().zip(work.by_ref()) {
            device.place(&decoder.normalise_backward(&chunk.before, &gradient).await?, &whole, at).await?;
            let sums = device.read(&chunk.sums).await?;
            for (index, (norm, row)) in norms.iter().zip(sums.chunks_exact(4)).enumerate() {
                descent.losses[part.sequences[at + index]] += f64::from(chunk.weights[index]) * (f64::from(*norm) - f64::from(row[2]));
            }
            at += norms.len();
        }
        descent.states.push(spread(device, &whole, &part.rows, batch.tokens()).await?);
    }
    Ok(descent)
}

impl Predicting {
    async fn new(device: &Device, decoder: &Decoder<'_>, states: &Tensor, batch: &Batch, first: usize) -> Result<Self> {
        let (mut rows, mut sequences, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (index, range) in batch.segments.ranges().enumerate() {
            let count = range.len().saturating_sub(1);
            rows.extend(range.start as u32..(range.start + count) as u32);
            sequences.extend(std::iter::repeat_n(first + index, count));
            weights.extend(std::iter::repeat_n(1.0 / count as f32, count));
        }
        let mut chunks = Vec::new();
        for (rows, weights) in rows.chunks(ROWS).zip(weights.chunks(ROWS)) {
            let before = device.select(states, Some(rows), None).await?;
            chunks.push(Chunk {
                after: decoder.normalise(&before).await?,
                before,
                targets: rows.iter().map(|&row| batch.ids[row as usize + 1]).collect(),
                weights: weights.to_vec(),
                sums: device.upload(rows.len(), 4, &[-1e30, 0.0, 0.0, 0.0].repeat(rows.len())).await?,
            });
        }
        Ok(Self { rows, sequences, chunks })
    }
}

/// Replaces the targets by tokens that are drawn from the predictions, one uniform number a token.
async fn draw(device: &Device, decoder: &Decoder<'_>, parts: &mut [Predicting], norms: &[Vec<f32>], random: &mut Random) -> Result<()> {
    let mut draws = Vec::with_capacity(norms.len());
    for norms in norms {
        let state: Vec<f32> = norms.iter().flat_map(|_| [random.uniform() as f32, 0.0]).collect();
        draws.push((device.upload(norms.len(), 1, norms).await?, device.upload(norms.len(), 2, &state).await?));
    }
    for index in 0..decoder.tiles() {
        let (first, tile) = decoder.tile(index).await?;
        for (chunk, (norms, state)) in parts.iter().flat_map(|part| &part.chunks).zip(&draws) {
            device.sample_tile(&decoder.logits(&chunk.after, &tile).await?, first, norms, state).await?;
        }
    }
    for (chunk, (_, state)) in parts.iter_mut().flat_map(|part| &mut part.chunks).zip(&draws) {
        chunk.targets = device.read(state).await?.chunks_exact(2).map(|row| row[1] as u32).collect();
    }
    Ok(())
}
