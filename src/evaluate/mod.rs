//! How good a model is: accuracy on labelled sentences, distance to the dense model, size.

mod classify;
mod features;
mod layers;
mod logits;
mod perplexity;
mod size;

pub use classify::{Classified, Quality, classify, compare};
pub use features::{Features, features};
pub use layers::{batch_tokens, last_states};
pub use logits::next_token_logits;
pub use perplexity::{Measured, Prediction, predict};
pub use size::{Size, flops_per_token};
