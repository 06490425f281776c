//! Which outputs of a classifier's first layer stay where the residual stream gets narrower: stock configs give it as many outputs as
//! there are channels. By the squared norms of the weights before an output and of those after it, multiplied; no data is looked at,
//! so that a plan alone says which they are.

use crate::base::Result;
use crate::checkpoint::Checkpoint;
use crate::forward::HostLinear;
use crate::model::{Architecture, Head};

/// The `count` outputs that matter most, ascending; none where there is no classifier.
///
/// # Errors
/// A tensor cannot be read.
pub async fn pooled_outputs(checkpoint: &Checkpoint, architecture: &Architecture, count: usize) -> Result<Vec<u32>> {
    let Head::Classifier { pooler, classifier, .. } = &architecture.head else { return Ok(Vec::new()) };
    let (pooler, classifier) = (HostLinear::read(checkpoint, pooler).await?, HostLinear::read(checkpoint, classifier).await?);
    let square = |values: &[f32]| values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
    // [hidden, pooled] and [pooled, labels].
    let (made, read) = (pooler.weight.to_f32_inputs_major()?, classifier.weight.to_f32_inputs_major()?);
    let outputs = pooler.weight.outputs();
    let mut norms = vec![0.0; outputs];
    for row in made.chunks_exact(outputs.max(1)) {
        norms.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v) * f64::from(v));
    }
    let scores: Vec<f64> =
        norms.iter().zip(read.chunks_exact(classifier.weight.outputs().max(1))).map(|(made, row)| made * square(row)).collect();
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}
