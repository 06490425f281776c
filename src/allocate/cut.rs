//! All that a recipe removes: first what runs through the whole model, then the units inside of the layers that stay.

use super::depth::{all_alike, depth};
use super::{Allocation, CloseCall, LayerPlan, LayerScores, Plan, Request};
use crate::base::{Error, Result};
use crate::model::{Architecture, Layer, Structure, Unit};

/// What is to be removed.
pub struct Cut<'a> {
    /// The model.
    pub architecture: &'a Architecture,
    /// What may be removed.
    pub structures: &'a [Structure],
    /// How units inside of layers are shared out.
    pub allocation: &'a dyn Allocation,
    /// Share of the blocks' linear parameters to remove.
    pub ratio: f64,
    /// Whether a stock config must be able to say the widths.
    pub stock: bool,
}

/// How much what runs through the whole model matters, where it may be removed; the more, the larger.
#[derive(Debug, Clone, Copy, Default)]
pub struct Importance<'a> {
    /// Of each layer.
    pub layers: &'a [f64],
}

/// What is left to an allocation.
struct Rest {
    architecture: Architecture,
    /// Where its layers are in the model.
    layers: Vec<usize>,
    ratio: f64,
    close_calls: Vec<CloseCall>,
}

impl Cut<'_> {
    /// Checks that the ratio can be reached, before any work, as far as that can be told.
    ///
    /// # Errors
    /// It cannot; the message gives the nearest ratios that can.
    pub fn check(&self) -> Result<()> {
        // Which layers go is not known yet; where they are all alike it does not matter.
        if self.removes(Structure::Layers) && !all_alike(self.architecture) {
            return Ok(());
        }
        let layers = vec![0.0; self.architecture.layers.len()];
        self.check_rest(&self.rest(Importance { layers: &layers })?)
    }

    /// What stays.
    ///
    /// # Errors
    /// The ratio cannot be reached.
    pub fn plan(&self, scores: &[LayerScores], importance: Importance<'_>) -> Result<(Plan, Vec<CloseCall>)> {
        let rest = self.rest(importance)?;
        self.check_rest(&rest)?;
        let units = self.units();
        let mut close_calls = rest.close_calls.clone();
        let inside = match units.is_empty() {
            true => Plan::dense(&rest.architecture),
            false => {
                let scores: Vec<LayerScores> = rest.layers.iter().filter_map(|&layer| scores.get(layer).cloned()).collect();
                let (plan, calls) = self.allocation.plan(&request(&rest, &units, self.stock), &scores)?;
                close_calls.extend(calls.into_iter().map(|call| CloseCall { layer: rest.layers[call.layer], ..call }));
                plan
            }
        };
        let mut layers = vec![LayerPlan::removed(); self.architecture.layers.len()];
        for (&index, kept) in rest.layers.iter().zip(inside.layers) {
            layers[index] = kept;
        }
        Ok((Plan { version: 1, layers, hidden: None }, close_calls))
    }

    fn removes(&self, structure: Structure) -> bool {
        self.structures.contains(&structure)
    }

    /// The units inside of layers that may be removed.
    fn units(&self) -> Vec<Unit> {
        self.structures.iter().filter_map(|structure| structure.unit()).collect()
    }

    /// What is left once whole layers are gone.
    fn rest(&self, importance: Importance<'_>) -> Result<Rest> {
        let all = self.architecture;
        if !self.removes(Structure::Layers) {
            return Ok(Rest {
                architecture: all.clone(),
                layers: (0..all.layers.len()).collect(),
                ratio: self.ratio,
                close_calls: Vec::new(),
            });
        }
        let found = depth(all, importance.layers, self.ratio, self.units().is_empty())?;
        let layers: Vec<Layer> = found.kept.iter().map(|&index| all.layers[index].clone()).collect();
        let (total, removed) = (all.linear_parameters() as f64, found.removed as f64);
        Ok(Rest {
            architecture: Architecture { layers, ..all.clone() },
            layers: found.kept,
            ratio: ((self.ratio * total - removed) / (total - removed).max(1.0)).max(0.0),
            close_calls: found.close_calls,
        })
    }

    fn check_rest(&self, rest: &Rest) -> Result<()> {
        let units = self.units();
        if units.is_empty() {
            return Ok(());
        }
        let gone = self.architecture.layers.len() - rest.layers.len();
        self.allocation.check(&request(rest, &units, self.stock)).map_err(|error| match gone {
            0 => error,
            _ => Error::recipe(format!("Once {gone} layers are gone, of what is left: {error}")),
        })
    }
}

fn request<'a>(rest: &'a Rest, units: &'a [Unit], stock: bool) -> Request<'a> {
    Request { architecture: &rest.architecture, units, ratio: rest.ratio, stock }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::ALLOCATIONS;
    use crate::model::testing::{TinyBert, open};
    use crate::score::Scores;

    fn scores(architecture: &Architecture) -> Vec<LayerScores> {
        let ascending = |count: usize| Some(Scores::Independent((0..count).map(|i| i as f64).collect()));
        architecture.layers.iter().map(|layer| [ascending(layer.kv_heads), ascending(layer.neurons)]).collect()
    }

    #[test]
    fn layers_go_first_and_neurons_take_up_the_rest() {
        let architecture = open(TinyBert { layers: 5, ..TinyBert::default() }.folder()).architecture;
        let importance = Importance { layers: &[0.4, 0.1, 0.3, 0.5, 0.2] };
        let cut = |structures, ratio| Cut { architecture: &architecture, structures, allocation: ALLOCATIONS[0], ratio, stock: true };
        let both = cut(&[Structure::Layers, Structure::Neurons], 0.3);
        both.check().unwrap();
        let (plan, _) = both.plan(&scores(&architecture), importance).unwrap();
        let gone: Vec<bool> = plan.layers.iter().map(LayerPlan::is_removed).collect();
        assert_eq!(gone, [false, true, false, false, false]);
        assert!((plan.ratio(&architecture) - 0.3).abs() < 0.005, "{}", plan.ratio(&architecture));
        let widths: Vec<usize> = plan.layers.iter().map(|layer| layer.neurons.len()).collect();
        assert!(widths[0] < 24 && widths.iter().all(|&width| width == 0 || width == widths[0]), "{widths:?}");
        assert_eq!(plan.layers[4].neurons.last(), Some(&23));

        let alone = cut(&[Structure::Layers], 0.4);
        let (plan, _) = alone.plan(&[], importance).unwrap();
        assert_eq!(plan.ratio(&architecture), 0.4);
        assert!(plan.layers[1].is_removed() && plan.layers[4].is_removed() && plan.layers[0].neurons.len() == 24);
        assert!(cut(&[Structure::Layers], 0.5).check().unwrap_err().to_string().contains("0.400 and 0.600"));
        let message = cut(&[Structure::Layers, Structure::Heads], 0.33).check().unwrap_err().to_string();
        assert!(message.contains("Once 1 layers are gone"), "{message}");
    }
}
