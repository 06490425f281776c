//! GPT-2 (Radford et al., 2019) as Transformers stores it: Conv1D weights [in, out], q, k and v side by side in `c_attn`, a
//! head that is tied to the token table, with and without the `transformer.` prefix.

use super::{
    Activation, Architecture, Config, Embeddings, Layer, NormKind, NormPlacement, Shapes, Unit, WidthFields, class_name, layer_widths,
};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    for flag in ["scale_attn_by_inverse_layer_idx", "add_cross_attention"] {
        if config.flag_or(flag, false)? {
            return Err(Error::input(format!("config.json sets {flag}, which Coppice does not support for GPT-2.")));
        }
    }
    if !config.flag_or("scale_attn_weights", true)? {
        return Err(Error::input("config.json sets scale_attn_weights to false, which Coppice does not support for GPT-2."));
    }
    let hidden = config.size("n_embd")?;
    let heads = config.size("n_head")?;
    let head_dim = super::head_width(config, "n_embd", "n_head")?;
    let neurons = config.size_or("n_inner", 4 * hidden)?;
    let shapes = Shapes::new(config, checkpoint);
    let prefix = if shapes.has("transformer.wte.weight") { "transformer." } else { "" };
    let layers = (0..config.size("n_layer")?)
        .map(|index| {
            let (heads, neurons) = layer_widths(config, index, heads, neurons)?;
            let width = heads * head_dim;
            let at = format!("{prefix}h.{index}");
            let [query, key, value] = shapes.fused(&format!("{at}.attn.c_attn"), width, hidden)?;
            Ok(Layer {
                heads,
                kv_heads: heads,
                head_dim,
                neurons,
                query,
                key,
                value,
                attention_output: shapes.conv1d(&format!("{at}.attn.c_proj"), hidden, width)?,
                attention_norm: shapes.layer_norm(&format!("{at}.ln_1"), hidden)?,
                ffn_gate: None,
                ffn_input: shapes.conv1d(&format!("{at}.mlp.c_fc"), neurons, hidden)?,
                ffn_output: shapes.conv1d(&format!("{at}.mlp.c_proj"), hidden, neurons)?,
                ffn_norm: shapes.layer_norm(&format!("{at}.ln_2"), hidden)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let vocabulary = config.size("vocab_size")?;
    let positions = config.size_or("n_positions", 1024)?;
    let tokens = shapes.table(&format!("{prefix}wte.weight"), vocabulary, hidden)?;
    Ok(Architecture {
        family: "gpt2",
        class: class_name(config, "GPT2LMHeadModel"),
        hidden,
        vocabulary,
        positions,
        activation: Activation::named(config.text_or("activation_function", "gelu_new")?)?,
        norm_eps: config.epsilon_or("layer_norm_epsilon", 1e-5)?,
        norm_kind: NormKind::Layer,
        placement: NormPlacement::Pre,
        rotary: None,
        causal: true,
        head: super::causal_head(config, &shapes, &tokens, true, vocabulary, hidden)?,
        embeddings: Embeddings {
            tokens,
            positions: Some((shapes.table(&format!("{prefix}wpe.weight"), positions, hidden)?, 0)),
            token_types: None,
            norm: None,
        },
        blocks: format!("{prefix}h."),
        layers,
        final_norm: Some(shapes.layer_norm(&format!("{prefix}ln_f"), hidden)?),
        bos: super::first_token(config, Some(50256), vocabulary)?,
        stock_units: &[Unit::Neurons],
        width_fields: WidthFields { layers: "n_layer", hidden: &["n_embd"], query_heads: "n_head", neurons: "n_inner", heads: None },
        bias_fields: None,
    })
}
