//! The widths that are written for each layer, and the shapes and sizes that follow.

use super::names::Names;
use super::{OutputKind, OutputOptions, narrow, output_dtype};
use crate::allocate::{LayerPlan, Plan, Widths};
use crate::checkpoint::{Checkpoint, Layout};
use crate::model::{Architecture, Layer, Linear, Unit};
use std::collections::HashMap;

/// The number of heads that a stock config of a family implies where it cannot lower them alone: they fill the hidden width.
pub(super) fn full_heads(architecture: &Architecture, layer: &Layer) -> usize {
    architecture.hidden / layer.head_dim.max(1)
}

/// Whether units of this kind go back to their places in the dense shape.
pub(super) fn pads_heads(architecture: &Architecture, options: &OutputOptions) -> bool {
    options.kind == OutputKind::Stock && options.pad && !architecture.stock_units.contains(&Unit::Heads)
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Width of the residual stream.
    pub(super) hidden: usize,
    /// Widths of the layers of the input; nothing where a layer is removed.
    pub(super) layers: Vec<Option<Widths>>,
}

impl Written {
    /// Widths of the layers that stay, with what they are.
    pub(super) fn of<'a>(&'a self, architecture: &'a Architecture) -> impl Iterator<Item = (&'a Layer, Widths)> {
        architecture.layers.iter().zip(&self.layers).filter_map(|(layer, widths)| Some((layer, (*widths)?)))
    }
}

/// The widths that are written. Without padding they are those of the plan; with it, heads fill the hidden width and all
/// layers are as wide as the widest.
pub(super) fn written(architecture: &Architecture, plan: &Plan, options: &OutputOptions) -> Written {
    let pads = options.kind == OutputKind::Stock && options.pad;
    let widest = plan.layers.iter().map(|layer| layer.neurons.len()).max().unwrap_or(0);
    let widths = |(layer, kept): (&Layer, &LayerPlan)| Widths {
        heads: if pads_heads(architecture, options) { full_heads(architecture, layer) } else { kept.heads.len() },
        neurons: if pads { widest } else { kept.neurons.len() },
    };
    let layers = architecture.layers.iter().zip(&plan.layers);
    let layers = layers.map(|layer| (!layer.1.is_removed()).then(|| widths(layer))).collect();
    Written { hidden: plan.kept_hidden(architecture).map_or(architecture.hidden, <[u32]>::len), layers }
}

/// Shapes of all tensors that a plan changes at given widths, by name. Linear layers that share a tensor add up.
pub(super) fn shapes(architecture: &Architecture, checkpoint: &Checkpoint, written: &Written) -> HashMap<String, Vec<u64>> {
    let mut sides: HashMap<&str, (Layout, usize, usize)> = HashMap::new();
    let mut biases: HashMap<&str, usize> = HashMap::new();
    let hidden = written.hidden;
    for (layer, widths) in written.of(architecture) {
        let (query, key) = (widths.heads * layer.unit_size(Unit::Heads), widths.heads * layer.head_dim);
        let mut of_layer = vec![
            (&layer.query, query, hidden),
            (&layer.key, key, hidden),
            (&layer.value, key, hidden),
            (&layer.attention_output, hidden, query),
            (&layer.ffn_input, widths.neurons, hidden),
            (&layer.ffn_output, hidden, widths.neurons),
        ];
        of_layer.extend(layer.ffn_gate.as_ref().map(|gate| (gate, widths.neurons, hidden)));
        for (linear, outputs, inputs) in of_layer {
            sides.entry(&linear.weight).or_insert((linear.layout, 0, inputs)).1 += outputs;
            if let Some(bias) = &linear.bias {
                *biases.entry(bias).or_insert(0) += outputs;
            }
        }
    }
    let weights = sides.into_iter().map(|(name, (layout, outputs, inputs))| {
        let (rows, cols) = if layout == Layout::OutIn { (outputs, inputs) } else { (inputs, outputs) };
        (name.to_owned(), vec![rows as u64, cols as u64])
    });
    let mut shapes: HashMap<String, Vec<u64>> =
        weights.chain(biases.into_iter().map(|(name, outputs)| (name.to_owned(), vec![outputs as u64]))).collect();
    if hidden < architecture.hidden {
        shapes.extend(narrow::shapes(architecture, checkpoint, hidden));
    }
    shapes
}

/// Outputs of a linear layer at given widths, in a residual stream of width `hidden`.
pub(super) fn outputs_of(layer: &Layer, hidden: usize, widths: Widths, linear: &Linear) -> usize {
    if *linear == layer.query {
        widths.heads * layer.unit_size(Unit::Heads)
    } else if *linear == layer.key || *linear == layer.value {
        widths.heads * layer.head_dim
    } else if *linear == layer.ffn_input || Some(linear) == layer.ffn_gate.as_ref() {
        widths.neurons
    } else {
        hidden
    }
}

/// What the tensors of a model come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputSize {
    /// Elements of floating point tensors.
    pub parameters: u64,
    /// Bytes of tensor data, without headers.
    pub bytes: u64,
}

/// What the output of a plan will come to, known before anything is computed. Biases that a repair adds to layers without one
/// are not counted.
pub fn output_size(architecture: &Architecture, checkpoint: &Checkpoint, plan: &Plan, options: &OutputOptions) -> OutputSize {
    let shapes = shapes(architecture, checkpoint, &written(architecture, plan, options));
    let names = Names::new(architecture, plan);
    let entries = checkpoint.entries().filter(|entry| names.of(&entry.name).is_some());
    entries.fold(OutputSize::default(), |size, entry| {
        let shape = shapes.get(&entry.name).unwrap_or(&entry.shape);
        OutputSize {
            parameters: size.parameters + if entry.dtype.is_float() { shape.iter().product::<u64>() } else { 0 },
            bytes: size.bytes + output_dtype(options, entry.dtype).span(shape).unwrap_or(0),
        }
    })
}
