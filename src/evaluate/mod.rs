//! How good a model is: accuracy on labelled sentences, distance to the dense model, size, and what it writes.

mod classify;
mod features;
mod generate;
mod layers;
mod logits;
mod perplexity;
mod sample;
mod size;
mod stop_text;

pub use classify::{Classified, Quality, classify, compare};
pub use features::{Features, features};
pub use generate::{Ending, GenerateOptions, Generator, Token};
pub use layers::{batch_tokens, last_states};
pub use logits::next_token_logits;
pub use perplexity::{Answers, Measured, Prediction, Reference, predict, predict_and_keep};
pub use sample::{Sampler, Sampling};
pub use size::{Size, flops_per_token};
