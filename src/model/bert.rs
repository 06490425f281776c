//! BERT (Devlin et al., 2019) as Transformers stores it: with and without the `bert.` prefix, with a classifier, a
//! masked-LM head or none.

use super::{Activation, Architecture, Config, Embeddings, Head, Layer, Linear, Norm, NormKind, NormPlacement, Shapes, Unit};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

/// What differs between the families that are made of these blocks.
pub(super) struct Family {
    /// The config's `model_type`.
    pub(super) name: &'static str,
    /// Its model without a head.
    pub(super) class: &'static str,
    /// What tensor names begin with under a head.
    pub(super) prefix: &'static str,
    /// Row of the first position.
    pub(super) first_position: usize,
}

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    let body = encoder(config, checkpoint, Family { name: "bert", class: "BertModel", prefix: "bert.", first_position: 0 })?;
    let head = head(&Shapes::new(config, checkpoint), body.hidden, body.vocabulary, &body.embeddings)?;
    Ok(Architecture { head, ..body })
}

/// An encoder of these blocks, without its head.
pub(super) fn encoder(config: &Config, checkpoint: &Checkpoint, family: Family) -> Result<Architecture> {
    if config.flag_or("is_decoder", false)? {
        return Err(Error::input("config.json says is_decoder, and Coppice supports this family as an encoder only."));
    }
    if let Some(kind) = config.text("position_embedding_type").filter(|&kind| kind != "absolute") {
        return Err(Error::input(format!("config.json says position_embedding_type \"{kind}\", and Coppice supports \"absolute\" only.")));
    }
    let hidden = config.size("hidden_size")?;
    let heads = config.size("num_attention_heads")?;
    let head_dim = super::head_width(config, "hidden_size", "num_attention_heads")?;
    let neurons = config.size("intermediate_size")?;
    let shapes = Shapes::new(config, checkpoint);
    let prefix = if shapes.has(&format!("{}embeddings.word_embeddings.weight", family.prefix)) { family.prefix } else { "" };

    let layers = (0..config.size("num_hidden_layers")?)
        .map(|index| {
            let (heads, neurons) = super::layer_widths(config, index, heads, neurons)?;
            let at = format!("{prefix}encoder.layer.{index}");
            let width = heads * head_dim;
            Ok(Layer {
                heads,
                kv_heads: heads,
                head_dim,
                neurons,
                query: shapes.linear(&format!("{at}.attention.self.query"), width, hidden, true)?,
                key: shapes.linear(&format!("{at}.attention.self.key"), width, hidden, true)?,
                value: shapes.linear(&format!("{at}.attention.self.value"), width, hidden, true)?,
                attention_output: shapes.linear(&format!("{at}.attention.output.dense"), hidden, width, true)?,
                attention_norm: norm(&shapes, &format!("{at}.attention.output.LayerNorm"), hidden)?,
                ffn_gate: None,
                ffn_input: shapes.linear(&format!("{at}.intermediate.dense"), neurons, hidden, true)?,
                ffn_output: shapes.linear(&format!("{at}.output.dense"), hidden, neurons, true)?,
                ffn_norm: norm(&shapes, &format!("{at}.output.LayerNorm"), hidden)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;

    let vocabulary = config.size("vocab_size")?;
    let rows = config.size("max_position_embeddings")?;
    let first = family.first_position;
    let positions = rows.checked_sub(first).filter(|&positions| positions > 0).ok_or_else(|| {
        Error::input(format!("config.json has max_position_embeddings {rows}, and the first {first} rows are no positions in this family."))
    })?;
    let types = config.size_or("type_vocab_size", 2)?;
    let embeddings = Embeddings {
        tokens: shapes.table(&format!("{prefix}embeddings.word_embeddings.weight"), vocabulary, hidden)?,
        positions: Some((shapes.table(&format!("{prefix}embeddings.position_embeddings.weight"), rows, hidden)?, first)),
        token_types: Some(shapes.table(&format!("{prefix}embeddings.token_type_embeddings.weight"), types, hidden)?),
        norm: Some(norm(&shapes, &format!("{prefix}embeddings.LayerNorm"), hidden)?),
    };
    Ok(Architecture {
        family: family.name,
        class: super::class_name(config, family.class),
        hidden,
        vocabulary,
        positions,
        activation: Activation::named(config.text_or("hidden_act", "gelu")?)?,
        norm_eps: config.epsilon_or("layer_norm_eps", 1e-12)?,
        norm_kind: NormKind::Layer,
        placement: NormPlacement::Post,
        rotary: None,
        causal: false,
        final_norm: None,
        bos: None,
        head: Head::None,
        embeddings,
        blocks: format!("{prefix}encoder.layer."),
        layers,
        stock_units: &[Unit::Neurons],
        width_fields: super::WidthFields {
            layers: "num_hidden_layers",
            hidden: &["hidden_size"],
            query_heads: "num_attention_heads",
            neurons: "intermediate_size",
            heads: None,
        },
        bias_fields: None,
    })
}

/// The head is what the checkpoint holds; heads of other tasks pass through as tensors that nobody touches.
fn head(shapes: &Shapes<'_>, hidden: usize, vocabulary: usize, embeddings: &Embeddings) -> Result<Head> {
    let pooler = ["bert.pooler.dense", "pooler.dense"].into_iter().find(|at| shapes.has(&format!("{at}.weight")));
    if let (Some(pooler), true) = (pooler, shapes.has("classifier.weight")) {
        return classifier(shapes, pooler, Activation::Tanh, "classifier", hidden);
    }
    if shapes.has("cls.predictions.transform.dense.weight") {
        return Ok(Head::MaskedLm {
            transform: shapes.linear("cls.predictions.transform.dense", hidden, hidden, true)?,
            norm: norm(shapes, "cls.predictions.transform.LayerNorm", hidden)?,
            decoder: vocabulary_decoder(
                shapes,
                "cls.predictions.decoder.weight",
                &["cls.predictions.bias", "cls.predictions.decoder.bias"],
                vocabulary,
                embeddings,
                hidden,
            )?,
        });
    }
    Ok(Head::None)
}

/// A classifier of sequences: a dense layer on the first token, an activation, the logits; as many classes as the file has.
pub(super) fn classifier(shapes: &Shapes<'_>, pooler: &str, activation: Activation, logits: &str, hidden: usize) -> Result<Head> {
    let labels = shapes.checkpoint.require(&format!("{logits}.weight"))?.shape.first().map_or(0, |&labels| labels as usize);
    Ok(Head::Classifier {
        pooler: shapes.linear(pooler, hidden, hidden, true)?,
        activation,
        classifier: shapes.linear(logits, labels, hidden, true)?,
    })
}

/// The decoder of a masked-LM head: `weight` where the file has it, else the token table; the first of `biases` that is there.
pub(super) fn vocabulary_decoder(
    shapes: &Shapes<'_>,
    weight: &str,
    biases: &[&str],
    vocabulary: usize,
    embeddings: &Embeddings,
    hidden: usize,
) -> Result<Linear> {
    let weight = if shapes.has(weight) { weight } else { &embeddings.tokens };
    let bias = biases.iter().find(|name| shapes.has(name));
    Ok(Linear {
        weight: shapes.table(weight, vocabulary, hidden)?,
        bias: bias.map(|name| shapes.vector(name, vocabulary)).transpose()?,
        layout: crate::checkpoint::Layout::OutIn,
        outputs: vocabulary,
        inputs: hidden,
        factor: None,
        fused_at: None,
    })
}

/// A LayerNorm; TensorFlow conversions call its tensors gamma and beta.
fn norm(shapes: &Shapes<'_>, at: &str, width: usize) -> Result<Norm> {
    let old = shapes.checkpoint.get(&format!("{at}.gamma")).is_some();
    let (gain, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
    Ok(Norm { gain: shapes.vector(&format!("{at}.{gain}"), width)?, bias: Some(shapes.vector(&format!("{at}.{bias}"), width)?) })
}
