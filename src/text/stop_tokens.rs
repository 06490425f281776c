//! The tokens that end a text, from where the files of a folder name them.

use super::{Tokenizer, json_file};
use crate::base::Result;
use crate::checkpoint::Folder;
use serde_json::Value;

/// Ids after which generation stops: `eos_token_id` of generation_config.json, else of config.json, else the `eos_token` of
/// tokenizer_config.json, else that of special_tokens_map.json. Empty where none of them names one that the tokenizer knows.
pub(super) async fn read(folder: &Folder, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    for name in ["generation_config.json", "config.json"] {
        if let Some(ids) = json_file::read(folder, name).await?.get("eos_token_id").and_then(ids) {
            return Ok(ids);
        }
    }
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        let config = json_file::read(folder, name).await?;
        let token = config.get("eos_token").and_then(|token| token.as_str().or_else(|| token.get("content")?.as_str()));
        if let Some(id) = token.and_then(|token| tokenizer.token_id(token)) {
            return Ok(vec![id]);
        }
    }
    Ok(Vec::new())
}

/// One id, or a list of them.
fn ids(value: &Value) -> Option<Vec<u32>> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        _ => one(value).map(|id| vec![id]),
    }
}
