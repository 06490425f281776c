//! What several families read from their configs.

use super::{Config, Head, Shapes};
use crate::base::{Error, Result};

/// Key under which a `sliced` output keeps what a stock config cannot say.
pub const LAYERS_FIELD: &str = "coppice_layers";

/// Config field of our own that holds the rank of each factored layer by its name; the name of another layer where it reads that one's
/// first factor; null for one that is not factored but has tensors of its own since its neighbours are.
pub const RANKS_FIELD: &str = "coppice_ranks";

/// Config field of our own that holds how many single weights a factored layer has beside its product, by its name.
pub const SINGLES_FIELD: &str = "coppice_sparse";

/// Heads and neurons of layer `index`: the config's own, or those a `sliced` output lists by layer.
pub(super) fn layer_widths(config: &Config, index: usize, heads: usize, neurons: usize) -> Result<(usize, usize)> {
    let Some(layers) = config.get(LAYERS_FIELD) else { return Ok((heads, neurons)) };
    let width = |name: &str| layers.get(index).and_then(|layer| layer.get(name)).and_then(serde_json::Value::as_u64);
    match (width("heads"), width("neurons")) {
        (Some(heads @ 0..=0xffff), Some(neurons @ 0..=0xff_ffff)) => Ok((heads as usize, neurons as usize)),
        _ => Err(Error::input(format!(
            "config.json has {LAYERS_FIELD} without heads and neurons for layer {index}; export the model again."
        ))),
    }
}

/// The first of the config's `architectures`, where it is a list that has one.
fn named_class(config: &Config) -> Option<&str> {
    config.get("architectures")?.get(0)?.as_str()
}

/// The first of the config's `architectures`, or `default`.
pub(super) fn class_name(config: &Config, default: &str) -> String {
    named_class(config).unwrap_or(default).to_owned()
}

/// The token that begins a window: `bos_token_id`, of a list its first, or the family's default where the config does not speak
/// of it and the vocabulary has it.
pub(super) fn first_token(config: &Config, default: Option<u32>, vocabulary: usize) -> Result<Option<u32>> {
    const FIELD: &str = "bos_token_id";
    if !config.has(FIELD) {
        return Ok(default.filter(|&id| (id as usize) < vocabulary));
    }
    match config.token_ids(FIELD)?.first() {
        Some(&id) if id as usize >= vocabulary => Err(Error::input(format!(
            "config.json has {FIELD} {id} and vocab_size {vocabulary}, so no token has this id; use the config.json that belongs to the model."
        ))),
        first => Ok(first.copied()),
    }
}

/// Width of one head where heads fill the hidden width; `hidden` and `heads` are the config's names.
pub(super) fn head_width(config: &Config, hidden: &str, heads: &str) -> Result<usize> {
    let (width, count) = (config.size(hidden)?, config.size(heads)?);
    if width % count != 0 {
        return Err(Error::input(format!(
            "config.json has {hidden} {width}, which {heads} {count} does not divide; use the config.json that belongs to the model."
        )));
    }
    Ok(width / count)
}

/// The head of a decoder: next-token logits where the class is a language model; heads of other tasks pass through.
pub(super) fn causal_head(
    config: &Config,
    shapes: &Shapes<'_>,
    tokens: &str,
    tied: bool,
    vocabulary: usize,
    hidden: usize,
) -> Result<Head> {
    let tied = config.flag_or("tie_word_embeddings", tied)?;
    let causal = match named_class(config) {
        Some(class) => class.ends_with("ForCausalLM") || class.ends_with("LMHeadModel"),
        None => tied || shapes.has("lm_head.weight"),
    };
    Ok(match causal {
        true => Head::CausalLm { decoder: shapes.decoder("lm_head.weight", tokens, tied, vocabulary, hidden)? },
        false => Head::None,
    })
}
