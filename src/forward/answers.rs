//! What a model answers, and how far other last hidden states move that.

use super::{Batch, Decoder, DeviceNorm, HeadWeights};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor};
use crate::model::{Architecture, Head};
use std::ops::Range;

/// The answers of a model over some batches, from its last hidden states.
pub struct Answers<'a> {
    device: &'a Device,
    batches: &'a [Batch],
    top: Top<'a>,
}

enum Top<'a> {
    /// Logits of a classifier, row-major [sequences, labels] a batch.
    Labels { head: HeadWeights, logits: Vec<Vec<f32>> },
    /// Next tokens.
    Tokens { decoder: Decoder<'a>, parts: Vec<Part> },
    /// The states themselves, row-major [tokens, hidden] a batch.
    States { norm: Option<DeviceNorm>, states: Vec<Vec<f32>> },
}

/// Some rows of a batch.
struct Part {
    batch: usize,
    rows: Range<usize>,
    /// As the decoder reads them.
    states: Tensor,
    /// ln of summed exponentials of each row, [rows, 1].
    norms: Tensor,
}

/// Rows whose logits over one tile are held at once.
const ROWS: usize = 1024;

impl<'a> Answers<'a> {
    /// The answers from last hidden states, which `states` gives by batch.
    pub async fn of(
        device: &'a Device,
        checkpoint: &'a Checkpoint,
        architecture: &'a Architecture,
        batches: &'a [Batch],
        states: impl AsyncFn(usize) -> Result<Tensor>,
    ) -> Result<Self> {
        let top = match &architecture.head {
            Head::Classifier { .. } => {
                let head = HeadWeights::read(device, checkpoint, architecture).await?;
                let mut logits = Vec::with_capacity(batches.len());
                for (number, batch) in batches.iter().enumerate() {
                    logits.push(device.read(&head.logits(device, &states(number).await?, &batch.segments).await?).await?);
                }
                Top::Labels { head, logits }
            }
            Head::CausalLm { .. } => {
                let decoder = Decoder::read(device, checkpoint, architecture).await?;
                let mut parts = Vec::new();
                for batch in 0..batches.len() {
                    let all = states(batch).await?;
                    for rows in steps(all.rows()) {
                        let states = normalised(device, &decoder, &all, rows.clone()).await?;
                        parts.push((batch, rows, states));
                    }
                }
                let parts = with_norms(device, &decoder, parts).await?;
                Top::Tokens { decoder, parts }
            }
            Head::None | Head::MaskedLm { .. } => {
                let norm = match &architecture.final_norm {
                    Some(norm) => Some(DeviceNorm::read(device, checkpoint, norm, architecture.norm_eps).await?),
                    None => None,
                };
                let mut own = Vec::with_capacity(batches.len());
                for batch in 0..batches.len() {
                    own.push(last(device, norm.as_ref(), states(batch).await?).await?);
                }
                Top::States { norm, states: own }
            }
        };
        Ok(Self { device, batches, top })
    }

    /// How far each of `count` sets of last hidden states, which `states` gives by set and batch, moves the answers: the mean
    /// KL(these answers || those) in nats over sequences or tokens; for a model that predicts nothing, 1 - the mean cosine of
    /// states.
    ///
    /// # Errors
    /// An answer is not finite.
    pub async fn distances(&self, count: usize, states: impl AsyncFn(usize, usize) -> Result<Tensor>) -> Result<Vec<f64>> {
        let distances = match &self.top {
            Top::Labels { head, logits } => self.label_distances(head, logits, count, states).await?,
            Top::Tokens { decoder, parts } => self.token_distances(decoder, parts, count, states).await?,
            Top::States { norm, states: own } => self.state_distances(norm.as_ref(), own, count, states).await?,
        };
        match distances.iter().all(|distance| distance.is_finite()) {
            true => Ok(distances),
            false => Err(Error::input("The model gives logits that are not finite; its weights are damaged or overflow.")),
        }
    }

    async fn label_distances(
        &self,
        head: &HeadWeights,
        logits: &[Vec<f32>],
        count: usize,
        states: impl AsyncFn(usize, usize) -> Result<Tensor>,
    ) -> Result<Vec<f64>> {
        let mut distances = Vec::with_capacity(count);
        for set in 0..count {
            let mut mean = Mean::default();
            for (number, (batch, own)) in self.batches.iter().zip(logits).enumerate() {
                let moved = head.logits(self.device, &states(set, number).await?, &batch.segments).await?;
                let moved_values = self.device.read(&moved).await?;
                for (own, moved) in own.chunks_exact(moved.cols()).zip(moved_values.chunks_exact(moved.cols())) {
                    mean.add(divergence(own, moved));
                }
            }
            distances.push(mean.value());
        }
        Ok(distances)
    }

    /// Tile by tile, each read once for all sets. The divergence is taken as if the norms were ours, and what they differ by is
    /// added at the end, so that one walk over the tiles does.
    async fn token_distances(
        &self,
        decoder: &Decoder<'_>,
        parts: &[Part],
        count: usize,
        states: impl AsyncFn(usize, usize) -> Result<Tensor>,
    ) -> Result<Vec<f64>> {
        let device = self.device;
        let mut sums = Vec::with_capacity(count * parts.len());
        for part in (0..count).flat_map(|_| parts) {
            sums.push((running(device, part.rows.len()).await?, device.zeros(part.rows.len(), 1).await?));
        }
        for index in 0..decoder.tiles() {
            let (first, tile) = decoder.tile(index).await?;
            for (number, part) in parts.iter().enumerate() {
                let own = decoder.logits(&part.states, &tile).await?;
                let targets = vec![0; part.rows.len()];
                for set in 0..count {
                    let moved = normalised(device, decoder, &states(set, part.batch).await?, part.rows.clone()).await?;
                    let moved = decoder.logits(&moved, &tile).await?;
                    let (running, total) = &sums[set * parts.len() + number];
                    device.softmax_tile(&moved, first, &targets, running).await?;
                    device.divergence_tile(&own, &part.norms, &moved, &part.norms, total).await?;
                }
            }
        }
        let mut norms = Vec::with_capacity(parts.len());
        for part in parts {
            norms.push(device.read(&part.norms).await?);
        }
        let mut distances = Vec::with_capacity(count);
        for sums in sums.chunks_exact(parts.len().max(1)) {
            let mut mean = Mean::default();
            for ((running, total), own) in sums.iter().zip(&norms) {
                let moved = log_sums(device, running).await?;
                let totals = device.read(total).await?;
                totals.iter().zip(moved).zip(own).for_each(|((&total, moved), &own)| mean.add(f64::from(total) + moved - f64::from(own)));
            }
            distances.push(mean.value().max(0.0));
        }
        Ok(distances)
    }

    async fn state_distances(
        &self,
        norm: Option<&DeviceNorm>,
        own: &[Vec<f32>],
        count: usize,
        states: impl AsyncFn(usize, usize) -> Result<Tensor>,
    ) -> Result<Vec<f64>> {
        let mut distances = Vec::with_capacity(count);
        for set in 0..count {
            let mut mean = Mean::default();
            for (number, own) in own.iter().enumerate() {
                let moved = states(set, number).await?;
                let width = moved.cols().max(1);
                let moved = last(self.device, norm, moved).await?;
                own.chunks_exact(width).zip(moved.chunks_exact(width)).for_each(|(own, moved)| mean.add(1.0 - cosine(own, moved)));
            }
            distances.push(mean.value().max(0.0));
        }
        Ok(distances)
    }
}

/// A mean that is being taken.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }
}

/// Ranges of at most [`ROWS`] rows.
fn steps(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(ROWS).map(move |start| start..rows.min(start + ROWS))
}

async fn normalised(device: &Device, decoder: &Decoder<'_>, states: &Tensor, rows: Range<usize>) -> Result<Tensor> {
    let rows: Vec<u32> = (rows.start as u32..rows.end as u32).collect();
    decoder.normalise(&device.select(states, Some(&rows), None).await?).await
}

/// The state of [`Device::softmax_tile`] before the first tile.
async fn running(device: &Device, rows: usize) -> Result<Tensor> {
    device.upload(rows, 4, &[-1e30, 0.0, 0.0, 0.0].repeat(rows)).await
}

/// ln of summed exponentials of each row, after the last tile.
async fn log_sums(device: &Device, running: &Tensor) -> Result<Vec<f64>> {
    let values = device.read(running).await?;
    Ok(values.chunks_exact(4).map(|row| f64::from(row[0]) + f64::from(row[1]).ln()).collect())
}

async fn with_norms(device: &Device, decoder: &Decoder<'_>, parts: Vec<(usize, Range<usize>, Tensor)>) -> Result<Vec<Part>> {
    let mut sums = Vec::with_capacity(parts.len());
    for (_, rows, _) in &parts {
        sums.push(running(device, rows.len()).await?);
    }
    for index in 0..decoder.tiles() {
        let (first, tile) = decoder.tile(index).await?;
        for ((_, rows, states), running) in parts.iter().zip(&sums) {
            device.softmax_tile(&decoder.logits(states, &tile).await?, first, &vec![0; rows.len()], running).await?;
        }
    }
    let mut with = Vec::with_capacity(parts.len());
    for ((batch, rows, states), running) in parts.into_iter().zip(&sums) {
        let norms: Vec<f32> = log_sums(device, running).await?.into_iter().map(|norm| norm as f32).collect();
        with.push(Part { batch, norms: device.upload(rows.len(), 1, &norms).await?, rows, states });
    }
    Ok(with)
}

async fn last(device: &Device, norm: Option<&DeviceNorm>, states: Tensor) -> Result<Vec<f32>> {
    match norm {
        Some(norm) => device.read(&norm.apply(device, &states).await?).await,
        None => device.read(&states).await,
    }
}

/// KL(softmax p || softmax q) of logits in nats, in f64.
pub fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (log_softmax(p), log_softmax(q));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>().max(0.0)
}

fn log_softmax(row: &[f32]) -> Vec<f64> {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = row.iter().map(|&v| f64::from(v - top).exp()).sum();
    row.iter().map(|&v| f64::from(v - top) - total.ln()).collect()
}

/// Cosine of two vectors, in f64; 0 where one is nothing.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests;
