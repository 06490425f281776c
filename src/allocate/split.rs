//! Units of all layers in the order in which they go, and how many of each kind fill a budget.

use super::{Allocated, CloseCall, Costs, LayerPlan, Plan, Request, STATISTIC_ERROR, TOLERANCE};
use crate::base::{Error, Result};
use crate::model::Unit;
use crate::score::Scores;

/// One unit that may go.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    layer: usize,
    index: u32,
    /// What its removal loses.
    value: f64,
    /// How far off that may be on another device.
    error: f64,
}

/// What the removal of a unit loses, and how far off that may be on another device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Loss {
    pub(super) index: u32,
    pub(super) value: f64,
    pub(super) error: f64,
}

/// The units of one kind over all layers, those that lose least first; of equal ones, later layers and higher indices first.
/// The last ones of each layer, as many as must stay, never go.
struct Order {
    steps: Vec<Step>,
    /// Cost that is saved by the first of them, [steps + 1].
    saved: Vec<f64>,
    /// What is lost with them, [steps + 1].
    lost: Vec<f64>,
}

/// Both kinds in their orders, and the cost that is to be saved.
pub(super) struct Split {
    orders: [Order; 2],
    total: f64,
    target: f64,
    most: f64,
}

/// How many units of each kind go: heads, neurons.
pub(super) type Removed = [usize; 2];

impl Order {
    /// `losses` of each layer's units in the layer's own order; empty where this kind is not to be removed.
    fn new(request: &Request<'_>, unit: Unit, losses: &[Vec<Loss>], costs: &Costs) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for (layer, losses) in losses.iter().enumerate().rev() {
            let going = &losses[..losses.len().saturating_sub(request.least(losses.len()))];
            steps.extend(going.iter().map(|&Loss { index, value, error }| Step { layer, index, value, error }));
        }
        // Stable: later layers come first, and each keeps its own order.
        steps.sort_by(|a, b| a.value.total_cmp(&b.value));
        let mut left: Vec<usize> = losses.iter().map(Vec::len).collect();
        let (mut saved, mut lost) = (vec![0.0], vec![0.0]);
        for (number, step) in steps.iter().enumerate() {
            saved.push(saved[number] + costs.last(step.layer, unit, left[step.layer]));
            lost.push(lost[number] + step.value);
            left[step.layer] -= 1;
        }
        Self { steps, saved, lost }
    }

    /// The fewest steps that save `target`, if any number does.
    fn reach(&self, target: f64) -> Option<usize> {
        let count = self.saved.partition_point(|&saved| saved < target);
        (count < self.saved.len()).then_some(count)
    }

    /// The smallest saving of a step.
    fn smallest(&self) -> Option<f64> {
        self.saved.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::min)
    }
}

impl Split {
    /// Orders the units of each kind by their losses, [kind][layer].
    pub(super) fn new(request: &Request<'_>, losses: &[Vec<Vec<Loss>>; 2], costs: &Costs) -> Self {
        let [heads, neurons] = Unit::ALL.map(|unit| Order::new(request, unit, &losses[unit as usize], costs));
        let total = costs.total();
        let target = request.ratio * total;
        Self { orders: [heads, neurons], total, target, most: f64::INFINITY }
    }

    /// Lets the saving miss its mark by half of the smallest unit, or by [`TOLERANCE`] of the whole at most.
    pub(super) fn nearest(mut self) -> Self {
        let unit = self.orders.iter().filter_map(Order::smallest).fold(f64::INFINITY, f64::min);
        self.most = self.target + TOLERANCE * self.total;
        self.target -= (unit / 2.0).min(TOLERANCE * self.total);
        self
    }

    /// The fewest neurons that fill the budget beside so many heads, if any number does.
    fn fill(&self, heads: usize) -> Option<Removed> {
        let [of_heads, of_neurons] = &self.orders;
        let neurons = of_neurons.reach(self.target - of_heads.saved[heads])?;
        (of_heads.saved[heads] + of_neurons.saved[neurons] <= self.most).then_some([heads, neurons])
    }

    /// Units that lose least go first, whatever their kind. Where a head is too large for what is left of the budget, neurons take
    /// up the difference.
    pub(super) fn by_threshold(&self) -> Option<Removed> {
        let [heads, neurons] = &self.orders;
        let (mut k, mut n) = (0, 0);
        while heads.saved[k] + neurons.saved[n] < self.target {
            match (heads.steps.get(k), neurons.steps.get(n)) {
                (Some(head), Some(neuron)) if head.value < neuron.value => k += 1,
                (_, Some(_)) => n += 1,
                (Some(_), None) => k += 1,
                (None, None) => break,
            }
        }
        (0..=k).rev().chain(k + 1..heads.saved.len()).find_map(|count| self.fill(count))
    }

    /// For every number of heads, as many neurons as fill the budget: the split that loses least, of equal ones that with the
    /// fewest heads gone (Kwon et al., 2022; OPTIN).
    pub(super) fn least_loss(&self) -> Option<Removed> {
        let [heads, neurons] = &self.orders;
        let loss = |[k, n]: Removed| heads.lost[k] + neurons.lost[n];
        let splits = (0..heads.saved.len()).filter_map(|count| self.fill(count));
        splits.fold(None, |best, split| if best.is_some_and(|best| loss(best) <= loss(split)) { best } else { Some(split) })
    }

    /// The nearest ratios below and above the one that was asked for.
    fn around(&self, ratio: f64) -> [Option<f64>; 2] {
        let [heads, neurons] = &self.orders;
        let target = ratio * self.total;
        let (mut below, mut above) = (None::<f64>, None::<f64>);
        for saved in &heads.saved {
            let count = neurons.saved.partition_point(|&other| saved + other <= target);
            let under = count.checked_sub(1).map(|count| saved + neurons.saved[count]);
            let over = neurons.saved.get(count).map(|other| saved + other);
            below = [below, under].into_iter().flatten().reduce(f64::max);
            above = [above, over].into_iter().flatten().reduce(f64::min);
        }
        [below, above].map(|saved| saved.map(|saved| saved / self.total))
    }

    /// Fails where no split fills the budget.
    ///
    /// # Errors
    /// The message gives the nearest ratios that can be reached.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<()> {
        match (0..self.orders[0].saved.len()).any(|count| self.fill(count).is_some()) {
            true => Ok(()),
            false => Err(self.unreachable(request)),
        }
    }

    /// The sentence for a ratio that cannot be reached.
    pub(super) fn unreachable(&self, request: &Request<'_>) -> Error {
        request.unreachable(self.around(request.ratio))
    }

    /// What stays when so many units go, and which of these calls were close.
    ///
    /// # Errors
    /// No split fills the budget.
    pub(super) fn allocated(&self, request: &Request<'_>, removed: Option<Removed>) -> Result<Allocated> {
        let removed = removed.ok_or_else(|| self.unreachable(request))?;
        let mut plan = Plan::dense(request.architecture);
        let mut close_calls = Vec::new();
        for (unit, count) in Unit::ALL.into_iter().zip(removed) {
            let (gone, left) = self.orders[unit as usize].steps.split_at(count);
            let mut lists: Vec<Vec<u32>> = vec![Vec::new(); plan.layers.len()];
            gone.iter().for_each(|step| lists[step.layer].push(step.index));
            for (kept, list) in plan.layers.iter_mut().zip(&mut lists) {
                list.sort_unstable();
                LayerPlan::kept_mut(kept, unit).retain(|index| list.binary_search(index).is_err());
            }
            let (Some(last), Some(next)) = (left.first(), gone.last()) else { continue };
            let margin = last.error.max(next.error);
            let call = |step: &Step, kept| CloseCall { layer: Some(step.layer), unit: unit.into(), index: step.index, kept };
            close_calls.extend(left.iter().take_while(|step| step.value - next.value <= margin).map(|step| call(step, true)));
            close_calls.extend(gone.iter().rev().take_while(|step| last.value - step.value <= margin).map(|step| call(step, false)));
        }
        Ok(Allocated::new(plan, close_calls))
    }
}

/// The units of one consumer in the order in which they go, with what each loses.
pub(super) fn losses(scores: &Scores) -> Vec<Loss> {
    let values = scores.values();
    let loss = |index: u32| {
        let value = values[index as usize];
        Loss { index, value, error: STATISTIC_ERROR * value.abs() }
    };
    match scores {
        Scores::Curve(curve) => curve.iter().map(|removal| loss(removal.unit)).collect(),
        Scores::Independent(values) => {
            let mut order: Vec<u32> = (0..values.len() as u32).collect();
            order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]).then(b.cmp(&a)));
            order.into_iter().map(loss).collect()
        }
    }
}
