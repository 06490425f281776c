//! Perplexity and token accuracy over windows of a token stream, and the KL divergence to another model, token by token.

use super::layers::{group_tokens, groups};
use super::{batch_tokens, last_states};
use crate::base::{Error, Phase, Result, Run};
use crate::calibrate::{Kept, Store};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor};
use crate::forward::{Batch, Decoder, batches};
use crate::model::Architecture;
use serde::Serialize;

/// How well a language model predicts a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// exp of the mean negative log-likelihood of every token after the first of its window.
    pub perplexity: f64,
    /// Number of tokens that count.
    pub tokens: usize,
    /// Tokens in a window, the first included.
    pub window: usize,
    /// Share of those tokens that have the largest logit; of equal ones the lowest id counts.
    pub token_accuracy: f64,
    /// Mean KL(reference || model) a token, in nats, where there is a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
}

/// A model to measure.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    /// Its tensors.
    pub checkpoint: &'a Checkpoint,
    /// What they compute.
    pub architecture: &'a Architecture,
}

/// A model's normalised last states over the windows, with the ln of summed exponentials of each row.
struct Scored<'a> {
    decoder: Decoder<'a>,
    states: Vec<Tensor>,
    norms: Vec<Vec<f32>>,
    loss: f64,
    right: usize,
}

/// Rows whose logits over one tile are held at once.
const ROWS: usize = 1024;

/// A model to compare with.
#[derive(Clone, Copy)]
pub enum Reference<'a> {
    /// It is run beside.
    Run(Measured<'a>),
    /// It was run before, over the same windows.
    Kept(Measured<'a>, &'a Answers, &'a Store),
}

/// What a model made of windows of a text: enough for the divergence of others to it without running it again.
pub struct Answers {
    groups: Vec<Answered>,
}

/// A [`Scored`] that waits in a store, and how many windows it is of.
struct Answered {
    windows: usize,
    states: Vec<Kept>,
    norms: Vec<Vec<f32>>,
}

/// Perplexity and token accuracy of a model over windows of equal length; with a reference, the KL divergence to it over the same windows.
pub async fn predict(
    device: &Device,
    run: &Run,
    phase: Phase,
    model: Measured<'_>,
    reference: Option<Reference<'_>>,
    windows: &[Vec<u32>],
) -> Result<Prediction> {
    // States while a model runs, and those that wait for the divergence.
    let widths = |reference: Option<Measured<'_>>| 2 * model.architecture.hidden + reference.map_or(0, |one| one.architecture.hidden);
    let parts = |widths| groups(windows, group_tokens(device, widths));
    match reference {
        None => summed(device, run, phase, model, &parts(widths(None)), async |_, _, _| Ok(None)).await,
        Some(Reference::Run(reference)) => {
            let each = async |_, batches: &[Batch], own: Scored<'_>| {
                divergence(device, &score(device, run, phase, reference, batches).await?, &own).await.map(Some)
            };
            summed(device, run, phase, model, &parts(widths(Some(reference))), each).await
        }
        Some(Reference::Kept(reference, answers, store)) => {
            let each = async |index: usize, _: &[Batch], own: Scored<'_>| {
                divergence(device, &answers.groups[index].scored(device, reference, store).await?, &own).await.map(Some)
            };
            summed(device, run, phase, model, &answers.parts(windows)?, each).await
        }
    }
}

/// As [`predict`] without a reference; also gives what the model made of the windows, kept in `store`.
pub async fn predict_and_keep(
    device: &Device,
    run: &Run,
    phase: Phase,
    model: Measured<'_>,
    windows: &[Vec<u32>],
    store: &Store,
) -> Result<(Prediction, Answers)> {
    // Groups that leave room for these states beside those of another model.
    let parts = groups(windows, group_tokens(device, 3 * model.architecture.hidden));
    let mut kept = Vec::with_capacity(parts.len());
    let each = async |index: usize, _: &[Batch], own: Scored<'_>| {
        let mut states = Vec::with_capacity(own.states.len());
        for state in own.states {
            states.push(store.keep(device, state, false).await?);
        }
        kept.push(Answered { windows: parts[index].len(), states, norms: own.norms });
        Ok(None)
    };
    let prediction = summed(device, run, phase, model, &parts, each).await?;
    Ok((prediction, Answers { groups: kept }))
}

impl Answers {
    /// The windows in the groups of the answers.
    fn parts<'a>(&self, mut windows: &'a [Vec<u32>]) -> Result<Vec<&'a [Vec<u32>]>> {
        let mut parts = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let (part, rest) = windows.split_at_checked(group.windows).ok_or_else(|| Error::internal("answers to other windows"))?;
            parts.push(part);
            windows = rest;
        }
        if windows.is_empty() { Ok(parts) } else { Err(Error::internal("answers to other windows")) }
    }
}

impl Answered {
    async fn scored<'a>(&self, device: &'a Device, model: Measured<'a>, store: &Store) -> Result<Scored<'a>> {
        let decoder = Decoder::read(device, model.checkpoint, model.architecture).await?;
        let mut states = Vec::with_capacity(self.states.len());
        for kept in &self.states {
            states.push(store.fetch(device, kept).await?);
        }
        Ok(Scored { decoder, states, norms: self.norms.clone(), loss: 0.0, right: 0 })
    }
}

/// Measures a model over groups of windows. `each` is handed every group by its index, and gives its divergence where there is one.
async fn summed<'a>(
    device: &'a Device,
    run: &Run,
    phase: Phase,
    model: Measured<'a>,
    parts: &[&[Vec<u32>]],
    mut each: impl AsyncFnMut(usize, &[Batch], Scored<'a>) -> Result<Option<f64>>,
) -> Result<Prediction> {
    let window = parts.first().and_then(|part| part.first()).map_or(0, Vec::len);
    if window < 2 {
        return Err(Error::input("The text gives no window of at least two tokens; give more text or another window."));
    }
    let (mut loss, mut right, mut kl) = (0.0, 0, None);
    for (index, part) in parts.iter().enumerate() {
        let batches = batches(*part, batch_tokens(device));
        let own = score(device, run, phase, model, &batches).await?;
        loss += own.loss;
        right += own.right;
        if let Some(more) = each(index, &batches, own).await? {
            kl = Some(kl.unwrap_or(0.0) + more);
        }
    }
    let tokens = parts.iter().map(|part| part.len()).sum::<usize>() * (window - 1);
    let mean = |sum: f64| sum / tokens as f64;
    Ok(Prediction { perplexity: mean(loss).exp(), tokens, window, token_accuracy: mean(right as f64), kl: kl.map(mean) })
}

/// Runs the model, keeps the states of every token that predicts another, and sums the losses.
async fn score<'a>(device: &'a Device, run: &Run, phase: Phase, model: Measured<'a>, batches: &[Batch]) -> Result<Scored<'a>> {
    let decoder = Decoder::read(device, model.checkpoint, model.architecture).await?;
    let last = last_states(device, run, phase, model.checkpoint, model.architecture, batches).await?;
    let (mut states, mut targets) = (Vec::new(), Vec::new());
    for (state, batch) in last.into_iter().zip(batches) {
        let rows: Vec<u32> = batch.segments.ranges().flat_map(|rows| rows.start as u32..rows.end as u32 - 1).collect();
        for rows in rows.chunks(ROWS) {
            targets.push(rows.iter().map(|&row| batch.ids[row as usize + 1]).collect::<Vec<u32>>());
            states.push(decoder.normalise(&device.select(&state, Some(rows), None).await?).await?);
        }
    }
    let mut sums = Vec::with_capacity(states.len());
    for targets in &targets {
        let begin: Vec<f32> = targets.iter().flat_map(|_| [-1e30, 0.0, 0.0, 0.0]).collect();
        sums.push(device.upload(targets.len(), 4, &begin).await?);
    }
    for index in 0..decoder.tiles() {
        let (first, tile) = decoder.tile(index).await?;
        for ((states, targets), sums) in states.iter().zip(&targets).zip(&sums) {
            device.softmax_tile(&decoder.logits(states, &tile).await?, first, targets, sums).await?;
        }
    }
    let mut norms = Vec::with_capacity(sums.len());
    let (mut loss, mut right) = (0.0, 0);
    for (sums, targets) in sums.iter().zip(&targets) {
        let values = device.read(sums).await?;
        norms.push(values.chunks_exact(4).map(|row| (f64::from(row[0]) + f64::from(row[1]).ln()) as f32).collect());
        loss += values.chunks_exact(4).map(|row| f64::from(row[0]) + f64::from(row[1]).ln() - f64::from(row[2])).sum::<f64>();
        right += values.chunks_exact(4).zip(targets).filter(|(row, target)| row[3] == **target as f32).count();
    }
    if !loss.is_finite() {
        return Err(Error::input("The model gives logits that are not finite; its weights are damaged or overflow."));
    }
    Ok(Scored { decoder, states, norms, loss, right })
}

/// Sum over tokens of KL(p || q).
async fn divergence(device: &Device, p: &Scored<'_>, q: &Scored<'_>) -> Result<f64> {
    let mut totals = Vec::with_capacity(p.states.len());
    for norms in &p.norms {
        totals.push(device.zeros(norms.len(), 1).await?);
    }
    for index in 0..p.decoder.tiles() {
        let ((_, p_tile), (_, q_tile)) = (p.decoder.tile(index).await?, q.decoder.tile(index).await?);
        for (part, total) in totals.iter().enumerate() {
            let p_norms = device.upload(p.norms[part].len(), 1, &p.norms[part]).await?;
            let q_norms = device.upload(q.norms[part].len(), 1, &q.norms[part]).await?;
            let p_logits = p.decoder.logits(&p.states[part], &p_tile).await?;
            let q_logits = q.decoder.logits(&q.states[part], &q_tile).await?;
            device.divergence_tile(&p_logits, &p_norms, &q_logits, &q_norms, total).await?;
        }
    }
    let mut sum = 0.0;
    for total in &totals {
        sum += device.read(total).await?.into_iter().map(f64::from).sum::<f64>();
    }
    Ok(sum.max(0.0))
}
