//! plan.json: what stays. An artifact of every job, and a legal recipe input.

use crate::base::{Error, Result};
use crate::model::{Architecture, Unit};
use serde::{Deserialize, Serialize};

/// Kept units of one layer, ascending. A layer that keeps neither heads nor neurons is removed whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPlan {
    /// Kept heads; kept key/value heads, each with the query heads that read it, under grouped-query attention.
    pub heads: Vec<u32>,
    /// Kept FFN neurons.
    pub neurons: Vec<u32>,
}

impl LayerPlan {
    /// The plan of a layer that is removed whole.
    pub fn removed() -> Self {
        Self { heads: Vec::new(), neurons: Vec::new() }
    }

    /// Whether the layer is removed whole.
    pub fn is_removed(&self) -> bool {
        self.heads.is_empty() && self.neurons.is_empty()
    }

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

/// What stays: which units, by layer, and which channels of the residual stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this format: 1.
    pub version: u32,
    /// One entry a layer.
    pub layers: Vec<LayerPlan>,
    /// Kept channels of the residual stream, ascending; absent where all stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<u32>>,
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
        Self { version: 1, layers, hidden: None }
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
                if !kept.is_removed() && !are_indices(kept.kept(unit), count) {
                    return Err(Error::recipe(format!(
                        "The plan's {} of layer {index} must be ascending indices below {count}, at least one; where a whole layer goes, both \
                         its heads and its neurons are empty.",
                        unit.name()
                    )));
                }
            }
        }
        if plan.layers.iter().all(LayerPlan::is_removed) {
            return Err(Error::recipe("The plan keeps no layer; at least one must stay."));
        }
        if plan.hidden.as_ref().is_some_and(|kept| !are_indices(kept, architecture.hidden)) {
            return Err(Error::recipe(format!(
                "The plan's hidden must be ascending indices below {}, at least one; leave it out where all channels stay.",
                architecture.hidden
            )));
        }
        Ok(plan)
    }

    /// Whether units of this kind are removed from a layer that stays.
    pub fn removes(&self, unit: Unit, architecture: &Architecture) -> bool {
        let layers = self.layers.iter().zip(&architecture.layers);
        layers.filter(|(plan, _)| !plan.is_removed()).any(|(plan, layer)| plan.kept(unit).len() < layer.units(unit))
    }

    /// Whether nothing at all is removed.
    pub fn keeps_all(&self, architecture: &Architecture) -> bool {
        let units = Unit::ALL.iter().any(|&unit| self.removes(unit, architecture));
        !units && !self.layers.iter().any(LayerPlan::is_removed) && self.kept_hidden(architecture).is_none()
    }

    /// Kept channels of the residual stream, where some are removed.
    pub fn kept_hidden(&self, architecture: &Architecture) -> Option<&[u32]> {
        self.hidden.as_deref().filter(|kept| kept.len() < architecture.hidden)
    }

    /// Parameters that the blocks' linear layers keep.
    pub fn linear_parameters(&self, architecture: &Architecture) -> u64 {
        let hidden = self.kept_hidden(architecture).map_or(architecture.hidden, <[u32]>::len);
        let layers = self.layers.iter().zip(&architecture.layers).filter(|(plan, _)| !plan.is_removed());
        layers.map(|(plan, layer)| layer.linear_parameters_at(hidden, plan.heads.len(), plan.neurons.len())).sum()
    }

    /// Share of the blocks' linear parameters that is removed.
    pub fn ratio(&self, architecture: &Architecture) -> f64 {
        1.0 - self.linear_parameters(architecture) as f64 / architecture.linear_parameters().max(1) as f64
    }
}

/// Whether these are ascending indices below `count`, at least one.
fn are_indices(kept: &[u32], count: usize) -> bool {
    let ascending = kept.windows(2).all(|pair| pair[0] < pair[1]);
    ascending && kept.last().is_some_and(|&last| (last as usize) < count)
}

/// Channels of a consumer's input that belong to kept units of `size` channels each.
pub fn channels(kept: &[u32], size: usize) -> Vec<u32> {
    let size = size as u32;
    kept.iter().flat_map(|&unit| unit * size..(unit + 1) * size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{TinyBert, open};

    fn parsed(plan: &serde_json::Value) -> Result<Plan> {
        Plan::parse(&plan.to_string(), &open(TinyBert::default().folder()).architecture)
    }

    fn layer(heads: &[u32], neurons: &[u32]) -> serde_json::Value {
        serde_json::json!({ "heads": heads, "neurons": neurons })
    }

    #[test]
    fn whole_layers_and_channels_may_go() {
        let architecture = open(TinyBert::default().folder()).architecture;
        let plan = serde_json::json!({ "version": 1, "layers": [layer(&[1], &[0, 5]), layer(&[], &[]), layer(&[0, 1, 2, 3], &[7])] });
        let kept = parsed(&plan).unwrap();
        // q, k, v and out of one head of width 4, and two neurons, with biases; nothing of layer 1.
        let first = 3 * (4 * 16 + 4) + (16 * 4 + 16) + (2 * 16 + 2) + (16 * 2 + 16);
        let third = 3 * (16 * 16 + 16) + (16 * 16 + 16) + (16 + 1) + (16 + 16);
        assert_eq!(kept.linear_parameters(&architecture), first + third);
        assert!(kept.layers[1].is_removed() && !kept.keeps_all(&architecture) && kept.removes(Unit::Heads, &architecture));
        let mut narrow = plan;
        narrow["hidden"] = serde_json::json!([0, 3, 4, 15]);
        let first = 3 * (4 * 4 + 4) + (4 * 4 + 4) + (2 * 4 + 2) + (4 * 2 + 4);
        let third = 3 * (16 * 4 + 16) + (4 * 16 + 4) + (4 + 1) + (4 + 4);
        assert_eq!(parsed(&narrow).unwrap().linear_parameters(&architecture), first + third);
        // All channels are as good as none named.
        let mut all = Plan::dense(&architecture);
        all.hidden = Some((0..16).collect());
        assert!(all.keeps_all(&architecture));
        all.layers[2] = LayerPlan::removed();
        assert!(!all.keeps_all(&architecture) && !all.removes(Unit::Heads, &architecture));
        let text = serde_json::to_string(&Plan::dense(&architecture)).unwrap();
        assert!(!text.contains("hidden"));
    }

    #[test]
    fn nonsense_is_named() {
        let says = |plan: serde_json::Value, words: &str| {
            let message = parsed(&plan).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        };
        let full = || layer(&[0, 1], &[2, 3]);
        let of = |second: serde_json::Value| serde_json::json!({ "version": 1, "layers": [full(), second, full()] });
        says(of(layer(&[], &[1])), "heads of layer 1");
        says(of(layer(&[1], &[])), "neurons of layer 1");
        says(of(layer(&[2, 1], &[1])), "heads of layer 1");
        says(of(layer(&[1], &[24])), "below 24");
        let none = layer(&[], &[]);
        says(serde_json::json!({ "version": 1, "layers": [none, none, none] }), "keeps no layer");
        for hidden in [vec![], vec![3, 3], vec![16]] {
            let mut plan = of(full());
            plan["hidden"] = hidden.into();
            says(plan, "hidden must be ascending indices below 16");
        }
    }
}
