//! Many recipes in one document: a list of them, or one that is varied.

use crate::base::{Error, Result};
use crate::recipe::Recipe;
use serde_json::{Map, Value};

/// A recipe of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// What its rows are called; need not be unique.
    pub name: String,
    /// The recipe.
    pub recipe: Recipe,
}

/// The path in `vary` that stands for the recipe itself.
const WHOLE: &str = "recipe";

/// A recipe that is not read yet, with its name so far.
#[derive(Clone)]
struct Draft {
    name: String,
    fields: Value,
    /// What to make the name of, once the recipe is read.
    template: Option<String>,
}

/// Reads a recipes document: an array of recipes, or `{"base": recipe, "vary": {path: [values]}, "name": template}`, which gives
/// every combination, the first path slowest. An array may hold such objects too.
///
/// A path has dots (`method.ratio`), or is `recipe` for the recipe itself. A value that is an object is merged into what is there,
/// field by field; anything else takes its place. Recipes and merged objects may have a `name`; those that meet in a recipe are put one
/// after another. A template is a text with paths in braces, `{name}` among them.
///
/// # Errors
/// Something is not right; the message gives the number of the recipe, in the order of the result, and the field.
pub fn recipes(text: &str) -> Result<Vec<Named>> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::recipe(format!("The recipes are not valid JSON ({error}).")))?;
    let mut drafts = Vec::new();
    match value {
        Value::Array(items) => items.into_iter().try_for_each(|item| add(item, &mut drafts))?,
        Value::Object(fields) if fields.contains_key("vary") => add(Value::Object(fields), &mut drafts)?,
        _ => {
            return Err(Error::recipe(
                "The recipes are neither a JSON array of recipes nor an object with \"base\" and \"vary\"; see the README for an example.",
            ));
        }
    }
    if drafts.is_empty() {
        return Err(Error::recipe("There is no recipe; the array, or a list of \"vary\", is empty."));
    }
    let read = |(index, draft): (usize, Draft)| {
        let name = if draft.name.is_empty() { (index + 1).to_string() } else { draft.name.clone() };
        match Recipe::from_value(draft.fields.clone()) {
            Ok(recipe) => {
                Ok(Named { name: draft.template.as_ref().map_or(Ok(name), |template| filled(template, &draft, &recipe))?, recipe })
            }
            Err(error) => Err(Error::recipe(format!("Recipe {} ({name}): {error}", index + 1))),
        }
    };
    drafts.into_iter().enumerate().map(read).collect()
}

/// Adds a recipe, or all that a product gives.
fn add(item: Value, drafts: &mut Vec<Draft>) -> Result<()> {
    let number = drafts.len() + 1;
    let Value::Object(mut fields) = item else {
        return Err(Error::recipe(format!("Recipe {number} is not a JSON object; see the README for an example.")));
    };
    if !fields.contains_key("vary") {
        let name = take_name(&mut fields, number)?;
        drafts.push(Draft { name, fields: Value::Object(fields), template: None });
        return Ok(());
    }
    let (base, vary, template) = (fields.remove("base"), fields.remove("vary"), fields.remove("name"));
    if let Some(name) = fields.keys().next() {
        return Err(Error::recipe(format!("Beside \"vary\" is an unknown field \"{name}\"; the fields are base, vary and name.")));
    }
    let (Some(Value::Object(mut base)), Some(Value::Object(vary))) = (base, vary) else {
        return Err(Error::recipe("\"vary\" must be an object of lists, with a recipe as \"base\" beside it."));
    };
    let name = take_name(&mut base, number)?;
    let mut made = vec![Draft { name, fields: Value::Object(base), template: None }];
    for (path, values) in vary {
        let Value::Array(values) = values else {
            return Err(Error::recipe(format!("vary.{path} is not a list; write the values that the field is to have.")));
        };
        let mut next = Vec::with_capacity(made.len() * values.len());
        for draft in &made {
            for value in &values {
                next.push(varied(draft.clone(), &path, value.clone(), number + next.len())?);
            }
        }
        made = next;
    }
    if let Some(template) = template {
        let Value::String(template) = template else { return Err(Error::recipe("The \"name\" beside \"vary\" is not a text.")) };
        made.iter_mut().for_each(|draft| draft.template = Some(template.clone()));
    }
    drafts.extend(made);
    Ok(())
}

fn take_name(fields: &mut Map<String, Value>, number: usize) -> Result<String> {
    match fields.remove("name") {
        None => Ok(String::new()),
        Some(Value::String(name)) => Ok(name),
        Some(_) => Err(Error::recipe(format!("The name of recipe {number} is not a text."))),
    }
}

/// A draft with a value at a path.
fn varied(mut draft: Draft, path: &str, mut value: Value, number: usize) -> Result<Draft> {
    if let Value::Object(fields) = &mut value {
        let name = take_name(fields, number)?;
        if !draft.name.is_empty() && !name.is_empty() {
            draft.name.push(' ');
        }
        draft.name.push_str(&name);
    }
    let mut place = &mut draft.fields;
    for step in path.split('.').filter(|_| path != WHOLE) {
        let Value::Object(fields) = place else {
            return Err(Error::recipe(format!("vary.{path} leads through a field of the recipe that is no object; check its dots.")));
        };
        place = fields.entry(step).or_insert_with(|| Value::Object(Map::new()));
    }
    merge(place, value);
    Ok(draft)
}

/// Objects are merged field by field; anything else is replaced.
fn merge(place: &mut Value, value: Value) {
    match (place, value) {
        (Value::Object(fields), Value::Object(new)) => {
            for (name, value) in new {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (place, value) => *place = value,
    }
}

/// A template with what its braces name in a recipe, defaults included.
fn filled(template: &str, draft: &Draft, recipe: &Recipe) -> Result<String> {
    let read = serde_json::to_value(recipe).map_err(|error| Error::internal(format_args!("writing JSON: {error}")))?;
    let mut parts = template.split('{');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((path, rest)) = part.split_once('}') else {
            return Err(Error::recipe(format!("The name \"{template}\" has a brace that is not closed.")));
        };
        if path == "name" {
            name.push_str(&draft.name);
        } else {
            let pointer = format!("/{}", path.replace('.', "/"));
            // Options that are left at their defaults are not written, but may have been given.
            match read.pointer(&pointer).or_else(|| draft.fields.pointer(&pointer)) {
                Some(Value::String(text)) => name.push_str(text),
                Some(value) => name.push_str(&value.to_string()),
                None => return Err(Error::recipe(format!("The name \"{template}\" names {path}, which a recipe does not have."))),
            }
        }
        name.push_str(rest);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Method;

    const METHOD: &str = r#"{"kind": "structured", "ratio": 0.5}"#;

    fn ratios(named: &[Named]) -> Vec<(f64, u64)> {
        named.iter().map(|named| (named.recipe.method.ratio().unwrap(), named.recipe.calibration.seed)).collect()
    }

    fn names(text: &str) -> Vec<String> {
        recipes(text).unwrap().into_iter().map(|named| named.name).collect()
    }

    fn message(text: &str) -> String {
        recipes(text).unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_itself() {
        let text = format!(r#"[{{"version": 1, "method": {METHOD}, "name": "half"}}, {{"version": 1, "method": {METHOD}}}]"#);
        let found = recipes(&text).unwrap();
        assert_eq!(found[0].recipe, Recipe::parse(&format!(r#"{{"version": 1, "method": {METHOD}}}"#)).unwrap());
        assert_eq!(names(&text), ["half", "2"]);
    }

    #[test]
    fn a_product_has_every_combination_the_first_path_slowest() {
        let text = format!(
            r#"{{"base": {{"version": 1, "method": {METHOD}}}, "vary": {{"method.ratio": [0.2, 0.4], "calibration.seed": [0, 1, 2]}}}}"#
        );
        assert_eq!(ratios(&recipes(&text).unwrap()), [(0.2, 0), (0.2, 1), (0.2, 2), (0.4, 0), (0.4, 1), (0.4, 2)]);
        let twice = recipes(&format!("[{text}, {text}]")).unwrap();
        assert_eq!((twice.len(), twice[11].name.as_str()), (12, "12"));
    }

    #[test]
    fn objects_are_merged_and_name_what_they_make() {
        let of = |template: &str| {
            format!(
                r#"{{"base": {{"name": "base", "version": 1, "method": {{"kind": "structured", "criterion": "magnitude", "ridge": 0.5}}}},
                    "vary": {{"recipe": [{{"name": "liar", "method": {{"reconstruction": "liar"}}}},
                                         {{"name": "bare", "method": {{"criterion": "flap", "reconstruction": "mask_tuning"}}, "output": {{"kind": "sliced"}}}}],
                             "method.ratio": [0.2, 0.4]}}{template}}}"#
            )
        };
        let found = recipes(&of("")).unwrap();
        let method = |index: usize| match &found[index].recipe.method {
            Method::Structured(method) => (method.criterion.as_str(), method.repair.reconstruction.as_str(), method.repair.ridge),
            _ => panic!("not structured"),
        };
        let half = crate::reconstruct::Ridge::Fixed(0.5);
        assert_eq!((method(0), method(2)), (("magnitude", "liar", half), ("flap", "mask_tuning", half)));
        assert_ne!(found[0].recipe.output, found[2].recipe.output);
        assert_eq!(names(&of("")), ["base liar", "base liar", "base bare", "base bare"]);
        // Where a field is not given, its default.
        let named = names(&of(r#", "name": "{name}, {method.ratio} of {method.kind}, {method.allocation}, {calibration.seed}""#));
        assert_eq!(named[3], "base bare, 0.4 of structured, uniform, 0");
    }

    #[test]
    fn what_is_wrong_is_numbered_and_named() {
        let list = |second: &str| message(&format!(r#"[{{"version": 1, "method": {METHOD}}}, {second}]"#));
        let says = |message: String, words: &[&str]| {
            assert!(words.iter().all(|word| message.contains(word)) && message.ends_with('.'), "no {words:?} in {message}");
        };
        says(list(r#"{"version": 1, "method": {"kind": "structured", "ratoi": 1}}"#), &["Recipe 2 (2)", "ratoi"]);
        says(list(r#"{"name": "odd", "version": 1, "method": {"kind": "structured", "criterion": "luck"}}"#), &["Recipe 2 (odd)", "luck"]);
        says(list("7"), &["Recipe 2", "object"]);
        says(list(r#"{"name": 7}"#), &["name", "recipe 2", "text"]);
        says(message("[]"), &["no recipe"]);
        says(message("{}"), &["array", "vary"]);
        says(message("nonsense"), &["JSON"]);
        let product = |rest: &str| message(&format!(r#"{{"base": {{"version": 1, "method": {METHOD}}}, {rest}}}"#));
        says(product(r#""vary": {"method.ratio": [0.1, 2]}"#), &["Recipe 2", "method.ratio is 2"]);
        says(product(r#""vary": {"method.ratio": 0.1}"#), &["vary.method.ratio", "list"]);
        says(product(r#""vary": {"version.ratio": [0.1]}"#), &["vary.version.ratio", "no object"]);
        says(product(r#""vary": {"method.ratio": []}"#), &["no recipe"]);
        says(product(r#""vary": {}, "varry": {}"#), &["varry"]);
        says(product(r#""vary": []"#), &["vary", "base"]);
        says(product(r#""vary": {}, "name": "{name""#), &["{name", "closed"]);
        says(product(r#""vary": {}, "name": "{method.mood}""#), &["method.mood"]);
    }
}
