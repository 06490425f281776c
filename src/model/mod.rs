//! config.json and the tensor names to an [`Architecture`]: what is computed, from which tensors, and what can be pruned.
//!
//! An architecture is a description. `forward` computes what it describes, `export` writes what its config can express;
//! neither knows a family by name. One file a family says how its config and names become that description.

mod activation;
mod bert;
mod config;
mod distilbert;
mod fields;
mod gpt2;
mod hidden;
mod layer;
mod llama;
mod opt;
mod qwen2;
mod roberta;
mod rotary;
mod shapes;
mod structure;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod units;

pub use activation::Activation;
pub use config::Config;
pub use fields::{LAYERS_FIELD, RANKS_FIELD, SINGLES_FIELD};
pub use hidden::{Side, Sides};
pub use layer::{Factor, Layer, Linear, Norm, NormKind, NormPlacement, Rotary, Singles};
pub use structure::Structure;
pub use units::Unit;

use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use fields::{causal_head, class_name, first_token, head_width, layer_widths};
use shapes::Shapes;

/// The embedding sum at the bottom.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Token table, [vocabulary, hidden].
    pub tokens: String,
    /// Learned position table, [positions, hidden], and the row of the first position; absent where positions are rotary.
    pub positions: Option<(String, usize)>,
    /// Segment table, of which row 0 is used.
    pub token_types: Option<String>,
    /// Normalisation of the sum.
    pub norm: Option<Norm>,
}

/// What sits on top of the blocks.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// Nothing: the last hidden states are the output (sentence embeddings).
    None,
    /// Pooler on the first token, and classifier.
    Classifier {
        /// First-token projection.
        pooler: Linear,
        /// What follows it.
        activation: Activation,
        /// Logits.
        classifier: Linear,
    },
    /// Next-token logits from the last normalisation; tied to the token table where it has no tensor.
    CausalLm {
        /// Decoder to the vocabulary.
        decoder: Linear,
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
    /// What the normalisations compute.
    pub norm_kind: NormKind,
    /// Where blocks normalise.
    pub placement: NormPlacement,
    /// Rotary positions of queries and keys.
    pub rotary: Option<Rotary>,
    /// Whether attention is causal.
    pub causal: bool,
    /// The bottom.
    pub embeddings: Embeddings,
    /// The blocks.
    pub layers: Vec<Layer>,
    /// What the names of block i's tensors begin with, before `i.`.
    pub blocks: String,
    /// Normalisation above the last block.
    pub final_norm: Option<Norm>,
    /// The top.
    pub head: Head,
    /// Token that begins a window of a decoder, where the family has one.
    pub bos: Option<u32>,
    /// Units whose number a stock config can lower on its own.
    pub stock_units: &'static [Unit],
    /// Config fields that hold widths.
    pub width_fields: WidthFields,
    /// Config fields that give biases to attention and to the FFN, where the family has such.
    pub bias_fields: Option<[&'static str; 2]>,
}

/// Names of the config fields that hold widths, in this family's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WidthFields {
    /// Number of blocks.
    pub layers: &'static str,
    /// Width of the residual stream: all of these fields.
    pub hidden: &'static [&'static str],
    /// Query heads.
    pub query_heads: &'static str,
    /// FFN width.
    pub neurons: &'static str,
    /// The other fields of attention, where a config can lower heads alone; elsewhere they fill the residual stream.
    pub heads: Option<HeadFields>,
}

/// Names of the config fields of attention beside the number of query heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadFields {
    /// Key and value heads.
    pub kv_heads: &'static str,
    /// Width of one head.
    pub head_dim: &'static str,
    /// Whether Transformers insists that the number of query heads divides the hidden width, although the width of a head is
    /// a field of its own.
    pub divide_hidden: bool,
}

/// How a family's config and tensor names become a description.
type Describe = fn(&Config, &Checkpoint) -> Result<Architecture>;

/// Every family, by the config's `model_type`.
const FAMILIES: &[(&str, Describe)] = &[
    ("bert", bert::describe),
    ("distilbert", distilbert::describe),
    ("gpt2", gpt2::describe),
    ("llama", llama::describe),
    ("opt", opt::describe),
    ("qwen2", qwen2::describe),
    ("roberta", roberta::describe),
];

impl Architecture {
    /// Understands a checkpoint by its config and tensor names, and checks every shape against the config.
    ///
    /// # Errors
    /// The family is not supported, a tensor is missing, or a shape disagrees with the config; the message names it.
    pub fn new(config: &Config, checkpoint: &Checkpoint) -> Result<Self> {
        let kind = config.model_type()?;
        match FAMILIES.iter().find(|(name, _)| *name == kind) {
            Some((_, describe)) => {
                ["bos_token_id", "eos_token_id"].into_iter().try_for_each(|field| config.token_ids(field).map(drop))?;
                describe(config, checkpoint)
            }
            None => {
                let names: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
                Err(Error::input(format!(
                    "config.json says model_type \"{kind}\", which Coppice does not support; it supports {}.",
                    names.join(", ")
                )))
            }
        }
    }

    /// Config field that gives the layers around the consumer of `unit` their biases.
    pub fn bias_flag(&self, unit: Unit) -> Option<&'static str> {
        self.bias_fields.map(|fields| fields[unit as usize])
    }

    /// Whether the consumer of `unit` in a layer has a bias, or can be given one.
    pub fn can_shift(&self, layer: usize, unit: Unit) -> bool {
        self.can_shift_linear(self.layers[layer].consumer(unit), Some(unit))
    }

    /// Whether a linear layer has a bias, or can be given one: the readers and the consumer of a kind of unit by the config, the
    /// layers of the head not.
    pub fn can_shift_linear(&self, linear: &Linear, around: Option<Unit>) -> bool {
        linear.bias.is_some() || around.is_some_and(|unit| self.bias_flag(unit).is_some())
    }

    /// Whether a stock config can give a layer this many units of attention.
    pub fn stock_heads(&self, layer: &Layer, units: usize) -> bool {
        match self.width_fields.heads {
            Some(fields) => units > 0 && (!fields.divide_hidden || self.hidden.is_multiple_of(units * layer.group())),
            None => units == layer.units(Unit::Heads),
        }
    }

    /// Tokens that a token attends to, in the mean over a sequence of `length` tokens.
    pub fn seen(&self, length: f64) -> f64 {
        if self.causal { length / 2.0 } else { length }
    }

    /// Zeros of all blocks that are multiplied like weights: [`Layer::idle_weights`].
    pub fn idle_weights(&self) -> u64 {
        self.layers.iter().map(Layer::idle_weights).sum()
    }

    /// Parameters of the blocks' linear layers, which ratios refer to.
    pub fn linear_parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.linear_parameters(layer.units(Unit::Heads), layer.neurons)).sum()
    }
}
