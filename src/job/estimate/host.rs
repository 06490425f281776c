//! Memory of the host beside the device: in a browser the WebAssembly heap, which a CPU device shares.

use super::{Task, width};
use crate::job::Inputs;
use crate::model::Unit;

/// The program's own data, a tokenizer and its tables, a piece of text with its tokens.
const BASE: u64 = 64 << 20;
/// Holes that an allocator leaves.
const HOLES: f64 = 1.1;
/// Rows of the vocabulary that are read for a tile, and the longest read of rows.
const TILE: (usize, u64) = (8192, 8 << 20);

impl Task<'_> {
    /// Most bytes on the host at one time.
    pub(super) fn host(&self, inputs: &Inputs) -> u64 {
        let architecture = self.architecture();
        let stored = self.model.checkpoint.total_bytes() as f64 / self.model.checkpoint.parameters().max(1) as f64;
        let mut most = 0.0f64;
        for layer in &architecture.layers {
            let dense = stored * layer.linear_parameters(layer.units(Unit::Heads), layer.neurons) as f64;
            let pruned = dense * (1.0 - self.ratio());
            // A consumer's values as they are read, and turned; or what a repair gives, turned, and in the dtype of the output.
            let turned = Unit::ALL.iter().map(|&unit| width(layer, unit) as f64 * (8.0f64).max((8.0 + stored) * (1.0 - self.ratio())));
            let turned = turned.fold(0.0, f64::max) * architecture.hidden as f64;
            // The next layer is read while the work on one goes on, where a pass needs all of them.
            let repair = if self.aware { 2.0 * dense + pruned } else { dense + pruned } + turned;
            most = most.max(repair).max(2.0 * dense).max(dense + self.effort.host_bytes);
        }
        let tile = match architecture.causal && self.evaluated > 0 {
            true => stored * (architecture.vocabulary.min(TILE.0) * architecture.hidden) as f64 + TILE.1 as f64,
            false => 0.0,
        };
        // The texts, their tokens, and those that were drawn from them.
        let texts: usize = [&inputs.calibration, &inputs.evaluation].into_iter().flatten().map(|text| 3 * text.len()).sum();
        (HOLES * (BASE as f64 + texts as f64 + most.max(tile))) as u64
    }
}
