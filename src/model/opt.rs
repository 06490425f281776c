//! OPT (Zhang et al., 2022) as Transformers stores it: normalisation before each sublayer, learned positions that begin at row 2,
//! ReLU, a head that is tied to the token table, with and without the `model.` prefix.

use super::{
    Activation, Architecture, Config, Embeddings, Layer, NormKind, NormPlacement, Shapes, Unit, WidthFields, causal_head, class_name,
    first_token, layer_widths,
};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

/// Row of the first position.
const FIRST_POSITION: usize = 2;
/// Config field that gives every linear layer its bias.
const BIASES: &str = "enable_bias";
/// Config field that must be the hidden width too.
const PROJECTED: &str = "word_embed_proj_dim";

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    let hidden = config.size("hidden_size")?;
    for flag in ["do_layer_norm_before", "layer_norm_elementwise_affine"] {
        if !config.flag_or(flag, true)? {
            return Err(Error::input(format!("config.json sets {flag} to false, which Coppice does not support for OPT.")));
        }
    }
    let projected = config.size_or(PROJECTED, hidden)?;
    if projected != hidden {
        return Err(Error::input(format!(
            "config.json has word_embed_proj_dim {projected} and hidden_size {hidden}, and Coppice supports OPT only where they are equal."
        )));
    }
    let heads = config.size("num_attention_heads")?;
    let head_dim = super::head_width(config, "hidden_size", "num_attention_heads")?;
    let neurons = config.size("ffn_dim")?;
    let biased = config.flag_or(BIASES, true)?;
    let shapes = Shapes::new(config, checkpoint);
    let at = if shapes.has("model.decoder.embed_tokens.weight") { "model.decoder" } else { "decoder" };
    let layers = (0..config.size("num_hidden_layers")?)
        .map(|index| {
            let (heads, neurons) = layer_widths(config, index, heads, neurons)?;
            let width = heads * head_dim;
            let at = format!("{at}.layers.{index}");
            Ok(Layer {
                heads,
                kv_heads: heads,
                head_dim,
                neurons,
                query: shapes.linear(&format!("{at}.self_attn.q_proj"), width, hidden, biased)?,
                key: shapes.linear(&format!("{at}.self_attn.k_proj"), width, hidden, biased)?,
                value: shapes.linear(&format!("{at}.self_attn.v_proj"), width, hidden, biased)?,
                attention_output: shapes.linear(&format!("{at}.self_attn.out_proj"), hidden, width, biased)?,
                attention_norm: shapes.layer_norm(&format!("{at}.self_attn_layer_norm"), hidden)?,
                ffn_gate: None,
                ffn_input: shapes.linear(&format!("{at}.fc1"), neurons, hidden, biased)?,
                ffn_output: shapes.linear(&format!("{at}.fc2"), hidden, neurons, biased)?,
                ffn_norm: shapes.layer_norm(&format!("{at}.final_layer_norm"), hidden)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let vocabulary = config.size("vocab_size")?;
    let positions = config.size_or("max_position_embeddings", 2048)?;
    let tokens = shapes.table(&format!("{at}.embed_tokens.weight"), vocabulary, hidden)?;
    let table = shapes.table(&format!("{at}.embed_positions.weight"), positions + FIRST_POSITION, hidden)?;
    // Checkpoints that were tuned before the last normalisation was added do without it.
    let final_norm = match config.flag_or("_remove_final_layer_norm", false)? {
        true => None,
        false => Some(shapes.layer_norm(&format!("{at}.final_layer_norm"), hidden)?),
    };
    Ok(Architecture {
        family: "opt",
        class: class_name(config, "OPTForCausalLM"),
        hidden,
        vocabulary,
        positions,
        activation: Activation::named(config.text_or("activation_function", "relu")?)?,
        norm_eps: 1e-5,
        norm_kind: NormKind::Layer,
        placement: NormPlacement::Pre,
        rotary: None,
        causal: true,
        head: causal_head(config, &shapes, &tokens, true, vocabulary, hidden)?,
        embeddings: Embeddings { tokens, positions: Some((table, FIRST_POSITION)), token_types: None, norm: None },
        blocks: format!("{at}.layers."),
        layers,
        final_norm,
        bos: first_token(config, Some(2), vocabulary)?,
        stock_units: &[Unit::Neurons],
        width_fields: WidthFields {
            layers: "num_hidden_layers",
            hidden: &["hidden_size", PROJECTED],
            query_heads: "num_attention_heads",
            neurons: "ffn_dim",
            heads: None,
        },
        bias_fields: Some([BIASES; 2]),
    })
}
