//! Rotary frequencies from a config, in both spellings: `rope_theta` with `rope_scaling`, and `rope_parameters`.

use super::{Config, Rotary};
use crate::base::{Error, Result};
use serde_json::Value;
use std::f64::consts::TAU;

pub(super) fn describe(config: &Config, head_dim: usize) -> Result<Rotary> {
    let parameters = config.get("rope_parameters").or_else(|| config.get("rope_scaling"));
    let number = |name: &str| parameters.and_then(|value| value.get(name)).and_then(Value::as_f64);
    let theta = match number("rope_theta") {
        Some(theta) => theta,
        None => config.number_or("rope_theta", 10_000.0)?,
    };
    if !head_dim.is_multiple_of(2) || theta.is_nan() || theta <= 0.0 {
        return Err(Error::input(format!("config.json has head_dim {head_dim} and rope_theta {theta}, which make no rotary positions.")));
    }
    let plain = (0..head_dim / 2).map(|pair| theta.powf(-2.0 * pair as f64 / head_dim as f64));
    let kind = parameters.and_then(|value| value.get("rope_type").or_else(|| value.get("type"))).and_then(Value::as_str);
    let frequencies: Vec<f64> = match kind {
        None | Some("default") => plain.collect(),
        Some("linear") => {
            let factor = number("factor").unwrap_or(1.0);
            plain.map(|frequency| frequency / factor).collect()
        }
        Some("llama3") => {
            let get = |name: &str| {
                number(name).ok_or_else(|| {
                    Error::input(format!("config.json has llama3 rotary scaling without {name}; use the model's own config."))
                })
            };
            let (factor, low, high) = (get("factor")?, get("low_freq_factor")?, get("high_freq_factor")?);
            let original = get("original_max_position_embeddings")?;
            plain.map(|frequency| llama3(frequency, factor, low, high, original)).collect()
        }
        Some(other) => {
            return Err(Error::input(format!(
                "config.json asks for rotary scaling \"{other}\", which Coppice does not support; it supports default, linear and llama3."
            )));
        }
    };
    Ok(Rotary { frequencies: frequencies.into_iter().map(|frequency| frequency as f32).collect() })
}

/// Llama 3.1: long wavelengths are stretched by `factor`, short ones stay, those between are blended.
fn llama3(frequency: f64, factor: f64, low: f64, high: f64, original: f64) -> f64 {
    let wavelength = TAU / frequency;
    if wavelength > original / low {
        frequency / factor
    } else if wavelength < original / high {
        frequency
    } else {
        let smooth = (original / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}
