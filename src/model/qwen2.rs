//! Qwen2 and Qwen2.5 (Yang et al., 2024): Llama's blocks with biases on q, k and v alone, and a head width that need not divide the
//! hidden width. Sliding windows are not supported: those of the published models are off.

use super::llama::{self, Biases, Family};
use super::{Architecture, Config};
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;

pub(super) fn describe(config: &Config, checkpoint: &Checkpoint) -> Result<Architecture> {
    check_window(config)?;
    let family = Family {
        name: "qwen2",
        class: "Qwen2ForCausalLM",
        positions: POSITIONS,
        bos: None,
        biases: Biases { inputs: true, output: false, ffn: false },
        divide_hidden: false,
        // No field gives the output projections biases, so their repairs do without.
        bias_fields: None,
    };
    llama::decoder(config, checkpoint, family)
}

const POSITIONS: usize = 32768;

/// Refuses layers that see only the last tokens, unless that is all there are.
fn check_window(config: &Config) -> Result<()> {
    let layers = config.size("num_hidden_layers")?;
    let slides = match config.get("layer_types").and_then(serde_json::Value::as_array) {
        Some(types) => types.iter().take(layers).any(|kind| kind == "sliding_attention"),
        None => config.flag_or("use_sliding_window", false)? && config.number_or("max_window_layers", 28.0)? < layers as f64,
    };
    let off = config.has("sliding_window") && config.get("sliding_window").is_none();
    let window = config.size_or("sliding_window", 4096)?;
    if slides && !off && window < config.size_or("max_position_embeddings", POSITIONS)? {
        return Err(Error::input(format!(
            "config.json gives layers a sliding window of {window} tokens, which Coppice does not support; it supports layers that see the whole sequence."
        )));
    }
    Ok(())
}
