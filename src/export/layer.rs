//! One pruned layer as tensors of the output.

use super::OutputOptions;
use super::pad::{scatter_inputs, scatter_outputs};
use super::widths::{full_heads, pads_heads};
use crate::allocate::{LayerPlan, channels};
use crate::base::{Error, Result};
use crate::checkpoint::{Data, Matrix, OutputTensor, Scratch};
use crate::forward::{HostLayer, HostLinear};
use crate::model::{Architecture, Layer, Linear};

/// The tensors of pruned layer `index`. `pruned` has sliced producers and repaired consumers in the output dtype.
///
/// They are written as they are; where heads are padded, q, k and v rows and the consumer's columns go back to the places
/// that `plan` says, zeros elsewhere, so the block computes the same. Producers of which nothing is removed are left out, and so
/// is a whole layer of which nothing is removed: they stay the input's. Unequal neuron counts are padded by [`super::assemble`], which knows the widest layer.
///
/// # Errors
/// Scratch is full, or there is no such layer.
pub async fn export_layer(
    architecture: &Architecture,
    index: usize,
    plan: &LayerPlan,
    pruned: &HostLayer,
    options: &OutputOptions,
    scratch: &mut dyn Scratch,
) -> Result<Vec<OutputTensor>> {
    let layer = architecture.layers.get(index).ok_or_else(|| Error::internal(format_args!("there is no layer {index} to export")))?;
    if plan.heads.len() == layer.heads && plan.neurons.len() == layer.neurons {
        return Ok(Vec::new());
    }
    let mut writer = Writer { scratch, tensors: Vec::new() };
    if plan.heads.len() < layer.heads {
        let places = pads_heads(architecture, options).then(|| Places::new(architecture, layer, plan));
        let producers = [(&layer.query, &pruned.query), (&layer.key, &pruned.key), (&layer.value, &pruned.value)];
        for (position, (linear, host)) in producers.into_iter().enumerate() {
            match &places {
                Some(places) => writer.linear(linear, &places.producer(host, position > 0)).await?,
                None => writer.linear(linear, host).await?,
            }
        }
        match &places {
            Some(places) => writer.linear(&layer.attention_output, &places.consumer(&pruned.attention_output)).await?,
            None => writer.linear(&layer.attention_output, &pruned.attention_output).await?,
        }
    } else {
        writer.linear(&layer.attention_output, &pruned.attention_output).await?;
    }
    if plan.neurons.len() < layer.neurons {
        writer.linear(&layer.ffn_input, &pruned.ffn_input).await?;
    }
    writer.linear(&layer.ffn_output, &pruned.ffn_output).await?;
    Ok(writer.tensors)
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
        let group = (layer.heads / layer.kv_heads.max(1)).max(1);
        let heads = full_heads(architecture, layer);
        let mut groups: Vec<u32> = plan.heads.iter().map(|head| head / group as u32).collect();
        groups.dedup();
        Self {
            query: channels(&plan.heads, layer.head_dim),
            key: channels(&groups, layer.head_dim),
            query_width: heads * layer.head_dim,
            key_width: heads / group * layer.head_dim,
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
    scratch: &'a mut dyn Scratch,
    tensors: Vec<OutputTensor>,
}

impl Writer<'_> {
    /// A linear layer; a bias that a repair added is named after the weight.
    async fn linear(&mut self, linear: &Linear, host: &HostLinear) -> Result<()> {
        let Matrix { rows, cols, .. } = host.weight;
        self.tensor(linear.weight.clone(), vec![rows as u64, cols as u64], &host.weight).await?;
        if let Some(bias) = &host.bias {
            let stem = linear.weight.strip_suffix("weight").unwrap_or(&linear.weight);
            let name = linear.bias.clone().unwrap_or_else(|| format!("{stem}bias"));
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
