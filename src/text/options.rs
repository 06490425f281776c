//! What stands beside a vocabulary: tokenizer_config.json, special_tokens_map.json, added_tokens.json, and config.json's
//! model_type. They are read as Transformers reads them.

use super::json_file;
use crate::base::{Error, Result};
use crate::checkpoint::Folder;
use serde_json::{Map, Value};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

/// The keys of special tokens with a role.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Options of a tokenizer.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// `tokenizer_class`, without `Fast`.
    pub(super) class: Option<String>,
    /// config.json's `model_type`.
    pub(super) model_type: Option<String>,
    /// tokenizer_config.json, with the special tokens of special_tokens_map.json where it lists none itself.
    values: Map<String, Value>,
    /// Added tokens with their ids, by id.
    added: Vec<(u32, AddedToken)>,
}

impl Options {
    /// Reads what the folder has of those files.
    pub(super) async fn read(folder: &Folder) -> Result<Self> {
        let config = json_file::read(folder, "config.json").await?;
        let values = json_file::read(folder, "tokenizer_config.json").await?;
        let map = json_file::read(folder, "special_tokens_map.json").await?;
        let added = json_file::read(folder, "added_tokens.json").await?;
        Self::new(&config, values, map, &added)
    }

    /// From the values of the four files.
    pub(super) fn new(config: &Value, values: Value, map: Value, added: &Value) -> Result<Self> {
        let mut options = Self { values: object(values), ..Self::default() };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        options.model_type = text(config.get("model_type"));
        options.class = text(options.values.get("tokenizer_class")).map(|class| class.trim_end_matches("Fast").to_owned());
        if let Some(listed) = options.values.get("added_tokens_decoder").and_then(Value::as_object) {
            for (id, token) in listed {
                let broken = || {
                    Error::input(format!(
                        "tokenizer_config.json has an added token {id} that cannot be read; copy it again from the model."
                    ))
                };
                let special = token.get("special").and_then(Value::as_bool).unwrap_or(false);
                options.added.push((id.parse().map_err(|_| broken())?, token_of(token, special).ok_or_else(broken)?));
            }
        } else {
            options.values.extend(object(map));
            let special = options.special_contents();
            for (content, id) in added.as_object().into_iter().flatten() {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| {
                    Error::input(format!(
                        "added_tokens.json gives the token {content} no whole number as its id; copy it again from the model."
                    ))
                })?;
                options.added.push((id, AddedToken::from(content, special.contains(content))));
            }
        }
        options.added.sort_by_key(|(id, _)| *id);
        Ok(options)
    }

    /// A switch of tokenizer_config.json.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.values.get(name)?.as_bool()
    }

    /// The special token of a role, such as `bos_token`.
    pub(super) fn token(&self, role: &str) -> Option<String> {
        token_of(self.values.get(role)?, true).map(|token| token.content)
    }

    fn special_contents(&self) -> Vec<String> {
        self.special_tokens().into_iter().map(|token| token.content).collect()
    }

    /// Special tokens that the files name, with a role and without.
    fn special_tokens(&self) -> Vec<AddedToken> {
        let extra = ["additional_special_tokens", "extra_special_tokens"].into_iter().filter_map(|key| self.values.get(key));
        let extra = extra.flat_map(|value| match value {
            Value::Array(values) => values.iter().collect::<Vec<_>>(),
            Value::Object(values) => values.values().collect(),
            _ => Vec::new(),
        });
        ROLES.iter().filter_map(|role| self.values.get(*role)).chain(extra).filter_map(|value| token_of(value, true)).collect()
    }

    /// Adds the tokens that the files name; `defaults` are added where the vocabulary has them. With `raw`, they are looked for
    /// in the text before it is normalised.
    ///
    /// Fails where an added token would get another id than its file says.
    pub(super) fn add_tokens(&self, tokenizer: &mut Tokenizer, defaults: &[&str], raw: bool) -> Result<()> {
        let mut tokens: Vec<AddedToken> = self.added.iter().map(|(_, token)| token.clone()).collect();
        let defaults = defaults.iter().filter(|token| tokenizer.token_to_id(token).is_some());
        for token in self.special_tokens().into_iter().chain(defaults.map(|token| AddedToken::from(*token, true))) {
            match tokens.iter_mut().find(|known| known.content == token.content) {
                Some(known) => known.special = true,
                None => tokens.push(token),
            }
        }
        if raw {
            tokens.iter_mut().for_each(|token| token.normalized = false);
        }
        tokenizer.add_tokens(tokens).map_err(|error| {
            Error::input(format!(
                "The tokenizer's added tokens do not fit its vocabulary ({error}); copy the tokenizer files again from the model."
            ))
        })?;
        for (id, token) in &self.added {
            let found = tokenizer.token_to_id(&token.content);
            if found != Some(*id) {
                return Err(Error::input(format!(
                    "The added token {} should have the id {id}, but the vocabulary makes it {}; check that all tokenizer files belong to the same model.",
                    token.content,
                    found.map_or("none".to_owned(), |id| id.to_string())
                )));
            }
        }
        Ok(())
    }
}

/// Puts tokens around every sequence: those that are there of `bos` and `eos`.
pub(super) fn surround(tokenizer: &mut Tokenizer, bos: Option<&str>, eos: Option<&str>) -> Result<()> {
    if bos.is_none() && eos.is_none() {
        return Ok(());
    }
    let mut template = Vec::new();
    let mut ids = Vec::new();
    for token in [bos, Some("$A"), eos].into_iter().flatten() {
        template.push(format!("{token}:0"));
        if token == "$A" {
            continue;
        }
        let id = tokenizer.token_to_id(token).ok_or_else(|| {
            Error::input(format!("The tokenizer puts {token} around a sequence, but its vocabulary has no such token; check that all tokenizer files belong to the same model."))
        })?;
        ids.push((token.to_owned(), id));
    }
    let broken = |error: String| {
        Error::input(format!(
            "The tokens around a sequence cannot be used ({error}); check bos_token and eos_token in tokenizer_config.json."
        ))
    };
    let processor =
        TemplateProcessing::builder().try_single(template).map_err(|error| broken(error.to_string()))?.special_tokens(ids).build();
    tokenizer.with_post_processor(Some(processor.map_err(|error| broken(error.to_string()))?));
    Ok(())
}

/// A token as the files spell it: its text, or an object with it and how it is found.
fn token_of(value: &Value, special: bool) -> Option<AddedToken> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let content = value.as_str().or_else(|| value.get("content")?.as_str())?;
    Some(
        AddedToken::from(content, special)
            .lstrip(flag("lstrip").unwrap_or(false))
            .rstrip(flag("rstrip").unwrap_or(false))
            .single_word(flag("single_word").unwrap_or(false))
            .normalized(flag("normalized").unwrap_or(!special)),
    )
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
