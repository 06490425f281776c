//! plan.json: which units stay. An artifact of every job, and a legal recipe input.

use crate::base::{Error, Result};
use crate::model::{Architecture, Unit};
use serde::{Deserialize, Serialize};

/// Kept units of one layer, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPlan {
    /// Kept heads; kept key/value heads, each with the query heads that read it, under grouped-query attention.
    pub heads: Vec<u32>,
    /// Kept FFN neurons.
    pub neurons: Vec<u32>,
}

impl LayerPlan {
    /// Kept units of one kind.
    pub fn kept(&self, unit: Unit) -> &[u32] {
        match unit {
            Unit::Heads => &self.heads,
            Unit::Neurons => &self.neurons,
        }
    }

    /// Kept units of one kind, to change.
    pub fn kept_mut(&mut self, unit: Unit) -> &mut Vec<u32> {
        match unit {
            Unit::Heads => &mut self.heads,
            Unit::Neurons => &mut self.neurons,
        }
    }
}

/// Which units stay, by layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this format: 1.
    pub version: u32,
    /// One entry a layer.
    pub layers: Vec<LayerPlan>,
}

impl Plan {
    /// The plan that keeps everything.
    pub fn dense(architecture: &Architecture) -> Self {
        let all = |count: usize| (0..count as u32).collect();
        let layers = architecture
            .layers
            .iter()
            .map(|layer| LayerPlan { heads: all(layer.units(Unit::Heads)), neurons: all(layer.neurons) })
            .collect();
        Self { version: 1, layers }
    }

    /// Reads a plan and checks it against the model it is for.
    ///
    /// # Errors
    /// Not a plan, or not one for this architecture; the message names the place.
    pub fn parse(text: &str, architecture: &Architecture) -> Result<Self> {
        let plan: Self = serde_json::from_str(text).map_err(|error| Error::recipe(format!("The plan is not a Coppice plan ({error}).")))?;
        if plan.version != 1 {
            return Err(Error::recipe(format!("The plan is of version {}; this Coppice reads version 1.", plan.version)));
        }
        if plan.layers.len() != architecture.layers.len() {
            return Err(Error::recipe(format!(
                "The plan has {} layers and the model {}; use a plan that was made for this model.",
                plan.layers.len(),
                architecture.layers.len()
            )));
        }
        for (index, (kept, layer)) in plan.layers.iter().zip(&architecture.layers).enumerate() {
            for (unit, count) in Unit::ALL.map(|unit| (unit, layer.units(unit))) {
                let kept = kept.kept(unit);
                let ascending = kept.windows(2).all(|pair| pair[0] < pair[1]);
                if kept.is_empty() || !ascending || kept.last().is_some_and(|&last| last as usize >= count) {
                    return Err(Error::recipe(format!(
                        "The plan's {} of layer {index} must be ascending indices below {count}, at least one.",
                        unit.name()
                    )));
                }
            }
        }
        Ok(plan)
    }

    /// Whether anything of this kind is removed anywhere.
    pub fn removes(&self, unit: Unit, architecture: &Architecture) -> bool {
        self.layers.iter().zip(&architecture.layers).any(|(plan, layer)| plan.kept(unit).len() < layer.units(unit))
    }

    /// Parameters that the blocks' linear layers keep.
    pub fn linear_parameters(&self, architecture: &Architecture) -> u64 {
        let layers = self.layers.iter().zip(&architecture.layers);
        layers.map(|(plan, layer)| layer.linear_parameters(plan.heads.len(), plan.neurons.len())).sum()
    }

    /// Share of the blocks' linear parameters that is removed.
    pub fn ratio(&self, architecture: &Architecture) -> f64 {
        1.0 - self.linear_parameters(architecture) as f64 / architecture.linear_parameters().max(1) as f64
    }
}

/// Channels of a consumer's input that belong to kept units of `size` channels each.
pub fn channels(kept: &[u32], size: usize) -> Vec<u32> {
    let size = size as u32;
    kept.iter().flat_map(|&unit| unit * size..(unit + 1) * size).collect()
}
