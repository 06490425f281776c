//! Factored layers: two matrices in place of one, under names of their own.

use super::loader;
use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Data, Matrix, OutputTensor, Scratch};
use crate::forward::{HostLayer, HostLinear};
use crate::model::{Architecture, Config, LAYERS_FIELD, Layer, Linear, RANKS_FIELD};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The tensors of those layers of a block that are factored: `X.v.weight`, [rank, inputs], `X.u.weight`, [outputs, rank], and
/// `X.u.bias` in place of `X.weight` and `X.bias`. Of query, key and value in one tensor X, all three get tensors of their own,
/// `X.q`, `X.k` and `X.v`, as soon as one of them is factored.
///
/// # Errors
/// Scratch is full.
pub async fn export_factored(layer: &Layer, host: &HostLayer, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let mut tensors = Vec::new();
    let attention = [&host.query, &host.key, &host.value];
    let splits = layer.query.fused_at.is_some() && attention.iter().any(|linear| linear.factor.is_some());
    for (position, (linear, host)) in layer.linears().into_iter().zip(host.linears()).enumerate() {
        let at = stem(linear);
        match ["q", "k", "v"].get(position) {
            Some(part) if splits => write(&format!("{at}.{part}"), host, &mut tensors, scratch).await?,
            _ if host.factor.is_some() => write(at, host, &mut tensors, scratch).await?,
            _ => {}
        }
    }
    Ok(tensors)
}

/// What the names of a layer's tensors begin with.
fn stem(linear: &Linear) -> &str {
    linear.weight.strip_suffix(".weight").unwrap_or(&linear.weight)
}

/// One layer under a name, as `nn.Linear` stores it.
async fn write(at: &str, host: &HostLinear, tensors: &mut Vec<OutputTensor>, scratch: &dyn Scratch) -> Result<()> {
    let outer = if host.factor.is_some() { format!("{at}.u") } else { at.to_owned() };
    let weight = host.weight.outputs_major();
    let inner = host.factor.iter().map(|factor| (format!("{at}.v.weight"), factor));
    for (name, matrix) in inner.chain([(format!("{outer}.weight"), &weight)]) {
        put(name, matrix, vec![matrix.rows as u64, matrix.cols as u64], tensors, scratch).await?;
    }
    if let Some(bias) = &host.bias {
        put(format!("{outer}.bias"), bias, vec![bias.rows as u64], tensors, scratch).await?;
    }
    Ok(())
}

async fn put(name: String, matrix: &Matrix, shape: Vec<u64>, tensors: &mut Vec<OutputTensor>, scratch: &dyn Scratch) -> Result<()> {
    let source = scratch.put(&name, matrix.bytes.clone()).await?;
    tensors.push(OutputTensor { name, dtype: matrix.dtype, shape, data: Data::Changed(source) });
    Ok(())
}

/// The factored layers among the tensors of an output.
#[derive(Default)]
pub(super) struct Factors {
    /// By the name of each layer its rank; null for one that is not factored itself.
    ranks: Map<String, Value>,
    /// Tensors of the input in whose place they are.
    gone: HashSet<String>,
}

impl Factors {
    /// Those among `changed`, tensors of an output that is made of `checkpoint`.
    pub(super) fn among(checkpoint: &Checkpoint, changed: &[OutputTensor]) -> Self {
        let names: HashSet<&str> = changed.iter().map(|tensor| tensor.name.as_str()).collect();
        let mut factors = Self::default();
        let has = |at: &str| checkpoint.get(&format!("{at}.weight")).is_some();
        for tensor in changed {
            let Some(at) = tensor.name.strip_suffix(".weight") else { continue };
            let factored = at.strip_suffix(".v").filter(|at| names.contains(format!("{at}.u.weight").as_str()));
            let split = at.rsplit_once('.').filter(|(fused, _)| has(fused) && !has(at));
            let (name, rank) = match (factored, split) {
                (Some(name), _) => (name, tensor.shape.first().copied().into()),
                // A factor was or will be met by its own name.
                (None, Some(_)) if !at.ends_with(".u") => (at, Value::Null),
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
        config.set("auto_map", loader::find(architecture.family)?.factored_map());
        Ok(())
    }
}
