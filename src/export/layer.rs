//! One pruned layer as tensors of the output.

use super::OutputOptions;
use super::biases::added_name;
use super::pad::{scatter_inputs, scatter_outputs};
use super::widths::{full_heads, pads_heads};
use crate::allocate::{LayerPlan, Plan, channels};
use crate::base::{Error, Result};
use crate::checkpoint::{Data, Matrix, OutputTensor, Scratch};
use crate::forward::{HostLayer, HostLinear, HostNorm};
use crate::model::{Architecture, Layer, Linear, Norm, Unit};

/// The tensors of pruned layer `index`. `pruned` has sliced producers and repaired consumers in the output dtype.
///
/// They are written as they are; where heads are padded, q, k and v rows and the consumer's columns go back to the places
/// that `plan` says, zeros elsewhere, so the block computes the same. Producers of which nothing is removed are left out, and so
/// is a whole layer of which nothing is removed: they stay the input's. A layer that goes whole has no tensors. Unequal neuron
/// counts are padded by [`super::assemble`], which knows the widest layer.
///
/// # Errors
/// Scratch is full, or there is no such layer.
pub async fn export_layer(
    architecture: &Architecture,
    index: usize,
    plan: &Plan,
    pruned: &HostLayer,
    options: &OutputOptions,
    scratch: &dyn Scratch,
) -> Result<Vec<OutputTensor>> {
    let layer = architecture.layers.get(index).ok_or_else(|| Error::internal(format_args!("there is no layer {index} to export")))?;
    let kept = plan.layers.get(index).ok_or_else(|| Error::internal(format_args!("the plan has no layer {index}")))?;
    // A narrower residual stream changes all layers.
    let narrow = plan.kept_hidden(architecture).is_some();
    let cut = |unit: Unit| narrow || kept.kept(unit).len() < layer.units(unit);
    if kept.is_removed() || !Unit::ALL.into_iter().any(cut) {
        return Ok(Vec::new());
    }
    let mut writer = Writer { scratch, tensors: Vec::new() };
    let mut consumer = pruned.attention_output.clone();
    if cut(Unit::Heads) {
        let mut producers = [pruned.query.clone(), pruned.key.clone(), pruned.value.clone()];
        if pads_heads(architecture, options) {
            let places = Places::new(architecture, layer, kept);
            for (position, producer) in producers.iter_mut().enumerate() {
                *producer = places.producer(producer, position > 0);
            }
            consumer = places.consumer(&consumer);
        }
        let [query, key, value] = &producers;
        if layer.query.fused_at.is_some() {
            let fused = HostLinear::join(&[query, key, value])?;
            writer.linear(&layer.query, &fused).await?;
        } else {
            writer.linear(&layer.query, query).await?;
            writer.linear(&layer.key, key).await?;
            writer.linear(&layer.value, value).await?;
        }
    }
    writer.linear(&layer.attention_output, &consumer).await?;
    if cut(Unit::Neurons) {
        if let (Some(linear), Some(gate)) = (&layer.ffn_gate, &pruned.ffn_gate) {
            writer.linear(linear, gate).await?;
        }
        writer.linear(&layer.ffn_input, &pruned.ffn_input).await?;
    }
    writer.linear(&layer.ffn_output, &pruned.ffn_output).await?;
    Ok(writer.tensors)
}

/// The tensors of a linear layer that no block has; a bias that a repair added is named after the weight.
///
/// # Errors
/// Scratch is full.
pub async fn export_linear(linear: &Linear, host: &HostLinear, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let mut writer = Writer { scratch, tensors: Vec::new() };
    writer.linear(linear, host).await?;
    Ok(writer.tensors)
}

/// The gain of a normalisation.
///
/// # Errors
/// Scratch is full.
pub async fn export_gain(norm: &Norm, host: &HostNorm, scratch: &dyn Scratch) -> Result<OutputTensor> {
    let gain = host.gain();
    let source = scratch.put(&norm.gain, gain.bytes.clone()).await?;
    Ok(OutputTensor { name: norm.gain.clone(), dtype: gain.dtype, shape: vec![gain.rows as u64], data: Data::Changed(source) })
}

/// Where the channels of kept heads go in the dense shape.
struct Places {
    query: Vec<u32>,
    key: Vec<u32>,
    query_width: usize,
    key_width: usize,
}

impl Places {
    fn new(architecture: &Architecture, layer: &Layer, plan: &LayerPlan) -> Self {
        let heads = full_heads(architecture, layer);
        Self {
            query: channels(&plan.heads, layer.unit_size(Unit::Heads)),
            key: channels(&plan.heads, layer.head_dim),
            query_width: heads * layer.head_dim,
            key_width: heads / layer.group() * layer.head_dim,
        }
    }

    fn producer(&self, host: &HostLinear, is_key: bool) -> HostLinear {
        let (indices, total) = if is_key { (&self.key, self.key_width) } else { (&self.query, self.query_width) };
        HostLinear {
            weight: scatter_outputs(&host.weight, indices, total),
            bias: host.bias.as_ref().map(|bias| scatter_outputs(bias, indices, total)),
            factor: None,
        }
    }

    fn consumer(&self, host: &HostLinear) -> HostLinear {
        HostLinear { weight: scatter_inputs(&host.weight, &self.query, self.query_width), bias: host.bias.clone(), factor: None }
    }
}

struct Writer<'a> {
    scratch: &'a dyn Scratch,
    tensors: Vec<OutputTensor>,
}

impl Writer<'_> {
    /// A linear layer; a bias that a repair added is named after the weight.
    async fn linear(&mut self, linear: &Linear, host: &HostLinear) -> Result<()> {
        let Matrix { rows, cols, .. } = host.weight;
        self.tensor(linear.weight.clone(), vec![rows as u64, cols as u64], &host.weight).await?;
        if let Some(bias) = &host.bias {
            let name = linear.bias.clone().unwrap_or_else(|| added_name(linear));
            self.tensor(name, vec![bias.rows as u64], bias).await?;
        }
        Ok(())
    }

    async fn tensor(&mut self, name: String, shape: Vec<u64>, matrix: &Matrix) -> Result<()> {
        let source = self.scratch.put(&name, matrix.bytes.clone()).await?;
        self.tensors.push(OutputTensor { name, dtype: matrix.dtype, shape, data: Data::Changed(source) });
        Ok(())
    }
}
