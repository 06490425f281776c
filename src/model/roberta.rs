//! RoBERTa (Liu et al., 2019) as Transformers stores it: BERT whose positions begin after the padding token's row, with heads of
//! other names; with and without the `roberta.` prefix.

use super::{Activation, Architecture, Config, Embeddings, Head, Shapes, bert};
use crate::base::Result;
use crate::checkpoint::Checkpoint;

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    // Rows up to the padding token's are never a position's.
    let padding = config.get("pad_token_id").and_then(serde_json::Value::as_u64).map_or(1, |id| id as usize);
    let family = bert::Family { name: "roberta", class: "RobertaModel", prefix: "roberta.", first_position: padding + 1 };
    let body = bert::encoder(config, checkpoint, family)?;
    let head = head(&Shapes::new(config, checkpoint), body.hidden, body.vocabulary, &body.embeddings)?;
    Ok(Architecture { head, ..body })
}

/// The head is what the checkpoint holds.
fn head(shapes: &Shapes<'_>, hidden: usize, vocabulary: usize, embeddings: &Embeddings) -> Result<Head> {
    if shapes.has("classifier.dense.weight") {
        return bert::classifier(shapes, "classifier.dense", Activation::Tanh, "classifier.out_proj", hidden);
    }
    if shapes.has("lm_head.dense.weight") {
        return Ok(Head::MaskedLm {
            transform: shapes.linear("lm_head.dense", hidden, hidden, true)?,
            norm: shapes.layer_norm("lm_head.layer_norm", hidden)?,
            decoder: bert::vocabulary_decoder(
                shapes,
                "lm_head.decoder.weight",
                &["lm_head.bias", "lm_head.decoder.bias"],
                vocabulary,
                embeddings,
                hidden,
            )?,
        });
    }
    Ok(Head::None)
}
