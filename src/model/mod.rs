//! config.json and the tensor names to an [`Architecture`]: what is computed, from which tensors, and what can be pruned.
//!
//! An architecture is a description. `forward` computes what it describes, `export` writes what its config can express;
//! neither knows a family by name. One file a family says how its config and names become that description.

mod activation;
mod bert;
mod config;
mod shapes;
#[cfg(test)]
pub(crate) mod testing;
mod units;

pub use activation::Activation;
pub use config::Config;
pub use units::Unit;

use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Layout};
use shapes::Shapes;

/// A linear layer: which tensors hold it and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Tensor name of the weight.
    pub weight: String,
    /// Tensor name of the bias, if the layer has one.
    pub bias: Option<String>,
    /// How the file stores the weight.
    pub layout: Layout,
    /// Width of the output.
    pub outputs: usize,
    /// Width of the input.
    pub inputs: usize,
}

/// A normalisation layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// Tensor name of the gain.
    pub gain: String,
    /// Tensor name of the bias.
    pub bias: String,
}

/// Where a block normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlacement {
    /// After each residual sum (BERT).
    Post,
}

/// One transformer block.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Number of query heads.
    pub heads: usize,
    /// Number of key and value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Number of FFN neurons.
    pub neurons: usize,
    /// Query projection, [heads * head_dim, hidden].
    pub query: Linear,
    /// Key projection, [kv_heads * head_dim, hidden].
    pub key: Linear,
    /// Value projection, [kv_heads * head_dim, hidden].
    pub value: Linear,
    /// Attention output projection, [hidden, heads * head_dim]: the consumer of heads.
    pub attention_output: Linear,
    /// Normalisation that goes with attention.
    pub attention_norm: Norm,
    /// First FFN matrix, [neurons, hidden].
    pub ffn_input: Linear,
    /// Second FFN matrix, [hidden, neurons]: the consumer of neurons.
    pub ffn_output: Linear,
    /// Normalisation that goes with the FFN.
    pub ffn_norm: Norm,
}

impl Layer {
    /// The block's linear layers, which the ratio counts.
    pub fn linears(&self) -> [&Linear; 6] {
        [&self.query, &self.key, &self.value, &self.attention_output, &self.ffn_input, &self.ffn_output]
    }

    /// Number of units of a kind.
    pub fn units(&self, unit: Unit) -> usize {
        match unit {
            Unit::Heads => self.heads,
            Unit::Neurons => self.neurons,
        }
    }

    /// Channels of the consumer's input that one unit of a kind has.
    pub fn unit_size(&self, unit: Unit) -> usize {
        match unit {
            Unit::Heads => self.head_dim,
            Unit::Neurons => 1,
        }
    }

    /// Parameters of the block's linear layers (weights and biases) at given widths.
    pub fn linear_parameters(&self, heads: usize, neurons: usize) -> u64 {
        let group = self.heads / self.kv_heads.max(1);
        let hidden = self.query.inputs as u64;
        let (q, kv) = ((heads * self.head_dim) as u64, (heads / group.max(1) * self.head_dim) as u64);
        let bias = |linear: &Linear, width: u64| if linear.bias.is_some() { width } else { 0 };
        q * hidden
            + bias(&self.query, q)
            + 2 * kv * hidden
            + bias(&self.key, kv)
            + bias(&self.value, kv)
            + q * hidden
            + bias(&self.attention_output, hidden)
            + 2 * neurons as u64 * hidden
            + bias(&self.ffn_input, neurons as u64)
            + bias(&self.ffn_output, hidden)
    }
}

/// The embedding sum at the bottom.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Token table, [vocabulary, hidden].
    pub tokens: String,
    /// Learned position table, [positions, hidden].
    pub positions: String,
    /// Segment table, of which row 0 is used.
    pub token_types: Option<String>,
    /// Normalisation of the sum.
    pub norm: Norm,
}

/// What sits on top of the blocks.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// Nothing: the last hidden states are the output (sentence embeddings).
    None,
    /// Pooler (dense and tanh on the first token) and classifier.
    Classifier {
        /// First-token projection.
        pooler: Linear,
        /// Logits.
        classifier: Linear,
    },
    /// Masked-language-model head: transform, norm, and decoder (tied to the token table where it has no tensor).
    MaskedLm {
        /// Dense transform with the hidden activation.
        transform: Linear,
        /// Its normalisation.
        norm: Norm,
        /// Decoder to the vocabulary.
        decoder: Linear,
    },
}

/// A transformer, described.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// `bert`, ...: the config's `model_type`.
    pub family: &'static str,
    /// Class name for the person, as the config gives it.
    pub class: String,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Rows of the token table.
    pub vocabulary: usize,
    /// Longest sequence.
    pub positions: usize,
    /// FFN activation.
    pub activation: Activation,
    /// Epsilon of the normalisations.
    pub norm_eps: f32,
    /// Where blocks normalise.
    pub placement: NormPlacement,
    /// Whether attention is causal.
    pub causal: bool,
    /// The bottom.
    pub embeddings: Embeddings,
    /// The blocks.
    pub layers: Vec<Layer>,
    /// The top.
    pub head: Head,
    /// Units whose number a stock config can lower on its own.
    pub stock_units: &'static [Unit],
    /// Config fields that hold widths.
    pub width_fields: WidthFields,
}

/// Names of the config fields that hold widths, in this family's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WidthFields {
    /// FFN width.
    pub neurons: &'static str,
}

impl Architecture {
    /// Understands a checkpoint by its config and tensor names, and checks every shape against the config.
    ///
    /// # Errors
    /// The family is not supported, a tensor is missing, or a shape disagrees with the config; the message names it.
    pub fn new(config: &Config, checkpoint: &Checkpoint) -> Result<Self> {
        match config.model_type()? {
            "bert" => bert::describe(config, checkpoint),
            other => {
                Err(Error::input(format!("config.json says model_type \"{other}\", which Coppice does not support; it supports bert.")))
            }
        }
    }

    /// Parameters of the blocks' linear layers, which ratios refer to.
    pub fn linear_parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.linear_parameters(layer.heads, layer.neurons)).sum()
    }
}

/// Key under which a `sliced` output keeps what a stock config cannot say.
pub const LAYERS_FIELD: &str = "coppice_layers";

/// Heads and neurons of layer `index`: the config's own, or those a `sliced` output lists by layer.
fn layer_widths(config: &Config, index: usize, heads: usize, neurons: usize) -> Result<(usize, usize)> {
    let Some(layers) = config.get(LAYERS_FIELD) else { return Ok((heads, neurons)) };
    let width = |name: &str| layers.get(index).and_then(|layer| layer.get(name)).and_then(serde_json::Value::as_u64);
    match (width("heads"), width("neurons")) {
        (Some(heads @ 0..=0xffff), Some(neurons @ 0..=0xff_ffff)) => Ok((heads as usize, neurons as usize)),
        _ => Err(Error::input(format!(
            "config.json has {LAYERS_FIELD} without heads and neurons for layer {index}; export the model again."
        ))),
    }
}

/// The first of the config's `architectures`.
fn class_name(config: &Config, default: &str) -> String {
    let first = config.get("architectures").and_then(|names| names.get(0)).and_then(serde_json::Value::as_str);
    first.unwrap_or(default).to_owned()
}
