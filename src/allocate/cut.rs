//! All that a recipe removes: first what runs through the whole model, then the units inside of the layers that stay.

use super::depth::{all_alike, depth};
use super::{Allocated, Allocation, Budget, CloseCall, Costs, LayerPlan, Passes, Plan, Planning, Request};
use crate::base::{Error, Result};
use crate::model::{Architecture, Layer, Structure, Unit};
use crate::score::{LayerScores, Whole};

/// What is to be removed.
pub struct Cut<'a> {
    /// The model.
    pub architecture: &'a Architecture,
    /// What may be removed.
    pub structures: &'a [Structure],
    /// How units inside of layers are shared out.
    pub allocation: &'a dyn Allocation,
    /// Share of the allocation's budget to remove.
    pub ratio: f64,
    /// Share of a layer's units of each kind that stays at least.
    pub floor: f64,
    /// Whether a stock config must be able to say the widths.
    pub stock: bool,
    /// Mean tokens of a calibration sequence; absent where no text was read.
    pub length: Option<f64>,
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

    /// What stays. `whole` and `scores` are those of all layers.
    ///
    /// # Errors
    /// The ratio cannot be reached, or what the allocation runs fails.
    pub async fn plan(&self, whole: &Whole<'_>, scores: &[LayerScores], importance: Importance<'_>) -> Result<Allocated> {
        let rest = self.rest(importance)?;
        self.check_rest(&rest)?;
        let units = self.units();
        let mut allocated = match units.is_empty() {
            true => Allocated::new(Plan::dense(&rest.architecture), Vec::new()),
            false => {
                let scores: Vec<LayerScores> = rest.layers.iter().filter_map(|&layer| scores.get(layer).cloned()).collect();
                let planning = Planning { request: self.request(&rest.architecture, rest.ratio, &units), whole, scores: &scores };
                self.allocation.plan(&planning).await?
            }
        };
        let inside = std::mem::take(&mut allocated.plan.layers);
        allocated.plan.layers = vec![LayerPlan::removed(); self.architecture.layers.len()];
        for (&index, kept) in rest.layers.iter().zip(inside) {
            allocated.plan.layers[index] = kept;
        }
        let calls = allocated.close_calls.into_iter().map(|call| CloseCall { layer: rest.layers[call.layer], ..call });
        allocated.close_calls = rest.close_calls.iter().cloned().chain(calls).collect();
        Ok(allocated)
    }

    /// What the allocation runs through the model, over a calibration set of so many tokens.
    pub fn passes(&self, tokens: usize) -> Passes {
        let units = self.units();
        match units.is_empty() {
            true => Passes::default(),
            false => self.allocation.passes(&self.request(self.architecture, self.ratio, &units), tokens),
        }
    }

    fn request<'a>(&self, architecture: &'a Architecture, ratio: f64, units: &'a [Unit]) -> Request<'a> {
        Request { architecture, units, ratio, floor: self.floor, stock: self.stock, length: self.length }
    }

    /// What layers cost in the allocation's budget.
    fn cost(&self, architecture: &Architecture) -> f64 {
        match (self.allocation.budget(), self.length) {
            (Budget::Flops, Some(length)) if !self.units().is_empty() => Costs::flops(architecture, length).total(),
            _ => architecture.linear_parameters() as f64,
        }
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
        let rest = Architecture { layers, ..all.clone() };
        let (total, left) = (self.cost(all), self.cost(&rest));
        Ok(Rest {
            architecture: rest,
            layers: found.kept,
            ratio: ((self.ratio * total - (total - left)) / left.max(1.0)).max(0.0),
            close_calls: found.close_calls,
        })
    }

    fn check_rest(&self, rest: &Rest) -> Result<()> {
        let units = self.units();
        if units.is_empty() {
            return Ok(());
        }
        let gone = self.architecture.layers.len() - rest.layers.len();
        self.allocation.check(&self.request(&rest.architecture, rest.ratio, &units)).map_err(|error| match gone {
            0 => error,
            _ => Error::recipe(format!("Once {gone} layers are gone, of what is left: {error}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::tests::Bench;
    use crate::allocate::{ALLOCATIONS, allocation};
    use crate::model::testing::TinyBert;
    use crate::score::{ScoreOptions, Scores};
    use pollster::block_on;

    fn scores(architecture: &Architecture) -> Vec<LayerScores> {
        let ascending = |count: usize| Some(Scores::Independent((0..count).map(|i| i as f64).collect()));
        architecture.layers.iter().map(|layer| [ascending(layer.kv_heads), ascending(layer.neurons)]).collect()
    }

    #[test]
    fn layers_go_first_and_neurons_take_up_the_rest() {
        let bench = Bench::of(&TinyBert { layers: 5, ..TinyBert::default() });
        let architecture = &bench.model.architecture;
        let importance = Importance { layers: &[0.4, 0.1, 0.3, 0.5, 0.2] };
        let cut = |structures, ratio| Cut {
            architecture,
            structures,
            allocation: ALLOCATIONS[0],
            ratio,
            floor: 0.0,
            stock: true,
            length: Some(9.0),
        };
        let options = ScoreOptions::default();
        let plan = |cut: &Cut<'_>, scores: &[LayerScores]| {
            block_on(cut.plan(&bench.whole(&cut.units(), &options), scores, importance)).map(|found| found.plan)
        };
        let both = cut(&[Structure::Layers, Structure::Neurons], 0.3);
        both.check().unwrap();
        let found = plan(&both, &scores(architecture)).unwrap();
        let gone: Vec<bool> = found.layers.iter().map(LayerPlan::is_removed).collect();
        assert_eq!(gone, [false, true, false, false, false]);
        assert!((found.ratio(architecture) - 0.3).abs() < 0.005, "{}", found.ratio(architecture));
        let widths: Vec<usize> = found.layers.iter().map(|layer| layer.neurons.len()).collect();
        assert!(widths[0] < 24 && widths.iter().all(|&width| width == 0 || width == widths[0]), "{widths:?}");
        assert_eq!(found.layers[4].neurons.last(), Some(&23));

        let alone = cut(&[Structure::Layers], 0.4);
        let found = plan(&alone, &[]).unwrap();
        assert_eq!(found.ratio(architecture), 0.4);
        assert!(found.layers[1].is_removed() && found.layers[4].is_removed() && found.layers[0].neurons.len() == 24);
        assert!(cut(&[Structure::Layers], 0.5).check().unwrap_err().to_string().contains("0.400 and 0.600"));
        let message = cut(&[Structure::Layers, Structure::Heads], 0.33).check().unwrap_err().to_string();
        assert!(message.contains("Once 1 layers are gone"), "{message}");

        // The rest of a budget of FLOPs, of which a layer has a fifth too; the layer that is gone competes no more.
        let uneven =
            Cut { allocation: allocation("flops").unwrap(), ..cut(&[Structure::Layers, Structure::Heads, Structure::Neurons], 0.3) };
        uneven.check().unwrap();
        let found = plan(&uneven, &scores(architecture)).unwrap();
        let flops = |plan: &Plan| {
            let layers = plan.layers.iter().zip(&architecture.layers).filter(|(kept, _)| !kept.is_removed());
            layers
                .map(|(kept, layer)| {
                    let (heads, neurons) = (kept.heads.len(), kept.neurons.len());
                    2.0 * layer.linear_parameters(heads, neurons) as f64 + layer.attention_flops(heads, 9.0)
                })
                .sum::<f64>()
        };
        let realised = 1.0 - flops(&found) / flops(&Plan::dense(architecture));
        assert!((realised - 0.3).abs() < 0.005 && found.layers[1].is_removed(), "{realised}");
    }
}
