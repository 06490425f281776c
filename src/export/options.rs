//! What is written: the recipe's `output`.

use crate::checkpoint::Dtype;
use serde::{Deserialize, Serialize};

/// The recipe's `output`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputOptions {
    /// Who can load it.
    pub kind: OutputKind,
    /// Element type of floating point tensors.
    pub dtype: OutputDtype,
    /// With `stock`: units that the stock config cannot leave out are written as zeros instead.
    pub pad: bool,
}

/// Who can load an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Stock Transformers, with no extra code.
    #[default]
    Stock,
    /// Transformers with the loader file that comes along; any widths.
    Sliced,
    /// Stock Transformers; the shapes of the input, with zeros.
    Masked,
    /// What reads the packed format: a bit a weight, and the weights that are not zero.
    Packed,
    /// Stock Transformers; low ranks multiplied out.
    Dense,
    /// Transformers with the loader file that comes along; low ranks as two matrices.
    Factored,
}

impl OutputKind {
    /// Name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Sliced => "sliced",
            Self::Masked => "masked",
            Self::Packed => "packed",
            Self::Dense => "dense",
            Self::Factored => "factored",
        }
    }
}

/// Element type of an output's floating point tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputDtype {
    /// As the input has it, tensor by tensor.
    #[default]
    Same,
    /// 32-bit floats.
    F32,
    /// 16-bit floats with 5 bits of exponent.
    F16,
    /// 16-bit floats with 8 bits of exponent.
    Bf16,
}

impl OutputDtype {
    /// The type in a file; nothing where each tensor keeps its own.
    pub(super) fn fixed(self) -> Option<Dtype> {
        match self {
            Self::Same => None,
            Self::F32 => Some(Dtype::F32),
            Self::F16 => Some(Dtype::F16),
            Self::Bf16 => Some(Dtype::BF16),
        }
    }
}

/// An output kind, for menus, help and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutputKindInfo {
    /// Name in recipes.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Kinds of methods that it goes with, as recipes name them.
    pub methods: &'static [&'static str],
}

/// Every output kind.
pub const OUTPUT_KINDS: &[OutputKindInfo] = &[
    OutputKindInfo {
        name: "stock",
        title: "Stock",
        summary: "Loads in stock Transformers with no extra code; what its config cannot say is refused, or padded with zeros.",
        methods: &["structured", "sparse", "low_rank", "plan"],
    },
    OutputKindInfo {
        name: "sliced",
        title: "Sliced",
        summary: "Any widths, layer by layer; loads through a small Python file that comes along, with trust_remote_code.",
        methods: &["structured", "plan"],
    },
    OutputKindInfo {
        name: "masked",
        title: "Masked",
        summary: "The shapes of the input, with zeros; loads in stock Transformers, and is neither smaller nor faster.",
        methods: &["sparse"],
    },
    OutputKindInfo {
        name: "packed",
        title: "Packed",
        summary: "A bit a weight and the weights that are not zero: a smaller file, which is unpacked to be run, and so no faster.",
        methods: &["sparse"],
    },
    OutputKindInfo {
        name: "dense",
        title: "Dense",
        summary: "Low ranks multiplied out; loads in stock Transformers, and is neither smaller nor faster.",
        methods: &["low_rank"],
    },
    OutputKindInfo {
        name: "factored",
        title: "Factored",
        summary: "Low ranks as two matrices: smaller, and faster where ranks are well below half the width; loads with trust_remote_code.",
        methods: &["low_rank"],
    },
];

/// The type that a tensor of type `own` is written in. Only F32, F16 and BF16 are ever converted.
pub fn output_dtype(options: &OutputOptions, own: Dtype) -> Dtype {
    options.dtype.fixed().filter(|_| own.is_supported_float()).unwrap_or(own)
}
