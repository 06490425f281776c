//! What zeros among the weights take.

use super::{Task, square};
use crate::allocate::sparsity::PrefixCurves;
use crate::device::Device;
use crate::model::{Layer, Linear};
use crate::recipe::{Method, Order, Sparse};
use crate::score::weights::{SWEPT_COLUMNS, WeightNeeds};

/// Passes over the text and floating-point operations.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Zeros {
    /// Times that the text goes through all blocks.
    pub(super) passes: f64,
    /// Operations of second moments.
    pub(super) gram: f64,
    /// Operations of factors and updates; of sweeps and curves on a GPU.
    pub(super) repair: f64,
    /// Operations in f64 on the host; those of sweeps and curves where it is the device.
    pub(super) host: f64,
}

impl Task<'_> {
    /// What the recipe takes, where it is one of these.
    pub(super) fn zeros(&self) -> Zeros {
        let Method::Sparse(method) = &self.recipe.method else { return Zeros::default() };
        if method.ratio == 0.0 {
            return Zeros::default();
        }
        let needs = needs(method);
        let norms = method.layers().is_ok_and(|layers| layers.needs_norms());
        // Before and after its layers are pruned; attention once more for each group that has to see it.
        let passes = if method.order == Order::Block { 2.0 } else { 3.0 } + f64::from(u8::from(norms));
        let mut zeros = Zeros { passes, ..Zeros::default() };
        // A product and a walk.
        let curves = if curved(method) { 4.0 * method.samples.min(self.tokens) as f64 } else { 0.0 };
        // What a weight that goes leaves to those to the right of it, of 128.
        let sweep = if swept(method) { SWEPT_COLUMNS as f64 } else { 0.0 };
        for layer in &self.model.architecture.layers {
            for linear in read(layer) {
                let inputs = linear.inputs as f64;
                zeros.gram += if needs.gram { self.tokens as f64 * inputs * inputs } else { 0.0 };
                zeros.repair += if needs.factor { inputs.powi(3) } else { 0.0 };
            }
            for linear in layer.linears() {
                let (outputs, inputs) = (linear.outputs as f64, linear.inputs as f64);
                let refitted = if method.update == "refit" { 2.0 * method.iterations as f64 } else { 0.0 };
                zeros.repair += (refitted + f64::from(u8::from(needs.factor))) * outputs * inputs * inputs;
                let walks = (curves + sweep) * outputs * inputs;
                match self.device {
                    Device::Gpu(_) => zeros.repair += walks,
                    Device::Cpu(_) => zeros.host += walks,
                }
                zeros.host += 20.0 * outputs * inputs;
            }
        }
        zeros
    }
}

/// Most bytes on the device while the linear layers of a block get zeros: second moments of what all of them read, those of one with its
/// damped copy and the inverse's factor in the making, and a layer with what an update makes of it or with its curves, for which `tokens`
/// tokens are kept.
pub(super) fn working(layer: &Layer, method: &Sparse, tokens: usize) -> f64 {
    let needs = needs(method);
    let updated = if needs.gram { 9.0 } else { 2.0 };
    let moments = |linear: &Linear| square(linear.inputs) as f64;
    let widest = read(layer).map(moments).into_iter().fold(0.0, f64::max);
    let largest = layer.linears().into_iter().map(|linear| 4.0 * linear.outputs as f64 * linear.inputs as f64).fold(0.0, f64::max);
    let collected = if needs.gram { read(layer).map(moments).into_iter().sum::<f64>() + 2.0 * widest } else { 0.0 };
    let (mut kept, mut curves) = (0.0f64, 0.0f64);
    for linear in layer.linears().into_iter().filter(|_| curved(method)) {
        let count = method.samples.min(tokens);
        kept = kept.max(4.0 * (linear.inputs * count) as f64);
        curves = curves.max(PrefixCurves::bytes(linear.outputs, linear.inputs, count) as f64);
    }
    // On the CPU in f64 as well.
    let curves = 3.0 * (curves + kept);
    // Padded, factored, turned back; in f64 on the CPU. Rows have their budgets before anything is updated.
    collected + if needs.factor { 6.0 * widest } else { 0.0 } + kept + curves.max(updated * largest)
}

/// One linear layer of each group that reads the same.
fn read(layer: &Layer) -> [&Linear; 4] {
    [&layer.query, &layer.attention_output, &layer.ffn_input, &layer.ffn_output]
}

fn needs(method: &Sparse) -> WeightNeeds {
    let criterion = method.criterion().map(|criterion| criterion.needs()).unwrap_or_default();
    method.update().map_or(criterion, |update| update.needs().union(criterion))
}

/// Whether rows have budgets by their curves.
fn curved(method: &Sparse) -> bool {
    method.rows().is_some_and(|rows| rows.needs_curves())
}

/// Whether columns are swept.
fn swept(method: &Sparse) -> bool {
    method.update == "sparsegpt" || method.update == "refit" && method.criterion().is_ok_and(|criterion| criterion.needs().factor)
}
