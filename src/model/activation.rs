//! Activation functions.

use crate::base::{Error, Result};

/// Element-wise function that a linear layer applies to its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// None.
    Identity,
    /// Gaussian error linear unit with the error function (Hendrycks and Gimpel, 2016).
    Gelu,
    /// GELU with the tanh approximation, as GPT-2 has it (`gelu_new`).
    GeluTanh,
    /// Rectified linear unit.
    Relu,
    /// Sigmoid linear unit (swish).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// The activation that a config names.
    pub(super) fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_accurate" => Self::GeluTanh,
            "relu" => Self::Relu,
            "linear" => Self::Identity,
            "tanh" => Self::Tanh,
            "silu" | "swish" => Self::Silu,
            other => return Err(Error::input(format!("config.json names the activation \"{other}\", which Coppice does not support."))),
        })
    }
}
