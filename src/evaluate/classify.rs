//! Accuracy, and the KL divergence to another model's predictions.

use super::layers::{group_tokens, groups};
use super::{batch_tokens, last_states};
use crate::base::{Error, Phase, Result, Run};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::forward::{HeadWeights, batches, divergence};
use crate::model::Architecture;
use crate::text::{LabelledSet, Tokenizer};
use serde::Serialize;

/// Logits of a classifier over a labelled set.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// Row-major [examples, labels].
    pub logits: Vec<f32>,
    /// Number of classes.
    pub classes: usize,
    /// The right class of each example.
    pub labels: Vec<usize>,
}

/// How good a classifier is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// Share of examples whose largest logit is the label's.
    pub accuracy: f64,
    /// Number of examples.
    pub examples: usize,
    /// Mean KL(reference || model) over examples, in nats, where there is a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Share of examples with the reference's prediction, where there is a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
}

/// Logits of every example; sentences are cut at the model's longest sequence.
pub async fn classify(
    device: &Device,
    run: &Run,
    phase: Phase,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    tokenizer: &Tokenizer,
    set: &LabelledSet,
) -> Result<Classified> {
    let head = HeadWeights::read(device, checkpoint, architecture).await?;
    let sequences = set
        .examples
        .iter()
        .map(|example| tokenizer.encode_line_cut(&example.sentence, architecture.positions))
        .collect::<Result<Vec<_>>>()?;
    let mut logits = Vec::new();
    for group in groups(&sequences, group_tokens(device, architecture.hidden)) {
        let batches = batches(group, batch_tokens(device));
        let states = last_states(device, run, phase, checkpoint, architecture, &batches).await?;
        for (state, batch) in states.iter().zip(&batches) {
            logits.extend(device.read(&head.logits(device, state, &batch.segments).await?).await?);
        }
    }
    let labels: Vec<usize> = set.examples.iter().map(|example| example.label).collect();
    let classes = logits.len() / labels.len().max(1);
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        return Err(Error::input(format!("The labelled data has label {label}, but the model knows the classes 0 to {}.", classes - 1)));
    }
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(Error::input("The model gives logits that are not finite; its weights are damaged or overflow."));
    }
    Ok(Classified { logits, classes, labels })
}

impl Classified {
    /// Accuracy alone.
    pub fn quality(&self) -> Quality {
        let right = self.rows().zip(&self.labels).filter(|(row, label)| largest(row) == **label).count();
        Quality { accuracy: right as f64 / self.labels.len().max(1) as f64, examples: self.labels.len(), kl: None, agreement: None }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.logits.chunks_exact(self.classes.max(1))
    }
}

/// Quality of a model, with its distance to a reference over the same set.
pub fn compare(model: &Classified, reference: &Classified) -> Quality {
    let count = model.labels.len().max(1) as f64;
    let pairs = || reference.rows().zip(model.rows());
    let kl: f64 = pairs().map(|(p, q)| divergence(p, q)).sum();
    let same = pairs().filter(|(p, q)| largest(p) == largest(q)).count();
    Quality { kl: Some(kl / count), agreement: Some(same as f64 / count), ..model.quality() }
}

fn largest(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, &v)| if v > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_divergence_by_hand() {
        let dense = Classified { logits: vec![0.0, 3f32.ln(), 0.0, 0.0], classes: 2, labels: vec![1, 1] };
        assert_eq!(dense.quality().accuracy, 0.5);
        assert_eq!(compare(&dense, &dense).kl, Some(0.0));
        let flat = Classified { logits: vec![1.0, 1.0, 5.0, 5.0], ..dense.clone() };
        let quality = compare(&flat, &dense);
        // First row: KL((1/4, 3/4) || (1/2, 1/2)) = ln 2 - H(1/4); the second row is equal.
        let expected = (2f64.ln() - 0.562_335_144_618_808_6) / 2.0;
        assert!((quality.kl.unwrap() - expected).abs() < 1e-6);
        assert_eq!(quality.agreement, Some(0.5));
    }
}
