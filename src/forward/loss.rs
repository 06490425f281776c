//! What the model's predictions cost, by sequence, and the gradient of that with respect to the last hidden states: where the
//! backward pass begins.

mod next_token;

use super::{Batch, Decoder, HeadWeights};
use crate::base::{Error, Random, Result};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Tensor};
use crate::model::{Architecture, Head};

/// What counts as right.
pub enum Targets<'a> {
    /// Of a language model: the next token of the text. Of a classifier: these classes, one a sequence; the class that the model
    /// itself prefers, where there are none.
    Observed(Option<&'a [usize]>),
    /// Tokens or classes drawn from what the model itself predicts: squared gradients then have the Fisher information as their
    /// expectation.
    Drawn(&'a mut Random),
}

/// Losses and their gradients.
#[derive(Debug)]
pub struct Descent {
    /// Cross-entropy in nats, by sequence: of its class, or the mean over its tokens after the first.
    pub losses: Vec<f64>,
    /// By batch, [tokens, hidden]: the gradient of each sequence's loss with respect to its last hidden states.
    pub states: Vec<Tensor>,
}

/// The head of a model as a loss.
pub enum Loss<'a> {
    /// Cross-entropy of the classes.
    Classes(HeadWeights),
    /// Cross-entropy of the next token.
    NextToken(Decoder<'a>),
}

impl<'a> Loss<'a> {
    /// The loss that fits a checkpoint's head.
    ///
    /// # Errors
    /// It has neither a classifier nor a next-token head.
    pub async fn read(device: &'a Device, checkpoint: &'a Checkpoint, architecture: &'a Architecture) -> Result<Self> {
        match &architecture.head {
            Head::Classifier { .. } => Ok(Self::Classes(HeadWeights::read(device, checkpoint, architecture).await?)),
            Head::CausalLm { .. } => Ok(Self::NextToken(Decoder::read(device, checkpoint, architecture).await?)),
            Head::None | Head::MaskedLm { .. } => Err(no_loss(architecture)),
        }
    }

    /// Fails where [`Loss::read`] would, before anything is read.
    ///
    /// # Errors
    /// The checkpoint has neither a classifier nor a next-token head.
    pub fn check(architecture: &Architecture) -> Result<()> {
        match &architecture.head {
            Head::Classifier { .. } | Head::CausalLm { .. } => Ok(()),
            Head::None | Head::MaskedLm { .. } => Err(no_loss(architecture)),
        }
    }

    /// Losses of all sequences of some batches and their gradients, from the states above the last block.
    ///
    /// # Errors
    /// A label is no class of the model's, or a loss is not finite.
    pub async fn descend(&self, device: &Device, states: &[Tensor], batches: &[Batch], targets: Targets<'_>) -> Result<Descent> {
        let descent = match self {
            Self::Classes(head) => classes(device, head, states, batches, targets).await?,
            Self::NextToken(decoder) => next_token::descend(device, decoder, states, batches, targets).await?,
        };
        match descent.losses.iter().all(|loss| loss.is_finite()) {
            true => Ok(descent),
            false => Err(Error::input("The model gives logits that are not finite; its weights are damaged or overflow.")),
        }
    }
}

fn no_loss(architecture: &Architecture) -> Error {
    Error::recipe(format!(
        "This criterion follows the gradient of a loss, and this checkpoint ({}) has neither a classifier nor a next-token head to take it from; choose a criterion without gradients, such as \"flap\".",
        architecture.class
    ))
}

async fn classes(device: &Device, head: &HeadWeights, states: &[Tensor], batches: &[Batch], mut targets: Targets<'_>) -> Result<Descent> {
    let mut descent = Descent { losses: Vec::new(), states: Vec::with_capacity(batches.len()) };
    for (states, batch) in states.iter().zip(batches) {
        let logits = head.logits(device, states, &batch.segments).await?;
        let width = logits.cols();
        let mut gradients = Vec::with_capacity(batch.segments.len() * width);
        for row in device.read(&logits).await?.chunks_exact(width.max(1)) {
            let probabilities = softmax(row);
            let class = match &mut targets {
                Targets::Observed(Some(labels)) => {
                    *labels.get(descent.losses.len()).ok_or_else(|| Error::internal("a sequence without its label"))?
                }
                Targets::Observed(None) => first_largest(row),
                Targets::Drawn(random) => draw(&probabilities, random.uniform()),
            };
            let probability = probabilities.get(class).ok_or_else(|| {
                Error::input(format!("The calibration text has label {class}, but the model knows the classes 0 to {}.", width - 1))
            })?;
            descent.losses.push(-probability.ln());
            gradients.extend(probabilities.iter().enumerate().map(|(other, p)| (p - f64::from(u8::from(other == class))) as f32));
        }
        let upstream = device.upload(batch.segments.len(), width, &gradients).await?;
        descent.states.push(head.backward(device, states, &batch.segments, &upstream).await?);
    }
    Ok(descent)
}

fn softmax(row: &[f32]) -> Vec<f64> {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares: Vec<f64> = row.iter().map(|&v| f64::from(v - top).exp()).collect();
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}

fn first_largest(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, &v)| if v > row[best] { i } else { best })
}

/// The class at which the summed probabilities exceed a uniform number.
fn draw(probabilities: &[f64], uniform: f64) -> usize {
    let mut left = uniform;
    let exceeded = probabilities.iter().position(|p| {
        left -= p;
        left < 0.0
    });
    exceeded.unwrap_or(probabilities.len().saturating_sub(1))
}

/// A tensor of `count` rows with the rows of `values` at `places` (ascending), and zeros elsewhere.
pub(super) async fn spread(device: &Device, values: &Tensor, places: &[u32], count: usize) -> Result<Tensor> {
    let with_zero = device.stack(values, &device.zeros(1, values.cols()).await?).await?;
    let mut rows = vec![places.len() as u32; count];
    for (index, &place) in places.iter().enumerate() {
        *rows.get_mut(place as usize).ok_or_else(|| Error::internal("a row beyond the end"))? = index as u32;
    }
    device.select(&with_zero, Some(&rows), None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_probabilities() {
        let p = [0.25, 0.0, 0.5, 0.25];
        assert_eq!([0.0, 0.2, 0.25, 0.7, 0.75, 0.99].map(|u| draw(&p, u)), [0, 0, 2, 2, 3, 3]);
        // What rounding leaves goes to the last class.
        assert_eq!(draw(&[0.5, 0.499_999], 0.999_999_9), 1);
    }
}
