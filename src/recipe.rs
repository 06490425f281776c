//! What to do, as data: a versioned JSON document, composed of the options that the rooms own.

mod low_rank;
mod recommended;
mod sparse;

pub use low_rank::{LowRank, Sensitivity};
pub use recommended::{Recommended, recommended};
pub use sparse::{Order, Sparse};

use crate::allocate::{Allocation, AllocationOptions, Budget, allocation};
use crate::base::{Error, Result};
use crate::calibrate::Needs;
use crate::export::OutputOptions;
use crate::model::{Structure, Unit};
use crate::reconstruct::{REPAIRS, Repair, Ridge, repair};
use crate::score::{Criterion, ScoreOptions, criterion};
use crate::text::CalibrationOptions;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A recipe that was read and makes sense.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Version of the format: 1.
    pub version: u32,
    /// Which text the statistics are taken over.
    pub calibration: CalibrationOptions,
    /// What is removed and how the rest is repaired.
    pub method: Method,
    /// What is written.
    pub output: OutputOptions,
    /// On what the model is compared before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationOptions>,
}

/// What is removed and how the rest is repaired.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Method {
    /// Whole units, chosen by scores.
    Structured(Structured),
    /// Single weights, which become zero.
    Sparse(Sparse),
    /// Weights as products of narrow matrices.
    LowRank(LowRank),
    /// Whole units, as a plan lists them.
    Plan(Planned),
}

/// Structured pruning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Structured {
    /// What may be removed.
    pub units: Vec<Structure>,
    /// Name of the criterion.
    pub criterion: String,
    /// Name of the allocation.
    pub allocation: String,
    /// Share of the allocation's budget to remove.
    pub ratio: f64,
    /// Options of the allocation.
    #[serde(flatten, skip_deserializing)]
    pub sharing: AllocationOptions,
    /// Options of the criterion.
    #[serde(flatten, skip_deserializing)]
    pub options: ScoreOptions,
    /// How the rest is repaired.
    #[serde(flatten, skip_deserializing)]
    pub repair: RepairRecipe,
}

impl Default for Structured {
    fn default() -> Self {
        Self {
            units: Unit::ALL.map(Structure::from).to_vec(),
            criterion: "flap".to_owned(),
            allocation: "uniform".to_owned(),
            ratio: 0.5,
            sharing: AllocationOptions::default(),
            options: ScoreOptions::default(),
            repair: RepairRecipe::default(),
        }
    }
}

/// A given plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// Path of plan.json relative to the recipe, or the plan itself.
    pub plan: Value,
    /// How the rest is repaired.
    #[serde(flatten, skip_deserializing)]
    pub repair: RepairRecipe,
}

/// How the kept weights are repaired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepairRecipe {
    /// Name of the repair.
    pub reconstruction: String,
    /// Damping, as a multiple of the mean variance of the kept inputs, or `auto`: the best on held-out tokens.
    pub ridge: Ridge,
    /// Whether a bias takes part; without it nothing is centred.
    pub affine: bool,
    /// Whether the repair of a layer sees the inputs that the pruned layers below it really give.
    pub error_aware: bool,
    /// What an error-aware repair aims at.
    pub target: Target,
}

/// What an error-aware repair aims at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The residual stream of the dense model: its outputs, and what the stream has drifted so far.
    #[default]
    Residual,
    /// The outputs of the dense model alone (Greedy Output Approximation, 2025; OSSCAR, 2024).
    Output,
}

impl RepairRecipe {
    const NAMES: &[&str] = &["reconstruction", "ridge", "affine", "error_aware", "target"];

    /// The repair.
    pub fn repair(&self) -> Result<&'static dyn Repair> {
        repair(&self.reconstruction)
    }
}

impl Default for RepairRecipe {
    fn default() -> Self {
        Self { reconstruction: "liar".to_owned(), ridge: Ridge::Fixed(0.01), affine: true, error_aware: false, target: Target::default() }
    }
}

/// What the model is compared on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationOptions {
    /// Path of the labelled data, relative to the recipe; the page is handed the data itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Most examples to use; tokens, for a decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Tokens in a window, for a decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
}

impl Recipe {
    /// Reads a recipe and checks everything that can be checked without a model.
    ///
    /// # Errors
    /// The message names the field.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| Error::recipe(format!("The recipe is not valid JSON ({error}).")))?;
        Self::from_value(value)
    }

    /// As [`Recipe::parse`], from a JSON value.
    pub fn from_value(value: Value) -> Result<Self> {
        let Value::Object(mut fields) = value else {
            return Err(Error::recipe("The recipe is not a JSON object; see the README for an example."));
        };
        match fields.remove("version") {
            Some(version) if version == json!(1) => {}
            Some(version) => return Err(Error::recipe(format!("The recipe says version {version}; this Coppice reads version 1."))),
            None => return Err(Error::recipe("The recipe has no version; write \"version\": 1.")),
        }
        let calibration = section(fields.remove("calibration"), "calibration")?;
        let output = section(fields.remove("output"), "output")?;
        let evaluation = fields.remove("evaluation").map(|value| section(Some(value), "evaluation")).transpose()?;
        let method = Method::from_value(fields.remove("method"))?;
        if let Some(name) = fields.keys().next() {
            return Err(Error::recipe(format!(
                "The recipe has an unknown field \"{name}\"; the fields are version, calibration, method, output and evaluation."
            )));
        }
        let recipe = Self { version: 1, calibration, method, output, evaluation };
        recipe.method.check()?;
        Ok(recipe)
    }
}

impl Method {
    fn from_value(value: Option<Value>) -> Result<Self> {
        let Some(Value::Object(mut fields)) = value else {
            return Err(Error::recipe(
                "The recipe has no \"method\" object; write for example {\"kind\": \"structured\", \"ratio\": 0.5}.",
            ));
        };
        let kind = fields.remove("kind");
        match kind.as_ref().and_then(Value::as_str) {
            Some("structured") => {
                let names = [Structured::NAMES, AllocationOptions::NAMES, ScoreOptions::NAMES, RepairRecipe::NAMES];
                known(&fields, "structured", &names)?;
                let repair = taken(&mut fields, RepairRecipe::NAMES)?;
                let options = taken(&mut fields, ScoreOptions::NAMES)?;
                let sharing = taken(&mut fields, AllocationOptions::NAMES)?;
                Ok(Self::Structured(Structured { repair, options, sharing, ..read(Value::Object(fields), "method")? }))
            }
            Some("sparse") => Ok(Self::Sparse(read(Value::Object(fields), "method")?)),
            Some("low_rank") => Ok(Self::LowRank(read(Value::Object(fields), "method")?)),
            Some("plan") => {
                known(&fields, "plan", &[&["plan"], RepairRecipe::NAMES])?;
                let repair = taken(&mut fields, RepairRecipe::NAMES)?;
                Ok(Self::Plan(Planned { repair, ..read(Value::Object(fields), "method")? }))
            }
            _ => {
                let given = kind.map_or("missing".to_owned(), |kind| kind.to_string());
                Err(Error::recipe(format!("method.kind is {given}; choose structured, sparse, low_rank or plan.")))
            }
        }
    }

    fn check(&self) -> Result<()> {
        let repair_recipe = match self {
            Self::Sparse(sparse) => return sparse.check(),
            Self::LowRank(low_rank) => return low_rank.check(),
            Self::Structured(Structured { repair, .. }) | Self::Plan(Planned { repair, .. }) => repair,
        };
        let repair = repair_recipe.repair()?;
        if repair_recipe.error_aware && !repair.needs().gram {
            return Err(Error::recipe(format!(
                "method.error_aware works with the reconstructions liar and mask_tuning; with \"{}\" write false.",
                repair.name()
            )));
        }
        // Where the residual stream gets narrower, repairs go along the pruned model anyway.
        if repair_recipe.target != Target::default() && !(repair_recipe.error_aware || self.may_narrow() && repair.needs().any()) {
            return Err(Error::recipe(
                "method.target is for repairs along the pruned model; set method.error_aware to true, or leave the target out.",
            ));
        }
        if repair_recipe.ridge != RepairRecipe::default().ridge && !repair.options().contains(&"ridge") {
            return Err(without_effect("ridge", repair));
        }
        if repair.shifts_only() && !repair_recipe.affine {
            return Err(Error::recipe(
                "method.affine is false, but the reconstruction bias is nothing but a bias; choose another, or leave affine out.",
            ));
        }
        if !repair_recipe.affine && !repair.options().contains(&"affine") && !self.scores_by_bias()? {
            return Err(without_effect("affine", repair));
        }
        let Self::Structured(structured) = self else { return Ok(()) };
        structured.check_used()?;
        structured.options.check(criterion(&structured.criterion)?)?;
        structured.sharing.check(allocation(&structured.allocation)?)?;
        if !(0.0..1.0).contains(&structured.ratio) {
            return Err(Error::recipe(format!("method.ratio is {}; it must be at least 0 and below 1.", structured.ratio)));
        }
        let mut units = structured.units.clone();
        units.sort_unstable();
        units.dedup();
        if units.is_empty() || units.len() != structured.units.len() {
            let names = Structure::ALL.map(Structure::name).join(", ");
            return Err(Error::recipe(format!("method.units must list at least one of {names}, each once.")));
        }
        if allocation(&structured.allocation)?.runs_model() && (units.contains(&Structure::Layers) || units.contains(&Structure::Hidden)) {
            return Err(Error::recipe(format!(
                "method.allocation \"{}\" runs the model with all of its layers and channels, so method.units cannot list layers or hidden; \
                 remove those by a recipe of their own, or choose another allocation.",
                structured.allocation
            )));
        }
        if units.contains(&Structure::Layers) && units.contains(&Structure::Hidden) {
            return Err(Error::recipe(
                "method.units lists layers and hidden, which one ratio cannot share out; remove one of them, then the other from the result.",
            ));
        }
        Ok(())
    }

    /// Whether channels of the residual stream may go, as far as it can be told without a model.
    fn may_narrow(&self) -> bool {
        match self {
            Self::Structured(structured) => structured.removes(Structure::Hidden),
            // A path names what is not read yet.
            Self::Plan(planned) => planned.plan.is_string() || planned.plan.get("hidden").is_some(),
            Self::Sparse(_) | Self::LowRank(_) => false,
        }
    }

    /// Whether it makes a difference to what is removed that a bias can take up means.
    fn scores_by_bias(&self) -> Result<bool> {
        let Self::Structured(structured) = self else { return Ok(false) };
        let inside = !structured.inside().is_empty();
        let by_scores = inside && (structured.criterion()?.by_bias() || structured.allocation()?.by_bias());
        Ok(by_scores || structured.removes(Structure::Hidden))
    }

    /// How the consumers of removed units are repaired, where whole units go.
    pub fn repair_recipe(&self) -> Option<&RepairRecipe> {
        match self {
            Self::Structured(structured) => Some(&structured.repair),
            Self::Plan(planned) => Some(&planned.repair),
            Self::Sparse(_) | Self::LowRank(_) => None,
        }
    }

    /// The share that is to be removed, where the recipe says one.
    pub fn ratio(&self) -> Option<f64> {
        match self {
            Self::Structured(structured) => Some(structured.ratio),
            Self::Sparse(sparse) => Some(sparse.ratio),
            Self::LowRank(low_rank) => Some(low_rank.ratio),
            Self::Plan(_) => None,
        }
    }
}

impl Structured {
    /// Fields that are not options of another room.
    const NAMES: &[&str] = &["units", "criterion", "allocation", "ratio"];

    /// Refuses what only heads and neurons would heed, where none may go.
    fn check_used(&self) -> Result<()> {
        if self.units.is_empty() || !self.inside().is_empty() {
            return Ok(());
        }
        let other = self.allocation()?.name() != Self::default().allocation;
        let floor = self.sharing != AllocationOptions::default();
        let given = [("allocation", other), ("floor", floor)].into_iter().chain(self.options.given());
        let Some((name, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
        let units: Vec<&str> = self.units.iter().map(|structure| structure.name()).collect();
        Err(Error::recipe(format!(
            "method.{name} is for heads and neurons, but method.units lists {} alone; leave {name} out, or add units.",
            units.join(" and ")
        )))
    }

    /// The units inside of layers that may be removed.
    pub fn inside(&self) -> Vec<Unit> {
        self.units.iter().filter_map(|structure| structure.unit()).collect()
    }

    /// Whether this may be removed.
    pub fn removes(&self, structure: Structure) -> bool {
        self.units.contains(&structure)
    }

    /// The criterion.
    pub fn criterion(&self) -> Result<&'static dyn Criterion> {
        criterion(&self.criterion)
    }

    /// What the ratio is a share of.
    pub fn budget(&self) -> Result<Budget> {
        Ok(if self.inside().is_empty() { Budget::Linear } else { self.allocation()?.budget() })
    }

    /// The allocation.
    pub fn allocation(&self) -> Result<&'static dyn Allocation> {
        allocation(&self.allocation)
    }
}

/// What calibration must collect before the first repair: those that go along the pruned model collect their own.
pub fn needs(method: &Method, along: bool) -> Result<Needs> {
    let repair = match method.repair_recipe().filter(|_| !along) {
        Some(recipe) => recipe.repair()?.needs(),
        None => Needs::default(),
    };
    if let Method::LowRank(_) = method {
        return Ok(Needs { statistics: true, gram: true, reader_grams: true, ..Needs::default() });
    }
    let Method::Structured(structured) = method else { return Ok(repair) };
    let (layers, readers) = (structured.removes(Structure::Layers), structured.removes(Structure::Hidden));
    let whole = Needs { statistics: layers || readers, readers, ..Needs::default() };
    Ok(match structured.inside().is_empty() {
        // Nothing is left to repair.
        true => whole,
        false => repair.union(whole).union(structured.criterion()?.needs()).union(structured.allocation()?.needs()),
    })
}

/// One object of the recipe; missing means defaults.
fn section<T: DeserializeOwned + Default>(value: Option<Value>, name: &str) -> Result<T> {
    match value {
        None => Ok(T::default()),
        Some(value) => read(value, name),
    }
}

fn read<T: DeserializeOwned>(value: Value, name: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => name.to_owned(),
            path => format!("{name}.{path}"),
        };
        Error::recipe(format!("The recipe's {path} is not right: {}.", error.inner()))
    })
}

/// Refuses a field that the kind of method does not have; the message lists those that it has.
fn known(fields: &Map<String, Value>, kind: &str, names: &[&[&str]]) -> Result<()> {
    let names = names.concat();
    match fields.keys().find(|field| !names.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => Err(Error::recipe(format!(
            "The recipe's method has an unknown field \"{field}\"; the fields of {kind} are kind, {}.",
            names.join(", ")
        ))),
    }
}

/// The sentence for an option that a repair does not take.
fn without_effect(option: &str, repair: &dyn Repair) -> Error {
    let takers: Vec<&str> = REPAIRS.iter().filter(|one| one.options().contains(&option)).map(|one| one.name()).collect();
    Error::recipe(format!(
        "method.{option} works with the reconstructions {}; leave it out with \"{}\".",
        takers.join(" and "),
        repair.name()
    ))
}

/// Some of a method's fields, taken out: serde cannot both flatten and refuse unknown fields.
fn taken<T: DeserializeOwned>(fields: &mut Map<String, Value>, names: &[&str]) -> Result<T> {
    let taken = names.iter().filter_map(|&name| Some((name.to_owned(), fields.remove(name)?))).collect();
    read(Value::Object(taken), "method")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Recipe::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn defaults_and_round_trip() {
        let recipe = Recipe::parse(r#"{"version": 1, "method": {"kind": "structured", "ratio": 0.3, "error_aware": true}}"#).unwrap();
        let Method::Structured(structured) = &recipe.method else { panic!("not structured") };
        assert_eq!((structured.ratio, structured.criterion.as_str(), structured.repair.error_aware), (0.3, "flap", true));
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(Recipe::parse(&text).unwrap(), recipe);
    }

    #[test]
    fn errors_name_the_field() {
        let with = |method: &str| message(&format!(r#"{{"version": 1, "method": {{"kind": "structured", {method}}}}}"#));
        let message_of_typo = with(r#""ratoi": 0.5"#);
        assert!(
            ["\"ratoi\"", "ratio", "floor", "swaps", "error_aware"].iter().all(|name| message_of_typo.contains(name)),
            "{message_of_typo}"
        );
        assert!(
            message(r#"{"version": 1, "method": {"kind": "plan", "plan": "p", "rige": 1}}"#).contains("kind, plan, reconstruction, ridge")
        );
        assert!(with(r#""ratio": "half""#).contains("method.ratio"));
        assert!(with(r#""ratio": 1.0"#).contains("method.ratio is 1"));
        assert!(with(r#""ratio": -0.1"#).contains("method.ratio"));
        assert!(with(r#""criterion": "best""#).contains("choose one of"));
        assert!(with(r#""allocation": "fair""#).contains("choose one of uniform"));
        assert!(with(r#""allocation": "sensitivity", "units": ["neurons", "layers"]"#).contains("cannot list layers"));
        assert!(with(r#""floor": 0.2"#).contains("method.floor works with"));
        assert!(with(r#""allocation": "global", "floor": 2"#).contains("method.floor is 2"));
        assert!(with(r#""units": ["head"]"#).contains("method.units"));
        assert!(with(r#""units": []"#).contains("method.units"));
        assert!(with(r#""units": ["layers", "layers"]"#).contains("heads, neurons, layers, hidden"));
        assert!(with(r#""units": ["layers", "hidden"]"#).contains("the other"));
        assert!(with(r#""ridge": -1"#).contains("method.ridge"));
        assert!(with(r#""reconstruction": "bias", "error_aware": true"#).contains("error_aware"));
        assert!(with(r#""ridge": 1e7"#).contains("at most 1000000"));
        assert!(message(r#"{"version": 2}"#).contains("version 2"));
        assert!(message(r#"{"version": 1}"#).contains("method"));
        assert!(message(r#"{"version": 1, "method": {"kind": "x"}}"#).contains("method.kind"));
        assert!(message(r#"{"version": 1, "method": {"kind": "plan", "plan": "p"}, "extra": 1}"#).contains("extra"));
        assert!(message(r#"{"version": 1, "calibration": {"sequence": 3}, "method": {"kind": "plan", "plan": "p"}}"#).contains("sequence"));
        assert!(message("nonsense").contains("JSON"));
    }

    fn given(method: &str) -> Result<Recipe> {
        Recipe::parse(&format!(r#"{{"version": 1, "method": {{{method}}}}}"#))
    }

    #[test]
    fn options_that_nothing_heeds_are_refused() {
        for (method, words) in [
            (r#""kind": "structured", "reconstruction": "none", "ridge": 0.5"#, ["method.ridge", "mask_tuning and liar", "\"none\""]),
            (r#""kind": "plan", "plan": "p", "reconstruction": "bias", "ridge": "auto""#, ["method.ridge", "liar", "\"bias\""]),
            (r#""kind": "structured", "reconstruction": "none", "affine": false"#, ["method.affine", "liar", "\"none\""]),
            (r#""kind": "structured", "target": "output""#, ["method.target", "error_aware", "leave"]),
            (r#""kind": "structured", "units": ["layers"], "allocation": "global""#, ["method.allocation", "layers alone", "leave"]),
            (
                r#""kind": "structured", "units": ["hidden"], "allocation": "global", "floor": 0.1"#,
                ["method.allocation", "hidden alone", "."],
            ),
            (r#""kind": "structured", "units": ["layers"], "floor": 0.1"#, ["method.floor", "layers alone", "leave floor out"]),
            (r#""kind": "structured", "units": ["layers"], "criterion": "osscar", "swaps": 3"#, ["method.swaps", "layers alone", "."]),
        ] {
            let message = given(method).unwrap_err().to_string();
            assert!(words.iter().all(|word| message.contains(word)) && message.ends_with('.'), "{method}: {message}");
        }
        for method in [
            // Defaults are no request.
            r#""kind": "structured", "reconstruction": "none", "ridge": 0.01, "affine": true, "target": "residual""#,
            r#""kind": "structured", "criterion": "obs", "reconstruction": "none", "affine": false"#,
            r#""kind": "structured", "allocation": "sensitivity", "reconstruction": "none", "affine": false"#,
            r#""kind": "structured", "units": ["hidden"], "reconstruction": "none", "affine": false"#,
            r#""kind": "structured", "units": ["hidden", "neurons"], "target": "output""#,
            r#""kind": "plan", "plan": {"version": 1, "hidden": [0], "layers": []}, "target": "output""#,
            r#""kind": "structured", "units": ["layers"], "criterion": "osscar", "reconstruction": "liar""#,
        ] {
            given(method).unwrap();
        }
    }

    #[test]
    fn the_recipes_of_the_tables_are_legal() {
        assert_eq!(crate::job::recipes(include_str!("../benches/recipes.json")).unwrap().len(), 17 * 5 * 3);
    }
}
