//! What a budget counts, and what every width of a layer costs in it.

use super::Plan;
use crate::model::{Architecture, Layer, Unit};
use serde::Serialize;

/// What an allocation's ratio is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Parameters of the blocks' linear layers.
    Linear,
    /// Floating-point operations a token in the blocks, at the calibration's mean length.
    Flops,
    /// Time of the blocks on the device that runs, as measured.
    Latency,
}

impl Budget {
    /// For sentences: so many percent of this.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Linear => "the parameters of the blocks' linear layers",
            Self::Flops => "the blocks' floating-point operations",
            Self::Latency => "the blocks' measured time",
        }
    }
}

/// What layers cost by the number of units that they keep. Attention and FFN add up, and so do layers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Costs {
    /// By layer and kind: the cost of 0, 1, ... all units.
    layers: Vec<[Vec<f64>; 2]>,
}

impl Costs {
    /// `cost` of so many units of a kind in a layer.
    pub(super) fn new(architecture: &Architecture, cost: impl Fn(&Layer, Unit, usize) -> f64) -> Self {
        let of = |layer: &Layer, unit: Unit| (0..=layer.units(unit)).map(|count| cost(layer, unit, count)).collect();
        Self { layers: architecture.layers.iter().map(|layer| Unit::ALL.map(|unit| of(layer, unit))).collect() }
    }

    /// Parameters of the linear layers.
    pub(super) fn parameters(architecture: &Architecture) -> Self {
        Self::new(architecture, parameters)
    }

    /// Operations a token, in sequences of `length` tokens.
    pub(super) fn flops(architecture: &Architecture, length: f64) -> Self {
        let seen = architecture.seen(length);
        Self::new(architecture, |layer, unit, count| {
            let attention = if unit == Unit::Heads { layer.attention_flops(count, seen) } else { 0.0 };
            2.0 * parameters(layer, unit, count) + attention
        })
    }

    /// Of the dense model.
    pub(super) fn total(&self) -> f64 {
        self.layers.iter().flatten().filter_map(|costs| costs.last()).sum()
    }

    /// Of all units of a kind.
    pub(super) fn removable(&self, unit: Unit) -> f64 {
        self.layers.iter().filter_map(|layer| Some(layer[unit as usize].last()? - layer[unit as usize].first()?)).sum()
    }

    /// What the last of `count` units of a layer costs.
    pub(super) fn last(&self, layer: usize, unit: Unit, count: usize) -> f64 {
        let costs = &self.layers[layer][unit as usize];
        costs[count] - costs[count - 1]
    }

    /// What a plan costs.
    pub(super) fn of(&self, plan: &Plan) -> f64 {
        let layers = self.layers.iter().zip(&plan.layers);
        layers.map(|([heads, neurons], kept)| heads[kept.heads.len()] + neurons[kept.neurons.len()]).sum()
    }
}

fn parameters(layer: &Layer, unit: Unit, count: usize) -> f64 {
    match unit {
        Unit::Heads => layer.linear_parameters(count, 0) as f64,
        // Attention counts what is there without any unit.
        Unit::Neurons => (layer.linear_parameters(0, count) - layer.linear_parameters(0, 0)) as f64,
    }
}
