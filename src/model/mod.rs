//! config.json and the tensor names to an [`Architecture`]: what is computed, from which tensors, and what can be pruned.
//!
//! An architecture is a description. `forward` computes what it describes, `export` writes what its config can express;
//! neither knows a family by name. One file a family says how its config and names become that description.

mod activation;
mod bert;
mod config;
mod gpt2;
mod llama;
mod rotary;
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
    /// Where the outputs begin in the tensors, which hold several layers side by side (GPT-2's `c_attn`); absent where they
    /// hold this one alone.
    pub fused_at: Option<usize>,
}

/// A normalisation layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// Tensor name of the gain.
    pub gain: String,
    /// Tensor name of the bias; RMS norms have none.
    pub bias: Option<String>,
}

/// What a normalisation computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Layer normalisation: centred, scaled, shifted (Ba et al., 2016).
    Layer,
    /// Root-mean-square normalisation: scaled only (Zhang and Sennrich, 2019).
    Rms,
}

/// Where a block normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlacement {
    /// After each residual sum (BERT).
    Post,
    /// Before attention and before the FFN; the residual stream itself is never normalised (GPT-2, Llama).
    Pre,
}

/// Rotary position embedding (Su et al., 2021): how fast each pair of channels of a head turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// Radians a position, one entry a pair, [head_dim / 2]. Pair i is channels i and i + head_dim / 2.
    pub frequencies: Vec<f32>,
}

/// One transformer block.
///
/// The prunable unit of attention is a key/value head with all query heads that read it: an ordinary head where each query
/// head has its own, a whole group under grouped-query attention.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Number of query heads.
    pub heads: usize,
    /// Number of key and value heads; divides `heads`.
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
    /// Gate of a gated FFN, [neurons, hidden]: its activation multiplies what `ffn_input` gives.
    pub ffn_gate: Option<Linear>,
    /// First FFN matrix, [neurons, hidden].
    pub ffn_input: Linear,
    /// Second FFN matrix, [hidden, neurons]: the consumer of neurons.
    pub ffn_output: Linear,
    /// Normalisation that goes with the FFN.
    pub ffn_norm: Norm,
}

impl Layer {
    /// The block's linear layers, which the ratio counts: q, k, v, attention output, gate where there is one, FFN in, FFN out.
    pub fn linears(&self) -> Vec<&Linear> {
        let mut linears = vec![&self.query, &self.key, &self.value, &self.attention_output];
        linears.extend(&self.ffn_gate);
        linears.extend([&self.ffn_input, &self.ffn_output]);
        linears
    }

    /// The consumer of a kind of unit, and the layers that produce its input.
    pub fn around(&self, unit: Unit) -> Vec<&Linear> {
        match unit {
            Unit::Heads => vec![&self.attention_output, &self.query, &self.key, &self.value],
            Unit::Neurons => [&self.ffn_output, &self.ffn_input].into_iter().chain(&self.ffn_gate).collect(),
        }
    }

    /// Query heads that read one key/value head.
    pub fn group(&self) -> usize {
        (self.heads / self.kv_heads.max(1)).max(1)
    }

    /// Number of units of a kind.
    pub fn units(&self, unit: Unit) -> usize {
        match unit {
            Unit::Heads => self.kv_heads,
            Unit::Neurons => self.neurons,
        }
    }

    /// Channels of the consumer's input that one unit of a kind has.
    pub fn unit_size(&self, unit: Unit) -> usize {
        match unit {
            Unit::Heads => self.group() * self.head_dim,
            Unit::Neurons => 1,
        }
    }

    /// Parameters of the block's linear layers (weights and biases) with `heads` units of attention and `neurons` neurons left.
    pub fn linear_parameters(&self, heads: usize, neurons: usize) -> u64 {
        let hidden = self.query.inputs as u64;
        let (q, kv) = ((heads * self.unit_size(Unit::Heads)) as u64, (heads * self.head_dim) as u64);
        let neurons = neurons as u64;
        let bias = |linear: &Linear, width: u64| if linear.bias.is_some() { width } else { 0 };
        let into = |linear: &Linear, width: u64| width * hidden + bias(linear, width);
        let out_of = |linear: &Linear, width: u64| width * hidden + bias(linear, hidden);
        let gate = self.ffn_gate.as_ref().map_or(0, |gate| into(gate, neurons));
        into(&self.query, q)
            + into(&self.key, kv)
            + into(&self.value, kv)
            + out_of(&self.attention_output, q)
            + gate
            + into(&self.ffn_input, neurons)
            + out_of(&self.ffn_output, neurons)
    }
}

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
    /// Pooler (dense and tanh on the first token) and classifier.
    Classifier {
        /// First-token projection.
        pooler: Linear,
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
    /// FFN width.
    pub neurons: &'static str,
    /// Numbers and width of heads, where a config can lower them alone.
    pub heads: Option<HeadFields>,
}

/// Names of the config fields of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadFields {
    /// Query heads.
    pub heads: &'static str,
    /// Key and value heads.
    pub kv_heads: &'static str,
    /// Width of one head.
    pub head_dim: &'static str,
}

impl Architecture {
    /// Understands a checkpoint by its config and tensor names, and checks every shape against the config.
    ///
    /// # Errors
    /// The family is not supported, a tensor is missing, or a shape disagrees with the config; the message names it.
    pub fn new(config: &Config, checkpoint: &Checkpoint) -> Result<Self> {
        match config.model_type()? {
            "bert" => bert::describe(config, checkpoint),
            "gpt2" => gpt2::describe(config, checkpoint),
            "llama" => llama::describe(config, checkpoint),
            other => Err(Error::input(format!(
                "config.json says model_type \"{other}\", which Coppice does not support; it supports bert, gpt2 and llama."
            ))),
        }
    }

    /// Config field that gives the layers around the consumer of `unit` their biases.
    pub fn bias_flag(&self, unit: Unit) -> Option<&'static str> {
        self.bias_fields.map(|fields| fields[unit as usize])
    }

    /// Whether a stock config can give a layer this many units of attention. Transformers' Llama insists that the query heads
    /// divide the hidden width, although `head_dim` is written.
    pub fn stock_heads(&self, layer: &Layer, units: usize) -> bool {
        let full = units == layer.units(Unit::Heads);
        full || self.stock_units.contains(&Unit::Heads) && units > 0 && self.hidden.is_multiple_of(units * layer.group())
    }

    /// Parameters of the blocks' linear layers, which ratios refer to.
    pub fn linear_parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.linear_parameters(layer.units(Unit::Heads), layer.neurons)).sum()
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

/// A token id of the config; a list gives its first.
fn token(config: &Config, name: &str) -> Option<u32> {
    let value = config.get(name)?;
    value.as_u64().or_else(|| value.get(0)?.as_u64()).and_then(|id| u32::try_from(id).ok())
}

/// The head of a decoder: next-token logits where the class is a language model; heads of other tasks pass through.
fn causal_head(config: &Config, shapes: &Shapes<'_>, tokens: &str, tied: bool, vocabulary: usize, hidden: usize) -> Result<Head> {
    let tied = config.flag_or("tie_word_embeddings", tied);
    let named = config.get("architectures").is_some();
    let class = class_name(config, "");
    let causal =
        if named { class.ends_with("ForCausalLM") || class.ends_with("LMHeadModel") } else { tied || shapes.has("lm_head.weight") };
    Ok(match causal {
        true => Head::CausalLm { decoder: shapes.decoder("lm_head.weight", tokens, tied, vocabulary, hidden)? },
        false => Head::None,
    })
}
