//! All that a recipe removes: first what runs through the whole model, then the units inside of the layers that stay.

use super::depth::{all_alike, depth};
use super::width::{Width, width};
use super::{Allocated, Allocation, Budget, CloseCall, Costs, LayerPlan, Passes, Plan, Planning, Request, select};
use crate::base::{Error, Result};
use crate::model::{Architecture, Structure, Unit};
use crate::score::{LayerScores, Scores, Whole};

/// What is to be removed.
pub struct Cut<'a> {
    /// The model.
    pub architecture: &'a Architecture,
    /// What may be removed; layers or hidden channels, not both.
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
    /// Of each channel of the residual stream.
    pub hidden: &'a [f64],
}

/// What is left to an allocation: a smaller model and a smaller ratio.
struct Rest {
    architecture: Architecture,
    /// Where its layers are in the model.
    layers: Vec<usize>,
    /// Units that it may remove.
    units: Vec<Unit>,
    ratio: f64,
    /// Width of the residual stream, where it may change.
    width: Option<Width>,
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
        self.check_rest(&self.rest(&layers)?)
    }

    /// What stays. `whole` and `scores` are those of all layers.
    ///
    /// # Errors
    /// The ratio cannot be reached, or what the allocation runs fails.
    pub async fn plan(&self, whole: &Whole<'_>, scores: &[LayerScores], importance: Importance<'_>) -> Result<Allocated> {
        let rest = self.rest(importance.layers)?;
        self.check_rest(&rest)?;
        let mut allocated = match rest.units.is_empty() {
            true => Allocated::new(Plan::dense(&rest.architecture), Vec::new()),
            false => {
                let scores: Vec<LayerScores> = rest.layers.iter().filter_map(|&layer| scores.get(layer).cloned()).collect();
                let planning = Planning { request: self.request(&rest.architecture, rest.ratio, &rest.units), whole, scores: &scores };
                self.allocation.plan(&planning).await?
            }
        };
        let layer = |call: &CloseCall| call.layer.and_then(|layer| rest.layers.get(layer)).copied();
        let calls = allocated.close_calls.into_iter().map(|call| CloseCall { layer: layer(&call), ..call });
        let mut close_calls: Vec<CloseCall> = rest.close_calls.iter().cloned().chain(calls).collect();
        let mut inside = std::mem::take(&mut allocated.plan.layers);
        if let Some(heads) = rest.width.and_then(|width| width.heads) {
            for (index, (kept, scores)) in inside.iter_mut().zip(scores).enumerate() {
                let scores = scores[Unit::Heads as usize].as_ref().ok_or_else(|| Error::internal("heads without scores"))?;
                let calls;
                (kept.heads, calls) = select(scores, heads, index, Unit::Heads);
                close_calls.extend(calls);
            }
        }
        if let Some(width) = rest.width.filter(|width| width.hidden < self.architecture.hidden) {
            let scores = Scores::Independent(importance.hidden.to_vec());
            let (kept, calls) = select(&scores, width.hidden, 0, Unit::Heads);
            close_calls.extend(calls.into_iter().map(|call| CloseCall { layer: None, unit: Structure::Hidden, ..call }));
            allocated.plan.hidden = Some(kept);
        }
        allocated.plan.layers = vec![LayerPlan::removed(); self.architecture.layers.len()];
        for (&index, kept) in rest.layers.iter().zip(inside) {
            allocated.plan.layers[index] = kept;
        }
        allocated.close_calls = close_calls;
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

    pub(super) fn request<'a>(&self, architecture: &'a Architecture, ratio: f64, units: &'a [Unit]) -> Request<'a> {
        Request { architecture, units, ratio, floor: self.floor, stock: self.stock, length: self.length }
    }

    /// What layers cost in the allocation's budget.
    pub(super) fn cost(&self, architecture: &Architecture) -> f64 {
        match (self.allocation.budget(), self.length) {
            (Budget::Flops, Some(length)) if !self.units().is_empty() => Costs::flops(architecture, length).total(),
            _ => architecture.linear_parameters() as f64,
        }
    }

    pub(super) fn removes(&self, structure: Structure) -> bool {
        self.structures.contains(&structure)
    }

    /// The units inside of layers that may be removed.
    pub(super) fn units(&self) -> Vec<Unit> {
        self.structures.iter().filter_map(|structure| structure.unit()).collect()
    }

    /// What is left once whole layers or channels are gone.
    fn rest(&self, influences: &[f64]) -> Result<Rest> {
        let all = self.architecture;
        let mut rest = Rest {
            architecture: all.clone(),
            layers: (0..all.layers.len()).collect(),
            units: self.units(),
            ratio: self.ratio,
            width: None,
            close_calls: Vec::new(),
        };
        if self.removes(Structure::Hidden) {
            let width = width(self)?;
            rest.architecture = all.narrowed(width.hidden, width.heads);
            rest.units = super::width::units(self, &width);
            rest.width = Some(width);
        } else if self.removes(Structure::Layers) {
            let found = depth(all, influences, self.ratio, rest.units.is_empty())?;
            rest.architecture.layers = found.kept.iter().map(|&index| all.layers[index].clone()).collect();
            rest.layers = found.kept;
            rest.close_calls = found.close_calls;
        }
        rest.ratio = self.rest_ratio(&rest.architecture).max(0.0);
        Ok(rest)
    }

    /// Share of what is left that is still to go; below 0 where too much is gone already.
    pub(super) fn rest_ratio(&self, left: &Architecture) -> f64 {
        let (all, left) = (self.cost(self.architecture), self.cost(left));
        // As it was asked for, digit by digit, where nothing is gone yet.
        if left == all { self.ratio } else { 1.0 - (1.0 - self.ratio) * all / left.max(1.0) }
    }

    fn check_rest(&self, rest: &Rest) -> Result<()> {
        // A width was found together with what the allocation takes up.
        if rest.units.is_empty() || rest.width.is_some() {
            return Ok(());
        }
        let gone = self.architecture.layers.len() - rest.layers.len();
        self.allocation.check(&self.request(&rest.architecture, rest.ratio, &rest.units)).map_err(|error| match gone {
            0 => error,
            1 => Error::recipe(format!("Once 1 layer is gone, of what is left: {error}")),
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
    use crate::score::ScoreOptions;
    use pollster::block_on;

    fn scores(architecture: &Architecture) -> Vec<LayerScores> {
        let ascending = |count: usize| Some(Scores::Independent((0..count).map(|i| i as f64).collect()));
        architecture.layers.iter().map(|layer| [ascending(layer.kv_heads), ascending(layer.neurons)]).collect()
    }

    #[test]
    fn layers_go_first_and_neurons_take_up_the_rest() {
        let bench = Bench::of(&TinyBert { layers: 5, ..TinyBert::default() });
        let architecture = &bench.model.architecture;
        let importance = Importance { layers: &[0.4, 0.1, 0.3, 0.5, 0.2], hidden: &[] };
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
        assert!(message.contains("Once 1 layer is gone"), "{message}");
        // Nothing goes before the heads: the ratio is the one that was asked for.
        let message = cut(&[Structure::Layers, Structure::Heads], 0.15).check().unwrap_err().to_string();
        assert!(message.starts_with("A ratio of 0.15 cannot be reached by removing heads alone"), "{message}");
        assert_eq!(cut(&[Structure::Heads], 0.3).rest_ratio(architecture), 0.3);

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

    #[test]
    fn channels_go_with_heads_and_neurons_take_up_the_rest() {
        let bench = Bench::of(&TinyBert { hidden: 48, heads: 12, neurons: 96, ..TinyBert::default() });
        let architecture = &bench.model.architecture;
        let hidden: Vec<f64> = (0..48).map(|channel| f64::from(channel % 5)).collect();
        let importance = Importance { layers: &[], hidden: &hidden };
        let structures = [Structure::Hidden, Structure::Heads, Structure::Neurons];
        let cut = Cut {
            architecture,
            structures: &structures,
            allocation: ALLOCATIONS[0],
            ratio: 0.53,
            floor: 0.0,
            stock: true,
            length: Some(9.0),
        };
        cut.check().unwrap();
        let options = ScoreOptions::default();
        let found = block_on(cut.plan(&bench.whole(&cut.units(), &options), &scores(architecture), importance)).unwrap();
        assert!((found.plan.ratio(architecture) - 0.53).abs() < 0.005, "{}", found.plan.ratio(architecture));
        assert_eq!(found.plan.layers[1].heads, [4, 5, 6, 7, 8, 9, 10, 11]);
        // All channels of scores 4, 3 and 2, and the first four of score 1; the others of that score were close.
        let kept = found.plan.hidden.unwrap();
        assert_eq!(kept.len(), 32);
        let expected = |channel: &u32| matches!(channel % 5, 2..=4) || channel % 5 == 1 && *channel < 21;
        assert!(kept.iter().all(expected), "{kept:?}");
        assert_eq!(found.close_calls.iter().filter(|call| call.unit == Structure::Hidden && call.layer.is_none()).count(), 10);
    }
}
