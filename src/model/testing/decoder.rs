//! Small random decoders of every family.

use super::{Maker, folder_of};
use crate::base::Random;
use crate::checkpoint::{Dtype, Folder, OutputFile, lay_out};
use serde_json::json;
use std::collections::BTreeMap;

/// A family of decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Conv1D, tied head, tanh GELU.
    Gpt2,
    /// ReLU, learned positions from row 2, tied head.
    Opt,
    /// RMS norms, rotary positions, grouped queries, gated FFN.
    Llama,
    /// As Llama, with biases on queries, keys and values.
    Qwen2,
}

/// A small decoder with normally distributed weights. No tokenizer comes with it.
#[derive(Debug, Clone)]
pub(crate) struct TinyDecoder {
    pub(crate) family: Family,
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    /// Key and value heads, where the family has such.
    pub(crate) kv_heads: usize,
    pub(crate) neurons: usize,
    pub(crate) layers: usize,
    pub(crate) vocabulary: usize,
    pub(crate) seed: u64,
}

impl TinyDecoder {
    /// Four heads of width 4, two of them to a key head where the family groups them; two layers.
    pub(crate) fn new(family: Family) -> Self {
        Self { family, hidden: 16, heads: 4, kv_heads: 2, neurons: 12, layers: 2, vocabulary: 30, seed: 5 }
    }

    /// config.json and model.safetensors.
    pub(crate) fn folder(&self) -> Folder {
        let mut made = Maker { random: Random::new(self.seed), dtype: Dtype::F32, tensors: Vec::new() };
        match self.family {
            Family::Gpt2 => self.gpt2(&mut made),
            Family::Opt => self.opt(&mut made),
            Family::Llama | Family::Qwen2 => self.llama(&mut made),
        }
        let mut files = lay_out(made.tensors, &BTreeMap::new(), u64::MAX).unwrap();
        files.push(OutputFile::text("config.json", self.config().to_string()));
        folder_of(&files)
    }

    fn config(&self) -> serde_json::Value {
        let Self { hidden, heads, kv_heads, neurons, layers, vocabulary, .. } = self;
        match self.family {
            Family::Gpt2 => json!({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": hidden, "n_head": heads,
                "n_inner": neurons, "n_layer": layers, "vocab_size": vocabulary, "n_positions": POSITIONS, "bos_token_id": 0}),
            Family::Opt => json!({"model_type": "opt", "architectures": ["OPTForCausalLM"], "hidden_size": hidden,
                "num_attention_heads": heads, "ffn_dim": neurons, "num_hidden_layers": layers, "vocab_size": vocabulary,
                "max_position_embeddings": POSITIONS, "bos_token_id": 0}),
            Family::Llama | Family::Qwen2 => json!({
                "model_type": if self.family == Family::Llama { "llama" } else { "qwen2" },
                "architectures": [if self.family == Family::Llama { "LlamaForCausalLM" } else { "Qwen2ForCausalLM" }],
                "hidden_size": hidden, "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": neurons,
                "num_hidden_layers": layers, "vocab_size": vocabulary, "max_position_embeddings": POSITIONS, "bos_token_id": 0}),
        }
    }

    fn gpt2(&self, made: &mut Maker) {
        let (hidden, neurons) = (self.hidden, self.neurons);
        made.normal("transformer.wte.weight", &[self.vocabulary, hidden], 0.7);
        made.normal("transformer.wpe.weight", &[POSITIONS, hidden], 0.3);
        for layer in 0..self.layers {
            let at = format!("transformer.h.{layer}");
            made.norm(&format!("{at}.ln_1"), hidden);
            made.conv1d(&format!("{at}.attn.c_attn"), 3 * hidden, hidden);
            made.conv1d(&format!("{at}.attn.c_proj"), hidden, hidden);
            made.norm(&format!("{at}.ln_2"), hidden);
            made.conv1d(&format!("{at}.mlp.c_fc"), neurons, hidden);
            made.conv1d(&format!("{at}.mlp.c_proj"), hidden, neurons);
        }
        made.norm("transformer.ln_f", hidden);
    }

    fn opt(&self, made: &mut Maker) {
        let (hidden, neurons) = (self.hidden, self.neurons);
        made.normal("model.decoder.embed_tokens.weight", &[self.vocabulary, hidden], 0.7);
        made.normal("model.decoder.embed_positions.weight", &[POSITIONS + 2, hidden], 0.3);
        for layer in 0..self.layers {
            let at = format!("model.decoder.layers.{layer}");
            for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                made.linear(&format!("{at}.self_attn.{name}"), hidden, hidden);
            }
            made.norm(&format!("{at}.self_attn_layer_norm"), hidden);
            made.linear(&format!("{at}.fc1"), neurons, hidden);
            made.linear(&format!("{at}.fc2"), hidden, neurons);
            made.norm(&format!("{at}.final_layer_norm"), hidden);
        }
        made.norm("model.decoder.final_layer_norm", hidden);
    }

    fn llama(&self, made: &mut Maker) {
        let (hidden, neurons, keys) = (self.hidden, self.neurons, self.hidden / self.heads * self.kv_heads);
        let deviation = |inputs: usize| 1.0 / (inputs as f64).sqrt();
        made.normal("model.embed_tokens.weight", &[self.vocabulary, hidden], 0.7);
        for layer in 0..self.layers {
            let at = format!("model.layers.{layer}");
            for (name, outputs) in [("q_proj", hidden), ("k_proj", keys), ("v_proj", keys)] {
                match self.family {
                    Family::Qwen2 => made.linear(&format!("{at}.self_attn.{name}"), outputs, hidden),
                    _ => made.normal(&format!("{at}.self_attn.{name}.weight"), &[outputs, hidden], deviation(hidden)),
                }
            }
            for (name, outputs, inputs) in [
                ("self_attn.o_proj", hidden, hidden),
                ("mlp.gate_proj", neurons, hidden),
                ("mlp.up_proj", neurons, hidden),
                ("mlp.down_proj", hidden, neurons),
            ] {
                made.normal(&format!("{at}.{name}.weight"), &[outputs, inputs], deviation(inputs));
            }
            made.gain(&format!("{at}.input_layernorm"), hidden);
            made.gain(&format!("{at}.post_attention_layernorm"), hidden);
        }
        made.gain("model.norm", hidden);
        made.normal("lm_head.weight", &[self.vocabulary, hidden], deviation(hidden));
    }
}

const POSITIONS: usize = 24;
