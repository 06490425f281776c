//! DistilBERT (Sanh et al., 2019) as Transformers stores it: BERT's blocks under other names, no token types, a classifier behind a
//! ReLU; with and without the `distilbert.` prefix.

use super::{
    Activation, Architecture, Config, Embeddings, Head, Layer, NormKind, NormPlacement, Shapes, Unit, WidthFields, bert, class_name,
    layer_widths,
};
use crate::base::Result;
use crate::checkpoint::Checkpoint;

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    let hidden = config.size("dim")?;
    let heads = config.size("n_heads")?;
    let head_dim = super::head_width(config, "dim", "n_heads")?;
    let neurons = config.size("hidden_dim")?;
    let shapes = Shapes::new(config, checkpoint);
    let prefix = if shapes.has("distilbert.embeddings.word_embeddings.weight") { "distilbert." } else { "" };
    let layers = (0..config.size("n_layers")?)
        .map(|index| {
            let (heads, neurons) = layer_widths(config, index, heads, neurons)?;
            let width = heads * head_dim;
            let at = format!("{prefix}transformer.layer.{index}");
            Ok(Layer {
                heads,
                kv_heads: heads,
                head_dim,
                neurons,
                query: shapes.linear(&format!("{at}.attention.q_lin"), width, hidden, true)?,
                key: shapes.linear(&format!("{at}.attention.k_lin"), width, hidden, true)?,
                value: shapes.linear(&format!("{at}.attention.v_lin"), width, hidden, true)?,
                attention_output: shapes.linear(&format!("{at}.attention.out_lin"), hidden, width, true)?,
                attention_norm: shapes.layer_norm(&format!("{at}.sa_layer_norm"), hidden)?,
                ffn_gate: None,
                ffn_input: shapes.linear(&format!("{at}.ffn.lin1"), neurons, hidden, true)?,
                ffn_output: shapes.linear(&format!("{at}.ffn.lin2"), hidden, neurons, true)?,
                ffn_norm: shapes.layer_norm(&format!("{at}.output_layer_norm"), hidden)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let vocabulary = config.size("vocab_size")?;
    let positions = config.size_or("max_position_embeddings", 512)?;
    let table = |name: &str, rows: usize| shapes.table(&format!("{prefix}embeddings.{name}.weight"), rows, hidden);
    let embeddings = Embeddings {
        tokens: table("word_embeddings", vocabulary)?,
        // Sinusoids too are in the file.
        positions: Some((table("position_embeddings", positions)?, 0)),
        token_types: None,
        norm: Some(shapes.layer_norm(&format!("{prefix}embeddings.LayerNorm"), hidden)?),
    };
    Ok(Architecture {
        family: "distilbert",
        class: class_name(config, "DistilBertModel"),
        hidden,
        vocabulary,
        positions,
        activation: Activation::named(config.text_or("activation", "gelu")?)?,
        norm_eps: 1e-12,
        norm_kind: NormKind::Layer,
        placement: NormPlacement::Post,
        rotary: None,
        causal: false,
        final_norm: None,
        bos: None,
        head: head(&shapes, hidden, vocabulary, &embeddings)?,
        embeddings,
        blocks: format!("{prefix}transformer.layer."),
        layers,
        stock_units: &[Unit::Neurons],
        width_fields: WidthFields { layers: "n_layers", hidden: &["dim"], query_heads: "n_heads", neurons: "hidden_dim", heads: None },
        bias_fields: None,
    })
}

/// The head is what the checkpoint holds.
fn head(shapes: &Shapes<'_>, hidden: usize, vocabulary: usize, embeddings: &Embeddings) -> Result<Head> {
    if shapes.has("pre_classifier.weight") && shapes.has("classifier.weight") {
        return bert::classifier(shapes, "pre_classifier", Activation::Relu, "classifier", hidden);
    }
    if shapes.has("vocab_transform.weight") {
        return Ok(Head::MaskedLm {
            transform: shapes.linear("vocab_transform", hidden, hidden, true)?,
            norm: shapes.layer_norm("vocab_layer_norm", hidden)?,
            decoder: bert::vocabulary_decoder(shapes, "vocab_projector.weight", &["vocab_projector.bias"], vocabulary, embeddings, hidden)?,
        });
    }
    Ok(Head::None)
}
