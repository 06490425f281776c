//! Llama (Touvron et al., 2023) and what shares its blocks: RMS norms before each sublayer, rotary positions, a gated FFN,
//! grouped-query attention, explicit head width, a head that is tied or not.

use super::{
    Activation, Architecture, Config, Embeddings, HeadFields, Layer, NormKind, NormPlacement, Shapes, Unit, WidthFields, class_name,
    layer_widths, rotary,
};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

/// What differs between the families that are made of these blocks.
pub(super) struct Family {
    /// The config's `model_type`.
    pub(super) name: &'static str,
    /// Its language model.
    pub(super) class: &'static str,
    /// Longest sequence where the config does not say.
    pub(super) positions: usize,
    /// First token of a window where the config does not say.
    pub(super) bos: Option<u32>,
    /// Which linear layers have biases.
    pub(super) biases: Biases,
    /// Whether Transformers insists that heads divide the hidden width.
    pub(super) divide_hidden: bool,
    /// Config fields that give biases.
    pub(super) bias_fields: Option<[&'static str; 2]>,
}

/// Which linear layers have biases.
pub(super) struct Biases {
    /// Queries, keys and values.
    pub(super) inputs: bool,
    /// Attention's output.
    pub(super) output: bool,
    /// The FFN.
    pub(super) ffn: bool,
}

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    super::head_width(config, "hidden_size", HEADS)?;
    let [attention, ffn] = FLAGS.map(|flag| config.flag_or(flag, false));
    let (attention, ffn) = (attention?, ffn?);
    let family = Family {
        name: "llama",
        class: "LlamaForCausalLM",
        positions: 2048,
        bos: Some(1),
        biases: Biases { inputs: attention, output: attention, ffn },
        divide_hidden: true,
        bias_fields: Some(FLAGS),
    };
    decoder(config, checkpoint, family)
}

const HEADS: &str = "num_attention_heads";
const KV_HEADS: &str = "num_key_value_heads";
/// Config fields that give biases to attention and to the FFN.
const FLAGS: [&str; 2] = ["attention_bias", "mlp_bias"];

/// A decoder of these blocks.
pub(super) fn decoder(config: &Config, checkpoint: &Checkpoint, family: Family) -> Result<Architecture> {
    let hidden = config.size("hidden_size")?;
    let heads = config.size(HEADS)?;
    let kv_heads = config.size_or(KV_HEADS, heads)?;
    if heads % kv_heads != 0 {
        return Err(Error::input(format!(
            "config.json has {HEADS} {heads}, which {KV_HEADS} {kv_heads} does not divide; use the config.json that belongs to the model."
        )));
    }
    let head_dim = match config.get("head_dim") {
        Some(_) => config.size("head_dim")?,
        None => super::head_width(config, "hidden_size", HEADS)?,
    };
    let neurons = config.size("intermediate_size")?;
    let shapes = Shapes::new(config, checkpoint);
    let prefix = if shapes.has("model.embed_tokens.weight") { "model." } else { "" };
    let group = heads / kv_heads;
    let biases = &family.biases;
    let layers = (0..config.size("num_hidden_layers")?)
        .map(|index| {
            // A sliced output lists units of attention, which are key/value heads here.
            let (kv_heads, neurons) = layer_widths(config, index, kv_heads, neurons)?;
            let (q, kv) = (kv_heads * group * head_dim, kv_heads * head_dim);
            let at = format!("{prefix}layers.{index}");
            Ok(Layer {
                heads: kv_heads * group,
                kv_heads,
                head_dim,
                neurons,
                query: shapes.linear(&format!("{at}.self_attn.q_proj"), q, hidden, biases.inputs)?,
                key: shapes.linear(&format!("{at}.self_attn.k_proj"), kv, hidden, biases.inputs)?,
                value: shapes.linear(&format!("{at}.self_attn.v_proj"), kv, hidden, biases.inputs)?,
                attention_output: shapes.linear(&format!("{at}.self_attn.o_proj"), hidden, q, biases.output)?,
                attention_norm: shapes.rms_norm(&format!("{at}.input_layernorm"), hidden)?,
                ffn_gate: Some(shapes.linear(&format!("{at}.mlp.gate_proj"), neurons, hidden, biases.ffn)?),
                ffn_input: shapes.linear(&format!("{at}.mlp.up_proj"), neurons, hidden, biases.ffn)?,
                ffn_output: shapes.linear(&format!("{at}.mlp.down_proj"), hidden, neurons, biases.ffn)?,
                ffn_norm: shapes.rms_norm(&format!("{at}.post_attention_layernorm"), hidden)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let vocabulary = config.size("vocab_size")?;
    let tokens = shapes.table(&format!("{prefix}embed_tokens.weight"), vocabulary, hidden)?;
    Ok(Architecture {
        family: family.name,
        class: class_name(config, family.class),
        hidden,
        vocabulary,
        positions: config.size_or("max_position_embeddings", family.positions)?,
        activation: Activation::named(config.text_or("hidden_act", "silu")?)?,
        norm_eps: config.epsilon_or("rms_norm_eps", 1e-6)?,
        norm_kind: NormKind::Rms,
        placement: NormPlacement::Pre,
        rotary: Some(rotary::describe(config, head_dim)?),
        causal: true,
        head: super::causal_head(config, &shapes, &tokens, false, vocabulary, hidden)?,
        embeddings: Embeddings { tokens, positions: None, token_types: None, norm: None },
        blocks: format!("{prefix}layers."),
        layers,
        final_norm: Some(shapes.rms_norm(&format!("{prefix}norm"), hidden)?),
        bos: super::first_token(config, family.bos, vocabulary)?,
        stock_units: &[Unit::Heads, Unit::Neurons],
        width_fields: WidthFields {
            layers: "num_hidden_layers",
            hidden: &["hidden_size"],
            query_heads: HEADS,
            neurons: "intermediate_size",
            heads: Some(HeadFields { kv_heads: KV_HEADS, head_dim: "head_dim", divide_hidden: family.divide_hidden }),
        },
        bias_fields: family.bias_fields,
    })
}
