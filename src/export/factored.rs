//! Factored layers: two matrices in place of one, under names of their own, and single weights beside them.

use super::loader;
use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Data, Matrix, OutputTensor, Scratch, pack_matrix, packed_name};
use crate::forward::{HostFactor, HostLayer, HostLinear};
use crate::model::{Architecture, Config, LAYERS_FIELD, Layer, Linear, RANKS_FIELD, SINGLES_FIELD};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// The tensors of those layers of a block that are factored: `X.v.weight`, [rank, inputs], `X.u.weight`, [outputs, rank], and
/// `X.u.bias` in place of `X.weight` and `X.bias`, and `X.s.weight`, [outputs, inputs], packed, where there are single weights. Layers that
/// share the first factor have one between them, under the name of the first. Of query, key and value in one tensor X, all three get
/// tensors of their own, `X.q`, `X.k` and `X.v`, as soon as one of them is factored; none where they share a factor, and are one layer.
///
/// # Errors
/// Scratch is full.
pub async fn export_factored(layer: &Layer, host: &HostLayer, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let mut writer = Writer { tensors: Vec::new(), scratch };
    let attention = [&host.query, &host.key, &host.value];
    let fused = layer.query.fused_at.is_some();
    let whole = fused && HostLinear::share(&attention);
    if whole {
        writer.linear(stem(&layer.query), &HostLinear::join(&attention)?, true).await?;
    }
    let splits = fused && attention.iter().any(|linear| linear.factor.is_some());
    let written = if whole { attention.len() } else { 0 };
    for (position, (linear, own)) in layer.linears().into_iter().zip(host.linears()).enumerate().skip(written) {
        let (at, first) = (stem(linear), host.shared_with(position).is_none());
        match ["q", "k", "v"].get(position) {
            Some(part) if splits => writer.linear(&format!("{at}.{part}"), own, first).await?,
            _ if own.factor.is_some() => writer.linear(at, own, first).await?,
            _ => {}
        }
    }
    Ok(writer.tensors)
}

/// What the names of a layer's tensors begin with.
fn stem(linear: &Linear) -> &str {
    linear.weight.strip_suffix(".weight").unwrap_or(&linear.weight)
}

struct Writer<'a> {
    tensors: Vec<OutputTensor>,
    scratch: &'a dyn Scratch,
}

impl Writer<'_> {
    /// One layer under a name, as `nn.Linear` stores it; `first` of those that read its first factor, if it has one.
    async fn linear(&mut self, at: &str, host: &HostLinear, first: bool) -> Result<()> {
        let outer = if host.factor.is_some() { format!("{at}.u") } else { at.to_owned() };
        if let Some(HostFactor { inner, .. }) = host.factor.as_ref().filter(|_| first) {
            self.matrix(format!("{at}.v.weight"), inner).await?;
        }
        self.matrix(format!("{outer}.weight"), &host.weight.outputs_major()).await?;
        if let Some(bias) = &host.bias {
            self.put(format!("{outer}.bias"), bias, vec![bias.rows as u64]).await?;
        }
        if let Some(singles) = host.factor.as_ref().and_then(|factor| factor.singles.as_ref()) {
            self.tensors.extend(pack_matrix(&format!("{at}.s.weight"), &singles.outputs_major(), self.scratch).await?);
        }
        Ok(())
    }

    async fn matrix(&mut self, name: String, matrix: &Matrix) -> Result<()> {
        self.put(name, matrix, vec![matrix.rows as u64, matrix.cols as u64]).await
    }

    async fn put(&mut self, name: String, matrix: &Matrix, shape: Vec<u64>) -> Result<()> {
        let source = self.scratch.put(&name, matrix.bytes.clone()).await?;
        self.tensors.push(OutputTensor { name, dtype: matrix.dtype, shape, data: Data::Changed(source) });
        Ok(())
    }
}

/// The factored layers among the tensors of an output.
#[derive(Default)]
pub(super) struct Factors {
    /// By the name of each layer its rank, or the layer whose first factor it reads; null for one that is not factored itself.
    ranks: Map<String, Value>,
    /// By the name of each layer how many single weights it has beside its product.
    singles: Map<String, Value>,
    /// Shapes of the tensors that hold them, which are packed.
    packed: Map<String, Value>,
    /// Tensors of the input in whose place they are.
    gone: HashSet<String>,
}

impl Factors {
    /// Those among `changed`, tensors of an output that is made of `checkpoint`.
    pub(super) fn among(architecture: &Architecture, checkpoint: &Checkpoint, changed: &[OutputTensor]) -> Self {
        let shapes: HashMap<&str, &[u64]> = changed.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
        let shape = |at: &str, end: &str| shapes.get(format!("{at}.{end}.weight").as_str()).copied();
        let first: HashMap<&str, &str> = architecture.layers.iter().flat_map(first_readers).collect();
        let has = |at: &str| checkpoint.get(&format!("{at}.weight")).is_some();
        let mut factors = Self::default();
        for tensor in changed {
            if let Some(at) = packed_name(&tensor.name).and_then(|name| name.strip_suffix(".s.weight")) {
                let inner = shape(at, "v").or_else(|| shape(first.get(at)?, "v"));
                if let (Some([outputs, _]), Some([_, inputs])) = (shape(at, "u"), inner) {
                    factors.singles.insert(at.to_owned(), tensor.shape.first().copied().into());
                    factors.packed.insert(format!("{at}.s.weight"), vec![*outputs, *inputs].into());
                }
                continue;
            }
            let Some(at) = tensor.name.strip_suffix(".weight") else { continue };
            let split = at.rsplit_once('.').filter(|(fused, _)| has(fused) && !has(at));
            let (name, rank) = match (at.strip_suffix(".u"), split) {
                (Some(name), _) => match (shape(name, "v"), first.get(name)) {
                    (Some(inner), _) => (name, inner.first().copied().into()),
                    (None, Some(&first)) if shape(first, "v").is_some() => (name, first.into()),
                    _ => continue,
                },
                // A first factor, which is met by the name of its second, may look like one of three.
                (None, Some((fused, _))) if shape(fused, "u").is_none() => (at, Value::Null),
                _ => continue,
            };
            factors.ranks.insert(name.to_owned(), rank);
            let stored = if has(name) { name } else { name.rsplit_once('.').map_or(name, |(fused, _)| fused) };
            factors.gone.extend(["weight", "bias"].map(|end| format!("{stored}.{end}")));
        }
        factors
    }

    /// Whether something else is in the place of this tensor of the input.
    pub(super) fn replace(&self, name: &str) -> bool {
        self.gone.contains(name)
    }

    /// The shapes of what is packed, where something is.
    pub(super) fn packed(&self) -> Option<Value> {
        (!self.packed.is_empty()).then(|| Value::Object(self.packed.clone()))
    }

    /// Lets a config say which layers are factored, and who loads them.
    ///
    /// # Errors
    /// The family has no loader, or the input needs one of its own.
    pub(super) fn declare(&self, architecture: &Architecture, config: &mut Config) -> Result<()> {
        if config.get(LAYERS_FIELD).is_some() {
            return Err(Error::recipe(
                "The layers of this model have widths of their own, which the loader of factored layers does not know; choose output kind \"dense\".",
            ));
        }
        config.set(RANKS_FIELD, self.ranks.clone());
        if !self.singles.is_empty() {
            config.set(SINGLES_FIELD, self.singles.clone());
        }
        config.set("auto_map", loader::find(architecture.family)?.factored_map());
        Ok(())
    }
}

/// Names of layers of a block that can read the first factor of another, each with the name of that.
fn first_readers(layer: &Layer) -> impl Iterator<Item = (&str, &str)> {
    let attention = [&layer.key, &layer.value].into_iter().map(|linear| (stem(linear), stem(&layer.query)));
    let ffn = layer.ffn_gate.iter().map(|gate| (stem(&layer.ffn_input), stem(gate)));
    attention.filter(|(other, first)| other != first).chain(ffn)
}
