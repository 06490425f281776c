//! How much each channel of the residual stream matters, whatever the criterion of units: for every layer that reads it, the
//! variance of its normalised input times the squared norm of the weights that read the channel, as FLAP has it for units.
//!
//! Readers that have and get no bias lose the mean too, so that there it is the second moment. Each set of readers that share an input (q, k
//! and v; gate and first FFN matrix; the head) counts alike: its channels' shares add up to 1.

use crate::base::{Error, Result};
use crate::calibrate::{HostSums, Statistics};
use crate::checkpoint::{Checkpoint, Matrix};
use crate::forward::{HostLayer, HostLinear};
use crate::model::{Architecture, Head, Linear, Unit};

/// Rows of a vocabulary that are read together.
const TILE: u32 = 8192;

/// One score a channel, [hidden]; the larger, the more it matters. Where a repair is not `affine`, no reader's bias changes.
///
/// # Errors
/// The statistics of the readers were not collected, or a tensor cannot be read.
pub async fn hidden_scores(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    statistics: &Statistics,
    affine: bool,
) -> Result<Vec<f64>> {
    let readers = statistics.readers.as_ref().ok_or_else(|| Error::internal("channels without statistics of their readers"))?;
    let mut scores = vec![0.0; architecture.hidden];
    for (layer, sums) in architecture.layers.iter().zip(&readers.layers) {
        let host = HostLayer::read(checkpoint, layer).await?;
        let attention = squares(&[&host.query, &host.key, &host.value])?;
        let ffn: Vec<&HostLinear> = host.ffn_gate.iter().chain([&host.ffn_input]).collect();
        let shifts = |unit: Unit, linear: &Linear| affine && architecture.can_shift_linear(linear, Some(unit));
        add(&mut scores, &sums[0], &attention, shifts(Unit::Heads, &layer.query));
        add(&mut scores, &sums[1], &squares(&ffn)?, shifts(Unit::Neurons, &layer.ffn_input));
    }
    let (weights, shifts) = match &architecture.head {
        Head::None => (vec![1.0; architecture.hidden], affine),
        Head::CausalLm { decoder } => (table_squares(checkpoint, decoder).await?, false),
        Head::Classifier { pooler: linear, .. } | Head::MaskedLm { transform: linear, .. } => {
            (squares(&[&HostLinear::read(checkpoint, linear).await?])?, affine && architecture.can_shift_linear(linear, None))
        }
    };
    add(&mut scores, &readers.head, &weights, shifts);
    Ok(scores)
}

/// Adds each channel's share of what one set of readers would miss.
fn add(scores: &mut [f64], sums: &HostSums, weights: &[f64], shifts: bool) {
    let count = sums.count.max(1.0);
    let moments = if shifts { sums.variances() } else { sums.squares.iter().map(|square| square / count).collect() };
    let parts: Vec<f64> = moments.iter().zip(weights).map(|(moment, weight)| moment * weight).collect();
    let total: f64 = parts.iter().sum();
    if total > 0.0 {
        scores.iter_mut().zip(parts).for_each(|(score, part)| *score += part / total);
    }
}

/// Squared norm of the weights that read each channel, over layers with the same input, [inputs].
fn squares(linears: &[&HostLinear]) -> Result<Vec<f64>> {
    let mut sums = vec![0.0; linears.first().map_or(0, |linear| linear.weight.inputs())];
    for linear in linears {
        add_squares(&mut sums, &linear.weight)?;
    }
    Ok(sums)
}

fn add_squares(sums: &mut [f64], matrix: &Matrix) -> Result<()> {
    let values = matrix.to_f32_inputs_major()?;
    let rows = values.chunks_exact(matrix.outputs().max(1));
    sums.iter_mut().zip(rows).for_each(|(sum, row)| *sum += row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>());
    Ok(())
}

/// The same of a projection to a vocabulary, which may be too large to hold.
async fn table_squares(checkpoint: &Checkpoint, decoder: &Linear) -> Result<Vec<f64>> {
    let mut sums = vec![0.0; decoder.inputs];
    for first in (0..decoder.outputs as u32).step_by(TILE as usize) {
        let rows: Vec<u32> = (first..(first + TILE).min(decoder.outputs as u32)).collect();
        add_squares(&mut sums, &checkpoint.rows(&decoder.weight, &rows).await?)?;
    }
    Ok(sums)
}
