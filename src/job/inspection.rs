//! What a folder holds, from its headers alone.

use super::Model;
use crate::base::Result;
use crate::checkpoint::Folder;
use crate::model::{Head, Unit};
use crate::recipe::{Recommended, recommended};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// `bert`, ...
    pub family: &'static str,
    /// Class that the config names.
    pub class: String,
    /// `classifier`, `masked_lm` or `none`.
    pub head: &'static str,
    /// Names of the classes, where it is a classifier that names them.
    pub labels: Vec<String>,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Rows of the token table.
    pub vocabulary: usize,
    /// Longest sequence.
    pub positions: usize,
    /// Units of every layer.
    pub layers: Vec<LayerUnits>,
    /// All parameters.
    pub parameters: u64,
    /// Parameters of the blocks' linear layers, which ratios refer to.
    pub linear_parameters: u64,
    /// Bytes of all tensors as they are stored.
    pub bytes: u64,
    /// Number of tensors by dtype.
    pub dtypes: BTreeMap<&'static str, usize>,
    /// Units that a stock config can have fewer of.
    pub stock_units: Vec<&'static str>,
    /// Whether there is a tokenizer that Coppice reads.
    pub tokenizer: bool,
    /// What to try first.
    pub recommended: Recommended,
}

/// Units of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LayerUnits {
    /// Heads; key/value heads, where several queries share one.
    pub heads: usize,
    /// FFN neurons.
    pub neurons: usize,
}

/// Inspects a folder; reads headers, the config and the names of the other files.
pub async fn inspect(folder: &Folder) -> Result<Inspection> {
    let model = Model::open(folder).await?;
    let (architecture, checkpoint) = (&model.architecture, &model.checkpoint);
    let mut dtypes = BTreeMap::new();
    for entry in checkpoint.entries() {
        *dtypes.entry(entry.dtype.name()).or_insert(0) += 1;
    }
    let (head, labels) = match &architecture.head {
        Head::None => ("none", Vec::new()),
        Head::Classifier { .. } => ("classifier", model.config.label_names()),
        Head::CausalLm { .. } => ("causal_lm", Vec::new()),
        Head::MaskedLm { .. } => ("masked_lm", Vec::new()),
    };
    Ok(Inspection {
        family: architecture.family,
        class: architecture.class.clone(),
        head,
        labels,
        hidden: architecture.hidden,
        head_dim: architecture.layers.first().map_or(0, |layer| layer.head_dim),
        vocabulary: architecture.vocabulary,
        positions: architecture.positions,
        layers: architecture.layers.iter().map(|layer| LayerUnits { heads: layer.units(Unit::Heads), neurons: layer.neurons }).collect(),
        parameters: checkpoint.parameters().saturating_sub(architecture.idle_weights()),
        linear_parameters: architecture.linear_parameters(),
        bytes: checkpoint.stored_bytes(),
        dtypes,
        stock_units: architecture.stock_units.iter().copied().map(Unit::name).collect(),
        tokenizer: crate::text::Tokenizer::is_in(folder),
        recommended: recommended(architecture),
    })
}
