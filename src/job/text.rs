//! JSON for people to read: indented, but an array of numbers is one line.

use crate::base::{Error, Result};
use serde::Serialize;

/// The text of a report, a plan or a recipe. Scores are numbers by the ten thousand, which a line each would make several times as long.
pub(super) fn text_of(value: &impl Serialize) -> Result<String> {
    let pretty = serde_json::to_string_pretty(value).map_err(|error| Error::internal(format_args!("writing JSON: {error}")))?;
    Ok(joined(&pretty) + "\n")
}

/// Indented JSON with its arrays of numbers joined to one line each.
fn joined(pretty: &str) -> String {
    let mut text = String::with_capacity(pretty.len());
    let mut rest = pretty;
    while let Some(at) = rest.find(['[', '"']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        let length = if found.starts_with('"') { string_length(found) } else { 1 };
        let array = found.find(']').map(|end| &found[..=end]).filter(|array| length == 1 && is_numbers(array));
        match array {
            Some(array) => {
                let items: Vec<&str> = array[1..array.len() - 1].split(',').map(str::trim).collect();
                text.push_str(&format!("[{}]", items.join(", ")));
            }
            None => text.push_str(&found[..length]),
        }
        rest = &found[array.map_or(length, str::len)..];
    }
    text + rest
}

/// Whether this is an array of numbers; one that is not finite is written as null.
fn is_numbers(array: &str) -> bool {
    array[1..array.len() - 1].split(',').all(|item| matches!(item.trim(), "null") || item.trim().parse::<f64>().is_ok())
}

/// Bytes of the string that `text` starts with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn arrays_of_numbers_are_one_line_and_nothing_else_changes() {
        let value = json!({
            "scores": [{ "heads": [1.5, -2e-9, null], "neurons": [3] }, { "heads": [], "neurons": [[1, 2], [3, 4]] }],
            "a \"[1,\n2]\" in a \\": "[1,\n  2]\\",
            "names": ["heads", "[1, 2]"],
            "mixed": [1, "two", { "three": [3, 4] }],
        });
        let text = text_of(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        for line in ["\"heads\": [1.5, -2e-9, null],", "\"neurons\": [3]", "[1, 2],", "\"three\": [3, 4]", "\"heads\": [],"] {
            assert!(text.lines().any(|own| own.trim() == line), "{line} is a line of {text}");
        }
        assert_eq!(text.lines().filter(|own| own.trim() == "\"heads\",").count(), 1, "names keep their lines: {text}");
    }

    #[test]
    fn numbers_keep_every_digit() {
        let values: Vec<f64> = (1..2000).map(|i| 1.0 / f64::from(i)).collect();
        let text = text_of(&values).unwrap();
        assert_eq!(text.lines().count(), 1);
        let read: Vec<f64> = text.trim().trim_matches(['[', ']']).split(", ").map(|number| number.parse().unwrap()).collect();
        assert_eq!(read, values);
    }
}
