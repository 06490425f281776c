//! What came of one recipe, and the row of a table that it makes.

use super::Named;
use crate::base::{Error, Result};
use crate::job::Report;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What came of one recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the recipe.
    pub name: String,
    /// Digest of the recipe, the model, the texts and the version of Coppice.
    pub key: String,
    /// Class of the model.
    pub model: String,
    /// The recipe, with defaults filled in; it is in the report too.
    pub recipe: crate::recipe::Recipe,
    /// What happened, where it was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Why it could not be carried out on this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a column takes its value from.
enum Place {
    /// A field of the row's JSON, as a JSON pointer.
    At(&'static str),
    /// Fields of the method that have no column of their own, as JSON.
    Options,
    /// A list, its values with spaces between.
    List(&'static str),
    /// ln(perplexity after) - ln(perplexity before).
    ExcessLoss,
    /// Repairs that fell back to a weaker one.
    Fallbacks,
    /// Length of a list.
    Count(&'static str),
}

use Place::{At, Count, ExcessLoss, Fallbacks, List, Options};

/// The columns of a sweep's table, in order.
const COLUMNS: &[(&str, Place)] = &[
    ("name", At("/name")),
    ("key", At("/key")),
    ("model", At("/model")),
    ("method", At("/recipe/method/kind")),
    ("units", List("/recipe/method/units")),
    ("criterion", At("/recipe/method/criterion")),
    ("allocation", At("/recipe/method/allocation")),
    ("ratio", At("/recipe/method/ratio")),
    ("pattern", At("/recipe/method/pattern")),
    ("layer_budgets", At("/recipe/method/layer_budgets")),
    ("update", At("/recipe/method/update")),
    ("options", Options),
    ("reconstruction", At("/recipe/method/reconstruction")),
    ("ridge", At("/recipe/method/ridge")),
    ("affine", At("/recipe/method/affine")),
    ("error_aware", At("/recipe/method/error_aware")),
    ("target", At("/recipe/method/target")),
    ("calibration", At("/recipe/calibration/source")),
    ("sequences", At("/recipe/calibration/sequences")),
    ("length", At("/recipe/calibration/length")),
    ("seed", At("/recipe/calibration/seed")),
    ("tokens", At("/report/calibration/tokens")),
    ("output", At("/recipe/output/kind")),
    ("dtype", At("/recipe/output/dtype")),
    ("pad", At("/recipe/output/pad")),
    ("realised_linear", At("/report/ratio/linear")),
    ("realised_weights", At("/report/ratio/weights")),
    ("realised_parameters", At("/report/ratio/parameters")),
    ("realised_flops", At("/report/ratio/flops")),
    ("realised_bytes", At("/report/ratio/bytes")),
    ("parameters_before", At("/report/before/parameters")),
    ("parameters_after", At("/report/after/parameters")),
    ("bytes_before", At("/report/before/bytes")),
    ("bytes_after", At("/report/after/bytes")),
    ("flops_per_token_before", At("/report/before/flops_per_token")),
    ("flops_per_token_after", At("/report/after/flops_per_token")),
    ("accuracy_before", At("/report/quality_before/accuracy")),
    ("accuracy_after", At("/report/quality_after/accuracy")),
    ("agreement", At("/report/quality_after/agreement")),
    ("examples", At("/report/quality_after/examples")),
    ("perplexity_before", At("/report/quality_before/perplexity")),
    ("perplexity_after", At("/report/quality_after/perplexity")),
    ("excess_loss", ExcessLoss),
    ("token_accuracy_before", At("/report/quality_before/token_accuracy")),
    ("token_accuracy_after", At("/report/quality_after/token_accuracy")),
    ("evaluated_tokens", At("/report/quality_after/tokens")),
    ("window", At("/report/quality_after/window")),
    ("distance", At("/report/quality_after/distance")),
    ("kl", At("/report/quality_after/kl")),
    ("seconds_evaluate_dense", At("/report/seconds/evaluate_dense")),
    ("seconds_calibrate", At("/report/seconds/calibrate")),
    ("seconds_score", At("/report/seconds/score")),
    ("seconds_reconstruct", At("/report/seconds/reconstruct")),
    ("seconds_export", At("/report/seconds/export")),
    ("seconds_evaluate_pruned", At("/report/seconds/evaluate_pruned")),
    ("seconds_total", At("/report/seconds/total")),
    ("fallbacks", Fallbacks),
    ("close_calls", Count("/report/close_calls")),
    ("device", At("/report/device/name")),
    ("backend", At("/report/device/backend")),
    ("coppice", At("/report/coppice")),
    ("error", At("/error")),
];

impl Row {
    pub(super) fn new(named: &Named, key: &str, model: &str, result: std::result::Result<Report, String>) -> Self {
        let (report, error) = match result {
            Ok(report) => (Some(report), None),
            Err(error) => (None, Some(error)),
        };
        Self { name: named.name.clone(), key: key.to_owned(), model: model.to_owned(), recipe: named.recipe.clone(), report, error }
    }

    /// Names of the columns.
    pub fn columns() -> impl ExactSizeIterator<Item = &'static str> {
        COLUMNS.iter().map(|(name, _)| *name)
    }

    /// The row's values, one a column, as text; empty where there is none.
    ///
    /// # Errors
    /// It cannot be put into JSON.
    pub fn cells(&self) -> Result<Vec<String>> {
        let row = serde_json::to_value(self).map_err(|error| Error::internal(format_args!("writing JSON: {error}")))?;
        Ok(COLUMNS.iter().map(|(_, place)| cell(&row, place)).collect())
    }
}

fn cell(row: &Value, place: &Place) -> String {
    match place {
        At(path) => row.pointer(path).map_or(String::new(), text),
        List(path) => list(row, path).map(text).collect::<Vec<_>>().join(" "),
        Count(path) => row.pointer(path).and_then(Value::as_array).map_or(String::new(), |list| list.len().to_string()),
        Options => options(row),
        ExcessLoss => {
            let loss = |when: &str| row.pointer(&format!("/report/quality_{when}/perplexity"))?.as_f64().map(f64::ln);
            loss("after").zip(loss("before")).map_or(String::new(), |(after, before)| text(&json!(after - before)))
        }
        Fallbacks => {
            let units = list(row, "/report/layers").filter_map(Value::as_object).flat_map(Map::values);
            let count = units.filter(|unit| unit.get("fell_back_from").is_some()).count();
            row.pointer("/report").map_or(String::new(), |_| count.to_string())
        }
    }
}

fn list<'a>(row: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    row.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

/// What the method says beside the fields that have a column.
fn options(row: &Value) -> String {
    let Some(method) = row.pointer("/recipe/method").and_then(Value::as_object) else { return String::new() };
    let has_column = |name: &str| {
        let own = |path: &&str| path.strip_prefix("/recipe/method/") == Some(name);
        COLUMNS.iter().any(|(_, place)| matches!(place, At(path) | List(path) if own(path)))
    };
    let rest: Map<String, Value> =
        method.iter().filter(|(name, _)| !has_column(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    if rest.is_empty() { String::new() } else { Value::Object(rest).to_string() }
}

/// A value without quotes around it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    fn named(method: &str) -> Named {
        let text = format!(r#"{{"version": 1, "calibration": {{"source": "a, b.txt"}}, "method": {method}}}"#);
        Named { name: "one".to_owned(), recipe: Recipe::parse(&text).unwrap() }
    }

    fn cells(row: &Row) -> std::collections::BTreeMap<&'static str, String> {
        let cells = row.cells().unwrap();
        assert_eq!(cells.len(), Row::columns().len());
        Row::columns().zip(cells).collect()
    }

    #[test]
    fn a_recipe_that_failed_has_its_settings_and_its_sentence() {
        let named = named(r#"{"kind": "structured", "ratio": 0.3, "ridge": "auto"}"#);
        let cells = cells(&Row::new(&named, "k", "Bert", Err("It cannot be.".to_owned())));
        for (column, value) in [
            ("name", "one"),
            ("key", "k"),
            ("model", "Bert"),
            ("units", "heads neurons"),
            ("ratio", "0.3"),
            ("ridge", "auto"),
            ("options", ""),
            ("calibration", "a, b.txt"),
            ("output", "stock"),
            ("fallbacks", ""),
            ("kl", ""),
            ("error", "It cannot be."),
        ] {
            assert_eq!(cells[column], value, "{column}");
        }
    }

    #[test]
    fn what_has_no_column_is_an_option() {
        let cells = cells(&Row::new(&named(r#"{"kind": "plan", "plan": {"version": 1, "layers": []}}"#), "", "", Err(String::new())));
        assert_eq!((cells["options"].as_str(), cells["ratio"].as_str()), (r#"{"plan":{"version":1,"layers":[]}}"#, ""));
    }

    #[test]
    fn columns_are_named_once() {
        let names: std::collections::HashSet<_> = Row::columns().collect();
        assert_eq!(names.len(), Row::columns().len());
    }
}
