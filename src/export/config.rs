//! The output's config.json.

use super::loader::{self, MODULE};
use super::widths::Written;
use super::{OutputDtype, OutputKind, OutputOptions};
use crate::allocate::Widths;
use crate::base::Result;
use crate::model::{Architecture, Config, LAYERS_FIELD};
use serde_json::{Map, Value, json};

/// Where a config names classes of code that comes with the model.
const AUTO_MAP: &str = "auto_map";

/// Lists by layer that configs of some families hold.
const BY_LAYER: &[&str] = &["layer_types"];
/// Number of first layers without a sliding window.
const WINDOW_LAYERS: &str = "max_window_layers";

/// The config of an output of these widths, in the spelling and order of the input's.
pub(super) fn adapt(architecture: &Architecture, config: &Config, written: &Written, options: &OutputOptions) -> Result<Config> {
    let mut config = config.clone();
    leave_layers_out(architecture, &mut config, &written.layers);
    narrow(architecture, &mut config, written.hidden);
    match options.kind {
        OutputKind::Stock => {
            if let Some((layer, first)) = written.of(architecture).next() {
                config.set(architecture.width_fields.neurons, first.neurons);
                if let Some(fields) = architecture.width_fields.heads {
                    config.set(architecture.width_fields.query_heads, first.heads * layer.group());
                    config.set(fields.kv_heads, first.heads);
                    config.set(fields.head_dim, layer.head_dim);
                }
            }
            config.remove(LAYERS_FIELD);
            forget_loader(&mut config);
        }
        // The shapes of the input.
        OutputKind::Masked | OutputKind::Packed | OutputKind::Dense | OutputKind::Factored => {}
        OutputKind::Sliced => {
            let layers: Vec<Value> =
                written.layers.iter().flatten().map(|layer| json!({ "heads": layer.heads, "neurons": layer.neurons })).collect();
            config.set(LAYERS_FIELD, layers);
            config.set(AUTO_MAP, loader::find(architecture.family)?.auto_map());
        }
    }
    let dtype = match options.dtype {
        OutputDtype::Same => return Ok(config),
        OutputDtype::F32 => "float32",
        OutputDtype::F16 => "float16",
        OutputDtype::Bf16 => "bfloat16",
    };
    for field in ["dtype", "torch_dtype"] {
        if config.get(field).is_some() {
            config.set(field, dtype);
        }
    }
    Ok(config)
}

/// Counts the layers that stay, wherever a config speaks of them.
fn leave_layers_out(architecture: &Architecture, config: &mut Config, widths: &[Option<Widths>]) {
    let kept = widths.iter().flatten().count();
    if kept == widths.len() {
        return;
    }
    config.set(architecture.width_fields.layers, kept);
    for &field in BY_LAYER {
        let Some(list) = config.get(field).and_then(Value::as_array) else { continue };
        let stays = |&(index, _): &(usize, &Value)| widths.get(index).is_some_and(Option::is_some);
        let list: Vec<Value> = list.iter().enumerate().filter(stays).map(|(_, value)| value.clone()).collect();
        config.set(field, list);
    }
    // A limit above all layers stays one.
    if let Some(first) = config.get(WINDOW_LAYERS).and_then(Value::as_u64).filter(|&first| first < widths.len() as u64) {
        config.set(WINDOW_LAYERS, widths.iter().take(first as usize).flatten().count());
    }
}

/// Sets the width of the residual stream, and the heads that fill it where their number alone tells how wide they are.
fn narrow(architecture: &Architecture, config: &mut Config, hidden: usize) {
    if hidden == architecture.hidden {
        return;
    }
    let (fields, head_dim) = (architecture.width_fields, architecture.layers.first().map_or(1, |layer| layer.head_dim).max(1));
    for &field in fields.hidden {
        config.set(field, hidden);
    }
    match fields.heads {
        Some(heads) => config.set(heads.head_dim, head_dim),
        None => config.set(fields.query_heads, hidden / head_dim),
    }
}

/// Takes our loader's classes out of the config of a model that was `sliced` and is stock again.
fn forget_loader(config: &mut Config) {
    let Some(Value::Object(map)) = config.get(AUTO_MAP).cloned() else { return };
    let ours = |class: &Value| class.as_str().is_some_and(|class| class.split('.').next() == Some(MODULE));
    let others: Map<String, Value> = map.into_iter().filter(|(_, class)| !ours(class)).collect();
    if others.is_empty() {
        config.remove(AUTO_MAP);
    } else {
        config.set(AUTO_MAP, others);
    }
}
