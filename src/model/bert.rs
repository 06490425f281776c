//! BERT (Devlin et al., 2019) as Transformers stores it: with and without the `bert.` prefix, with a classifier, a
//! masked-LM head or none.

use super::{Activation, Architecture, Config, Embeddings, Head, Layer, Linear, Norm, NormKind, NormPlacement, Shapes, Unit};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    if config.flag_or("is_decoder", false) {
        return Err(Error::input("config.json says is_decoder, and Coppice supports BERT as an encoder only."));
    }
    if let Some(kind) = config.text("position_embedding_type").filter(|&kind| kind != "absolute") {
        return Err(Error::input(format!("config.json says position_embedding_type \"{kind}\", and Coppice supports \"absolute\" only.")));
    }
    let hidden = config.size("hidden_size")?;
    let heads = config.size("num_attention_heads")?;
    if hidden % heads != 0 {
        return Err(Error::input(format!("config.json has hidden_size {hidden}, which {heads} attention heads do not divide.")));
    }
    let head_dim = hidden / heads;
    let neurons = config.size("intermediate_size")?;
    let shapes = Shapes { checkpoint };
    let prefix = if checkpoint.get("bert.embeddings.word_embeddings.weight").is_some() { "bert." } else { "" };

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
    let positions = config.size("max_position_embeddings")?;
    let types = config.size_or("type_vocab_size", 2)?;
    let embeddings = Embeddings {
        tokens: shapes.table(&format!("{prefix}embeddings.word_embeddings.weight"), vocabulary, hidden)?,
        positions: Some((shapes.table(&format!("{prefix}embeddings.position_embeddings.weight"), positions, hidden)?, 0)),
        token_types: Some(shapes.table(&format!("{prefix}embeddings.token_type_embeddings.weight"), types, hidden)?),
        norm: Some(norm(&shapes, &format!("{prefix}embeddings.LayerNorm"), hidden)?),
    };
    Ok(Architecture {
        family: "bert",
        class: super::class_name(config, "BertModel"),
        hidden,
        vocabulary,
        positions,
        activation: Activation::named(config.text("hidden_act").unwrap_or("gelu"))?,
        norm_eps: config.number_or("layer_norm_eps", 1e-12)? as f32,
        norm_kind: NormKind::Layer,
        placement: NormPlacement::Post,
        rotary: None,
        causal: false,
        final_norm: None,
        bos: None,
        head: head(&shapes, prefix, hidden, vocabulary, &embeddings)?,
        embeddings,
        layers,
        stock_units: &[Unit::Neurons],
        width_fields: super::WidthFields { neurons: "intermediate_size", heads: None },
        bias_fields: None,
    })
}

/// The head is what the checkpoint holds; heads of other tasks pass through as tensors that nobody touches.
fn head(shapes: &Shapes<'_>, prefix: &str, hidden: usize, vocabulary: usize, embeddings: &Embeddings) -> Result<Head> {
    let has = |name: &str| shapes.checkpoint.get(name).is_some();
    let pooler = format!("{prefix}pooler.dense");
    if let (Some(classifier), true) = (shapes.checkpoint.get("classifier.weight"), has(&format!("{pooler}.weight"))) {
        let labels = classifier.shape.first().map_or(0, |&labels| labels as usize);
        return Ok(Head::Classifier {
            pooler: shapes.linear(&pooler, hidden, hidden, true)?,
            classifier: shapes.linear("classifier", labels, hidden, true)?,
        });
    }
    if has("cls.predictions.transform.dense.weight") {
        let own = has("cls.predictions.decoder.weight");
        let weight = if own { "cls.predictions.decoder.weight" } else { &embeddings.tokens };
        let bias = ["cls.predictions.bias", "cls.predictions.decoder.bias"].into_iter().find(|name| has(name));
        let decoder = Linear {
            weight: shapes.table(weight, vocabulary, hidden)?,
            bias: bias.map(|name| shapes.vector(name, vocabulary)).transpose()?,
            layout: crate::checkpoint::Layout::OutIn,
            outputs: vocabulary,
            inputs: hidden,
            fused_at: None,
        };
        return Ok(Head::MaskedLm {
            transform: shapes.linear("cls.predictions.transform.dense", hidden, hidden, true)?,
            norm: norm(shapes, "cls.predictions.transform.LayerNorm", hidden)?,
            decoder,
        });
    }
    Ok(Head::None)
}

/// A LayerNorm; TensorFlow conversions call its tensors gamma and beta.
fn norm(shapes: &Shapes<'_>, at: &str, width: usize) -> Result<Norm> {
    let old = shapes.checkpoint.get(&format!("{at}.gamma")).is_some();
    let (gain, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
    Ok(Norm { gain: shapes.vector(&format!("{at}.{gain}"), width)?, bias: Some(shapes.vector(&format!("{at}.{bias}"), width)?) })
}
