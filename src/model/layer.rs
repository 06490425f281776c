//! One transformer block: its linear layers, its normalisations, and the units that can be removed from it.

use super::Unit;
use crate::checkpoint::Layout;

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
    /// The first of two matrices, where the layer is factored: then `weight` is the second, U [outputs, rank], and the layer gives U V x.
    pub factor: Option<Factor>,
    /// Where the outputs begin in the tensors, which hold several layers side by side (GPT-2's `c_attn`); absent where they
    /// hold this one alone.
    pub fused_at: Option<usize>,
}

/// The matrix of a factored layer that reads its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// Tensor name of V, [rank, inputs].
    pub weight: String,
    /// Rows of V.
    pub rank: usize,
    /// Whether a layer of the block before this one reads the same V, which is counted there.
    pub shared: bool,
    /// Single weights that are added to the product, where there are some.
    pub singles: Option<Singles>,
}

impl Factor {
    /// The same for a further layer in the same tensors: what it holds is counted already.
    pub(super) fn counted(&self) -> Self {
        let singles = self.singles.as_ref().map(|singles| Singles { kept: 0, ..singles.clone() });
        Self { shared: true, singles, ..self.clone() }
    }
}

/// Single weights beside the product of a factored layer: it gives U V x + S x.
#[derive(Debug, Clone, PartialEq)]
pub struct Singles {
    /// Tensor name of S, [outputs, inputs], which is packed in the file.
    pub weight: String,
    /// How many S has; where its tensor is that of several layers, they are counted with the first.
    pub kept: u64,
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

    /// Whether one of them is factored.
    pub fn is_factored(&self) -> bool {
        self.linears().into_iter().any(|linear| linear.factor.is_some())
    }

    /// The layer that reads a kind of unit.
    pub fn consumer(&self, unit: Unit) -> &Linear {
        match unit {
            Unit::Heads => &self.attention_output,
            Unit::Neurons => &self.ffn_output,
        }
    }

    /// The consumer of a kind of unit, and the layers that produce its input.
    pub fn around(&self, unit: Unit) -> Vec<&Linear> {
        match unit {
            Unit::Heads => vec![&self.attention_output, &self.query, &self.key, &self.value],
            Unit::Neurons => [&self.ffn_output, &self.ffn_input].into_iter().chain(&self.ffn_gate).collect(),
        }
    }

    /// The normalisation that goes with the sublayer of a kind of unit.
    pub fn norm(&self, unit: Unit) -> &Norm {
        match unit {
            Unit::Heads => &self.attention_norm,
            Unit::Neurons => &self.ffn_norm,
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

    /// Values a token that a block holds at the same time, at most: around attention or around the FFN.
    pub fn widest(&self, hidden: usize) -> usize {
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let gates = if self.ffn_gate.is_some() { 3 } else { 1 };
        4 * hidden + (3 * queries + 3 * keys).max(gates * self.neurons + hidden)
    }

    /// Columns of the widest matrix that a block computes.
    pub fn widest_matrix(&self) -> usize {
        (self.heads * self.head_dim).max(self.neurons).max(self.query.inputs)
    }

    /// Parameters of the block's linear layers (weights and biases) with `heads` units of attention and `neurons` neurons left.
    pub fn linear_parameters(&self, heads: usize, neurons: usize) -> u64 {
        self.linear_parameters_at(self.query.inputs, heads, neurons)
    }

    /// The same in a residual stream of width `hidden`.
    pub fn linear_parameters_at(&self, hidden: usize, heads: usize, neurons: usize) -> u64 {
        let hidden = hidden as u64;
        let (q, kv) = ((heads * self.unit_size(Unit::Heads)) as u64, (heads * self.head_dim) as u64);
        let neurons = neurons as u64;
        let bias = |linear: &Linear, width: u64| if linear.bias.is_some() { width } else { 0 };
        let weights = |linear: &Linear, width: u64| match &linear.factor {
            Some(factor) => {
                let inner = if factor.shared { 0 } else { hidden };
                factor.rank as u64 * (width + inner) + factor.singles.as_ref().map_or(0, |singles| singles.kept)
            }
            None => width * hidden,
        };
        let into = |linear: &Linear, width: u64| weights(linear, width) + bias(linear, width);
        let out_of = |linear: &Linear, width: u64| weights(linear, width) + bias(linear, hidden);
        let gate = self.ffn_gate.as_ref().map_or(0, |gate| into(gate, neurons));
        into(&self.query, q)
            + into(&self.key, kv)
            + into(&self.value, kv)
            + out_of(&self.attention_output, q)
            + gate
            + into(&self.ffn_input, neurons)
            + out_of(&self.ffn_output, neurons)
    }

    /// Zeros that are multiplied like weights: those among the single weights of factored layers.
    pub fn idle_weights(&self) -> u64 {
        let idle = |linear: &&Linear| {
            let singles = linear.factor.as_ref()?.singles.as_ref()?;
            // Of a tensor of several layers all weights are counted with the first of them.
            Some((linear.outputs as i64 * linear.inputs as i64) - singles.kept as i64)
        };
        self.linears().iter().filter_map(idle).sum::<i64>().max(0) as u64
    }

    /// Floating-point operations a token of attention itself with `heads` units left, where a token sees `seen` tokens: four a
    /// channel of context and token that is seen.
    pub fn attention_flops(&self, heads: usize, seen: f64) -> f64 {
        4.0 * seen * (heads * self.unit_size(Unit::Heads)) as f64
    }
}
