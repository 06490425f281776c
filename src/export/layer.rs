//! One pruned layer as tensors of the output.

use super::OutputOptions;
use super::biases::added_name;
use super::pad::{scatter_inputs, scatter_outputs};
use super::widths::{full_heads, pads_heads};
use crate::allocate::{LayerPlan, channels};
use crate::base::{Error, Result};
use crate::checkpoint::{Data, Matrix, OutputTensor, Scratch};
use crate::forward::{HostLayer, HostLinear};
use crate::model::{Architecture, Layer, Linear, Unit};

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
    plan: &LayerPlan,
    pruned: &HostLayer,
    options: &OutputOptions,
    scratch: &dyn Scratch,
) -> Result<Vec<OutputTensor>> {
    let layer = architecture.layers.get(index).ok_or_else(|| Error::internal(format_args!("there is no layer {index} to export")))?;
    if plan.is_removed() || plan.heads.len() == layer.units(Unit::Heads) && plan.neurons.len() == layer.neurons {
        return Ok(Vec::new());
    }
    let mut writer = Writer { scratch, tensors: Vec::new() };
    let mut consumer = pruned.attention_output.clone();
    if plan.heads.len() < layer.units(Unit::Heads) {
        let mut producers = [pruned.query.clone(), pruned.key.clone(), pruned.value.clone()];
        if pads_heads(architecture, options) {
            let places = Places::new(architecture, layer, plan);
            for (position, producer) in producers.iter_mut().enumerate() {
                *producer = places.producer(producer, position > 0);
            }
            consumer = places.consumer(&consumer);
        }
        let [query, key, value] = &producers;
        if layer.query.fused_at.is_some() {
            let fused = fuse(&[query, key, value])?;
            writer.linear(&layer.query, &fused).await?;
        } else {
            writer.linear(&layer.query, query).await?;
            writer.linear(&layer.key, key).await?;
            writer.linear(&layer.value, value).await?;
        }
    }
    writer.linear(&layer.attention_output, &consumer).await?;
    if plan.neurons.len() < layer.neurons {
        if let (Some(linear), Some(gate)) = (&layer.ffn_gate, &pruned.ffn_gate) {
            writer.linear(linear, gate).await?;
        }
        writer.linear(&layer.ffn_input, &pruned.ffn_input).await?;
    }
    writer.linear(&layer.ffn_output, &pruned.ffn_output).await?;
    Ok(writer.tensors)
}

/// Layers that share a tensor, side by side again.
fn fuse(parts: &[&HostLinear]) -> Result<HostLinear> {
    let weights: Vec<&Matrix> = parts.iter().map(|part| &part.weight).collect();
    let biases: Option<Vec<&Matrix>> = parts.iter().map(|part| part.bias.as_ref()).collect();
    Ok(HostLinear { weight: Matrix::join_outputs(&weights)?, bias: biases.map(|biases| Matrix::join_outputs(&biases)).transpose()? })
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
        }
    }

    fn consumer(&self, host: &HostLinear) -> HostLinear {
        HostLinear { weight: scatter_inputs(&host.weight, &self.query, self.query_width), bias: host.bias.clone() }
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
