//! What a method makes of a model, whichever it is.

use super::Model;
use super::report::{HeadOutcome, LayerOutcome, LinearOutcome, UnitScores};
use crate::allocate::{CloseCall, GroupProbe, LatencyTable, Plan, Probe};
use crate::checkpoint::OutputTensor;

/// What a method makes of a model.
pub(super) struct Changes {
    /// Which units stay.
    pub(super) plan: Plan,
    /// Tensors of the output that are not the input's.
    pub(super) changed: Vec<OutputTensor>,
    /// What was done to the units of each layer.
    pub(super) layers: Vec<LayerOutcome>,
    /// What was done to the head.
    pub(super) head: Vec<HeadOutcome>,
    /// What was done to each linear layer, where single weights or ranks went.
    pub(super) linears: Vec<LinearOutcome>,
    /// Seconds for scores and plan, and for the rest.
    pub(super) spent: (f64, f64),
    /// Of the former, those that an earlier recipe spent.
    pub(super) earlier: f64,
    /// Parameters that the blocks' linear layers keep, where the plan does not say it.
    pub(super) kept_parameters: Option<u64>,
    /// What was found out on the way to the plan.
    pub(super) found: Found,
}

/// What was found out on the way to a plan of units.
#[derive(Default)]
pub(super) struct Found {
    pub(super) close_calls: Vec<CloseCall>,
    pub(super) scores: Option<Vec<UnitScores>>,
    pub(super) latency: Option<LatencyTable>,
    pub(super) time: Option<f64>,
    pub(super) probes: Option<Vec<Probe>>,
    pub(super) rank_probes: Option<Vec<GroupProbe>>,
}

impl Changes {
    /// Nothing: everything stays as it is.
    pub(super) fn none(model: &Model) -> Self {
        let plan = Plan::dense(&model.architecture);
        let layers = model.architecture.layers.iter().zip(&plan.layers).map(|(layer, kept)| LayerOutcome::new(layer, kept)).collect();
        Self {
            plan,
            changed: Vec::new(),
            layers,
            head: Vec::new(),
            linears: Vec::new(),
            spent: (0.0, 0.0),
            earlier: 0.0,
            kept_parameters: None,
            found: Found::default(),
        }
    }
}
