//! The output's config.json.

use super::loader::{self, MODULE};
use super::{OutputDtype, OutputKind, OutputOptions};
use crate::allocate::Widths;
use crate::base::Result;
use crate::model::{Architecture, Config, LAYERS_FIELD};
use serde_json::{Map, Value, json};

/// Where a config names classes of code that comes with the model.
const AUTO_MAP: &str = "auto_map";

/// The config of an output of these widths, in the spelling and order of the input's.
pub(super) fn adapt(architecture: &Architecture, config: &Config, widths: &[Widths], options: &OutputOptions) -> Result<Config> {
    let mut config = config.clone();
    match options.kind {
        OutputKind::Stock => {
            if let (Some(first), Some(layer)) = (widths.first(), architecture.layers.first()) {
                config.set(architecture.width_fields.neurons, first.neurons);
                if let Some(fields) = architecture.width_fields.heads {
                    config.set(fields.heads, first.heads * layer.group());
                    config.set(fields.kv_heads, first.heads);
                    config.set(fields.head_dim, layer.head_dim);
                }
            }
            config.remove(LAYERS_FIELD);
            forget_loader(&mut config);
        }
        OutputKind::Sliced => {
            let layers: Vec<Value> = widths.iter().map(|layer| json!({ "heads": layer.heads, "neurons": layer.neurons })).collect();
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
