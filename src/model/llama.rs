//! Llama (Touvron et al., 2023) and what shares its blocks: RMS norms before each sublayer, rotary positions, a gated FFN,
//! grouped-query attention, explicit head width, a head that is tied or not.

use super::{
    Activation, Architecture, Config, Embeddings, HeadFields, Layer, NormKind, NormPlacement, Shapes, Unit, WidthFields, class_name,
    layer_widths, rotary,
};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    let hidden = config.size("hidden_size")?;
    let heads = config.size("num_attention_heads")?;
    let kv_heads = config.size_or("num_key_value_heads", heads)?;
    if heads % kv_heads != 0 {
        return Err(Error::input(format!(
            "config.json has {heads} attention heads, which num_key_value_heads {kv_heads} does not divide."
        )));
    }
    let head_dim = match config.get("head_dim") {
        Some(_) => config.size("head_dim")?,
        None if hidden % heads == 0 => hidden / heads,
        None => return Err(Error::input(format!("config.json has hidden_size {hidden}, which {heads} attention heads do not divide."))),
    };
    let neurons = config.size("intermediate_size")?;
    let shapes = Shapes { checkpoint };
    let prefix = if shapes.has("model.embed_tokens.weight") { "model." } else { "" };
    let group = heads / kv_heads;
    let (attention_bias, mlp_bias) = (config.flag_or("attention_bias", false), config.flag_or("mlp_bias", false));
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
                query: shapes.linear(&format!("{at}.self_attn.q_proj"), q, hidden, attention_bias)?,
                key: shapes.linear(&format!("{at}.self_attn.k_proj"), kv, hidden, attention_bias)?,
                value: shapes.linear(&format!("{at}.self_attn.v_proj"), kv, hidden, attention_bias)?,
                attention_output: shapes.linear(&format!("{at}.self_attn.o_proj"), hidden, q, attention_bias)?,
                attention_norm: shapes.rms_norm(&format!("{at}.input_layernorm"), hidden)?,
                ffn_gate: Some(shapes.linear(&format!("{at}.mlp.gate_proj"), neurons, hidden, mlp_bias)?),
                ffn_input: shapes.linear(&format!("{at}.mlp.up_proj"), neurons, hidden, mlp_bias)?,
                ffn_output: shapes.linear(&format!("{at}.mlp.down_proj"), hidden, neurons, mlp_bias)?,
                ffn_norm: shapes.rms_norm(&format!("{at}.post_attention_layernorm"), hidden)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let vocabulary = config.size("vocab_size")?;
    let tokens = shapes.table(&format!("{prefix}embed_tokens.weight"), vocabulary, hidden)?;
    Ok(Architecture {
        family: "llama",
        class: class_name(config, "LlamaForCausalLM"),
        hidden,
        vocabulary,
        positions: config.size_or("max_position_embeddings", 2048)?,
        activation: Activation::named(config.text("hidden_act").unwrap_or("silu"))?,
        norm_eps: config.number_or("rms_norm_eps", 1e-6)? as f32,
        norm_kind: NormKind::Rms,
        placement: NormPlacement::Pre,
        rotary: Some(rotary::describe(config, head_dim)?),
        causal: true,
        head: super::causal_head(config, &shapes, &tokens, false, vocabulary, hidden)?,
        embeddings: Embeddings { tokens, positions: None, token_types: None, norm: None },
        layers,
        final_norm: Some(shapes.rms_norm(&format!("{prefix}norm"), hidden)?),
        bos: super::token(config, "bos_token_id"),
        stock_units: &[Unit::Heads, Unit::Neurons],
        width_fields: WidthFields {
            neurons: "intermediate_size",
            heads: Some(HeadFields { heads: "num_attention_heads", kv_heads: "num_key_value_heads", head_dim: "head_dim" }),
        },
        bias_fields: Some(["attention_bias", "mlp_bias"]),
    })
}
