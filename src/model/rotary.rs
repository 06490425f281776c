//! Rotary frequencies from a config, in both spellings: `rope_theta` with `rope_scaling`, and `rope_parameters`.

use super::{Config, Rotary, config::not_a};
use crate::base::{Error, Result};
use std::f64::consts::TAU;

/// Config field of the positions that a model had before its scaling.
const ORIGINAL: &str = "original_max_position_embeddings";

pub(super) fn describe(config: &Config, head_dim: usize) -> Result<Rotary> {
    // The older spelling wins where both are there, as in Transformers.
    let given = |name: &str| config.object(name).map(|fields| fields.filter(|fields| !fields.is_empty()));
    let (older, newer) = (given("rope_scaling")?, given("rope_parameters")?);
    let parameter = |name: &str| older.or(newer).and_then(|fields| fields.get(name)).filter(|value| !value.is_null());
    let number = |name: &str| match parameter(name) {
        Some(value) => value.as_f64().ok_or_else(|| not_a(name, value, "number")).map(Some),
        None => Ok(None),
    };
    let theta = match number("rope_theta")? {
        Some(theta) => theta,
        None => config.number_or("rope_theta", 10_000.0)?,
    };
    if !head_dim.is_multiple_of(2) || theta.is_nan() || theta <= 0.0 {
        return Err(Error::input(format!("config.json has head_dim {head_dim} and rope_theta {theta}, which make no rotary positions.")));
    }
    let plain = (0..head_dim / 2).map(|pair| theta.powf(-2.0 * pair as f64 / head_dim as f64));
    if number("partial_rotary_factor")?.is_some_and(|share| share != 1.0) {
        return Err(Error::input("config.json turns only a part of each head (partial_rotary_factor), which Coppice does not support."));
    }
    let kind = match parameter("rope_type").or_else(|| parameter("type")) {
        Some(value) => Some(value.as_str().ok_or_else(|| not_a("rope_type", value, "text"))?),
        None => None,
    };
    let get = |name: &str| {
        number(name)?.filter(|&value| value > 0.0).ok_or_else(|| {
            let kind = kind.unwrap_or_default();
            Error::input(format!("config.json has {kind} rotary scaling without a positive {name}; use the model's own config."))
        })
    };
    let frequencies: Vec<f64> = match kind {
        None | Some("default") => plain.collect(),
        Some("linear") => {
            let factor = get("factor")?;
            plain.map(|frequency| frequency / factor).collect()
        }
        Some("llama3") => {
            let (factor, low, high) = (get("factor")?, get("low_freq_factor")?, get("high_freq_factor")?);
            let original = match (config.get(ORIGINAL), number(ORIGINAL)?) {
                (None, Some(_)) => get(ORIGINAL)?,
                (Some(_), _) => config.number_or(ORIGINAL, 0.0)?,
                (None, None) => config.number_or("max_position_embeddings", 2048.0)?,
            };
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
