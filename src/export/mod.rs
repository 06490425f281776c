//! A plan applied: output kinds, config.json, the loader for what a stock config cannot say, and the model card.
//!
//! Tensors that a plan does not touch stay byte ranges of the input. What an output is made of is decided in one place,
//! [`widths`]: the widths that are written for every layer; the config, the padding and the figures follow from them.

mod assemble;
mod biases;
mod card;
mod check;
mod config;
mod convert;
mod copied;
mod factored;
mod layer;
mod loader;
mod names;
mod narrow;
mod options;
mod pad;
mod weights;
mod widths;

pub use assemble::{Artifacts, assemble, with_report};
pub use card::Card;
pub use check::{check_plan, check_ranks, check_request, check_tensors, check_widths, check_zeros};
pub use convert::joined;
pub use factored::export_factored;
pub use layer::{export_gain, export_layer, export_linear};
pub use options::{OUTPUT_KINDS, OutputDtype, OutputKind, OutputKindInfo, OutputOptions, output_dtype};
pub use weights::export_block;
pub use widths::{OutputSize, output_size};

#[cfg(test)]
mod tests;
