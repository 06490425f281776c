//! config.json, kept as it was read so that it is written back in the same spelling.

use crate::base::{Error, Result};
use serde_json::{Map, Value};

/// The parsed config.json, with its key order.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    fields: Map<String, Value>,
}

impl Config {
    /// Parses the text of config.json.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn parse(text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self { fields }),
            Ok(_) => Err(Error::input("config.json is not a JSON object; use the config.json that belongs to the model.")),
            Err(error) => {
                Err(Error::input(format!("config.json is not valid JSON ({error}); use the config.json that belongs to the model.")))
            }
        }
    }

    /// The architecture's name, `bert` for example.
    pub fn model_type(&self) -> Result<&str> {
        self.text("model_type").ok_or_else(|| {
            Error::input("config.json has no model_type, so the architecture is unknown; use the config.json that belongs to the model.")
        })
    }

    /// Whether the config speaks of a field, be it with null.
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// A field of any type, unless it is null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A text field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A positive whole number that must be there.
    pub fn size(&self, name: &str) -> Result<usize> {
        match self.get(name) {
            Some(value) => match value.as_u64() {
                // Far above any model, far below what overflows a product of two.
                Some(size @ 1..=0x7fff_ffff) => Ok(size as usize),
                _ => Err(Error::input(format!("config.json has {name} = {value}, which is not a positive whole number."))),
            },
            None => Err(Error::input(format!("config.json has no {name}; use the config.json that belongs to the model."))),
        }
    }

    /// A positive whole number, or `default` where it is missing.
    pub fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        if self.get(name).is_some() { self.size(name) } else { Ok(default) }
    }

    /// A number, or `default` where it is missing.
    pub fn number_or(&self, name: &str, default: f64) -> Result<f64> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.as_f64().ok_or_else(|| not_a(name, value, "number")),
        }
    }

    /// The epsilon of a normalisation, finite and not negative, or `default` where it is missing.
    pub fn epsilon_or(&self, name: &str, default: f32) -> Result<f32> {
        let value = self.number_or(name, f64::from(default))?;
        match value as f32 {
            epsilon if epsilon.is_finite() && epsilon >= 0.0 => Ok(epsilon),
            _ => Err(Error::input(format!("config.json has {name} = {value}, which is not a finite number of at least 0."))),
        }
    }

    /// A truth value, or `default` where it is missing.
    pub fn flag_or(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| not_a(name, value, "truth value")),
        }
    }

    /// A text, or `default` where it is missing.
    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> Result<&'a str> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.as_str().ok_or_else(|| not_a(name, value, "text")),
        }
    }

    /// An object, where it is there.
    pub fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>> {
        self.get(name).map(|value| value.as_object().ok_or_else(|| not_a(name, value, "JSON object"))).transpose()
    }

    /// The ids that a field names: one, or a list of them. Negative ones, which older configs write for none, are left out.
    pub fn token_ids(&self, name: &str) -> Result<Vec<u32>> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let ids = list.iter().filter(|id| id.as_i64().is_none_or(|id| id >= 0));
        let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| not_a(name, value, "token id"));
        ids.map(id).collect()
    }

    /// Names of the classes of a classifier, by index, from `id2label`; empty where there are none.
    pub fn label_names(&self) -> Vec<String> {
        let Some(labels) = self.get("id2label").and_then(Value::as_object) else { return Vec::new() };
        (0..labels.len()).map_while(|i| labels.get(&i.to_string()).and_then(Value::as_str).map(str::to_owned)).collect()
    }

    /// Sets a field, in place if it is there.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Takes a field out, if it is there; the others keep their order.
    pub fn remove(&mut self, name: &str) {
        self.fields.shift_remove(name);
    }

    /// The text to write, indented as Transformers does.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.fields).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// What is wrong with a field of another type than `kind`.
pub(super) fn not_a(name: &str, value: &Value, kind: &str) -> Error {
    Error::input(format!("config.json has {name} = {value}, which is not a {kind}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_reports_bad_fields() {
        let mut config = Config::parse(r#"{"z": 1, "model_type": "bert", "a": -2, "n": null}"#).unwrap();
        assert_eq!(config.model_type().unwrap(), "bert");
        assert_eq!(config.size("z").unwrap(), 1);
        assert!(config.size("a").unwrap_err().to_string().contains("a = -2"));
        assert!(config.size("n").unwrap_err().to_string().contains("no n"));
        config.set("z", 3);
        assert!(config.to_text().find("\"z\"") < config.to_text().find("\"a\""));
        assert!(Config::parse("[]").is_err() && Config::parse("{").is_err());
    }
}
