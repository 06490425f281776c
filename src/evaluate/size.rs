//! Parameters, bytes and operations.

use crate::allocate::Plan;
use crate::checkpoint::Checkpoint;
use crate::model::Architecture;
use serde::Serialize;

/// How large a model is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Size {
    /// Parameters of the blocks' linear layers, which ratios refer to.
    pub linear_parameters: u64,
    /// All parameters that the files hold.
    pub parameters: u64,
    /// Bytes of all tensors as they are stored.
    pub bytes: u64,
    /// Floating-point operations a token, in the blocks, at the given mean length.
    pub flops_per_token: f64,
}

impl Size {
    /// Size of a checkpoint whose blocks do the work that `plan` leaves.
    pub fn of(checkpoint: &Checkpoint, architecture: &Architecture, plan: &Plan, mean_length: f64) -> Self {
        Self {
            linear_parameters: plan.linear_parameters(architecture),
            parameters: checkpoint.parameters().saturating_sub(architecture.idle_weights()),
            bytes: checkpoint.stored_bytes(),
            flops_per_token: flops_per_token(architecture, plan, mean_length),
        }
    }

    /// With so many parameters of the blocks' linear layers, where single weights or ranks went.
    pub fn with_linear_parameters(self, kept: Option<u64>) -> Self {
        Self { linear_parameters: kept.unwrap_or(self.linear_parameters), ..self }
    }
}

/// Floating-point operations a token in the blocks, in sequences of a mean length: two a weight, zeros that are multiplied too, and those
/// of attention.
pub fn flops_per_token(architecture: &Architecture, plan: &Plan, mean_length: f64) -> f64 {
    let seen = architecture.seen(mean_length);
    let layers = plan.layers.iter().zip(&architecture.layers);
    let attention: f64 = layers.map(|(kept, layer)| layer.attention_flops(kept.heads.len(), seen)).sum();
    2.0 * (plan.linear_parameters(architecture) + architecture.idle_weights()) as f64 + attention
}
