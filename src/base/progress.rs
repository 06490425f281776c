//! What a run tells about itself while it works.

use super::CancelToken;
use serde::Serialize;
use std::rc::Rc;

/// The phases of a job, in order. A job may leave some out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading headers and configuration.
    Open,
    /// Accuracy or perplexity of the dense model.
    EvaluateDense,
    /// Forward pass and statistics of the dense model.
    Calibrate,
    /// Scores of units, from the statistics.
    Score,
    /// Repairing and slicing layer by layer.
    Reconstruct,
    /// Laying out the output files.
    Export,
    /// Accuracy or perplexity of the pruned model.
    EvaluatePruned,
}

/// One progress message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Layer being worked on, from 0; absent where the phase has no layers.
    pub layer: Option<usize>,
    /// Number of layers.
    pub layers: usize,
    /// Share of the phase that is done, 0 to 1.
    pub fraction: f64,
}

/// Receives progress messages.
pub type Observer = Rc<dyn Fn(&Progress)>;

/// What every long operation is given: where to report, and when to stop.
#[derive(Clone)]
pub struct Run {
    /// Stops the run.
    pub cancel: CancelToken,
    observer: Observer,
}

impl Default for Run {
    fn default() -> Self {
        Self::new(CancelToken::default(), Rc::new(|_| {}))
    }
}

impl Run {
    /// A run that reports to `observer` and stops on `cancel`.
    pub fn new(cancel: CancelToken, observer: Observer) -> Self {
        Self { cancel, observer }
    }

    /// Reports progress within a phase.
    pub fn report(&self, phase: Phase, layer: Option<usize>, layers: usize, fraction: f64) {
        (self.observer)(&Progress { phase, layer, layers, fraction: fraction.clamp(0.0, 1.0) });
    }
}
