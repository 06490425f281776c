//! The model card, README.md.

use super::assemble::READER;
use super::loader::MODULE;
use super::widths::{OutputSize, Written};
use super::{OutputKind, OutputOptions};
use crate::allocate::Plan;
use crate::model::{Architecture, Unit};
use std::fmt::Write;

/// What the model card tells; whatever is empty or missing is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Card {
    /// Name of the input model, for the title.
    pub model: String,
    /// What was done, as one sentence or a few, such as the criterion, the allocation and the repair.
    pub method: String,
    /// Share that was to be removed, 0 to 1; missing where a plan was given.
    pub ratio_asked: Option<f64>,
    /// Of what, such as "the blocks' floating-point operations"; empty where it is missing.
    pub ratio_of: &'static str,
    /// Share of the blocks' linear parameters that was removed, 0 to 1.
    pub ratio_realised: f64,
    /// Parameters of the input; counted from its tensors where missing.
    pub parameters_before: Option<u64>,
    /// Parameters of the output; counted from its tensors where missing.
    pub parameters_after: Option<u64>,
    /// Bytes of the input's tensors; counted where missing.
    pub bytes_before: Option<u64>,
    /// Bytes of the output's tensors; counted where missing.
    pub bytes_after: Option<u64>,
    /// What the calibration used, such as "512 sequences of at most 64 tokens from calibration.txt".
    pub calibration: String,
    /// What was measured before and after, such as "accuracy" or "perplexity"; empty is "accuracy".
    pub metric: String,
    /// Which data it was measured on, such as "872 examples of dev.tsv".
    pub evaluation: String,
    /// The metric of the input, in its own unit (accuracy: 0 to 1).
    pub before: Option<f64>,
    /// The metric of the output, in its own unit.
    pub after: Option<f64>,
    /// What computed, such as an adapter's name.
    pub device: String,
    /// Seconds that the run took.
    pub seconds: Option<f64>,
}

/// What the card knows from the output itself.
pub(super) struct Facts<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) options: &'a OutputOptions,
    pub(super) plan: &'a Plan,
    /// Widths that are written, padding included.
    pub(super) written: &'a Written,
    /// JSON text of the recipe.
    pub(super) recipe: &'a str,
    pub(super) before: OutputSize,
    pub(super) after: OutputSize,
    /// Whether sentence-transformers' list of modules was copied.
    pub(super) modules: bool,
    /// Whether factored layers have single weights beside their products.
    pub(super) singles: bool,
}

/// The text of README.md.
pub(super) fn text(card: &Card, facts: &Facts<'_>) -> String {
    let mut out = front_matter(facts);
    let family = facts.architecture.family;
    let title = if card.model.is_empty() { facts.architecture.class.as_str() } else { card.model.as_str() };
    line(&mut out, &format!("# {title}, pruned by Coppice\n"));
    let removed = match card.ratio_realised {
        0.0 => "nothing was removed".to_owned(),
        ratio => format!("{} of the parameters of the blocks' linear layers were removed", percent(ratio)),
    };
    line(&mut out, &format!("This is a {family} model from which {removed}.\n"));
    loading(&mut out, facts);
    use_of(&mut out, facts);
    made(&mut out, card, facts);
    numbers(&mut out, card, facts);
    layers(&mut out, facts);
    out
}

fn front_matter(facts: &Facts<'_>) -> String {
    let mut out = String::from("---\nlibrary_name: transformers\n");
    if let Some(task) = task(&facts.architecture.class) {
        line(&mut out, &format!("pipeline_tag: {task}"));
    }
    for tag in ["tags:", "- coppice", "- pruning"] {
        line(&mut out, tag);
    }
    line(&mut out, &format!("- {}", facts.architecture.family));
    if custom_code(facts) {
        line(&mut out, "- custom_code");
    }
    out.push_str("---\n\n");
    out
}

/// Task names of model hubs, by the end of the class name.
fn task(class: &str) -> Option<&'static str> {
    const TASKS: &[(&str, &str)] = &[
        ("ForSequenceClassification", "text-classification"),
        ("ForTokenClassification", "token-classification"),
        ("ForQuestionAnswering", "question-answering"),
        ("ForMaskedLM", "fill-mask"),
        ("ForCausalLM", "text-generation"),
        ("LMHeadModel", "text-generation"),
        ("Model", "feature-extraction"),
    ];
    TASKS.iter().find(|(end, _)| class.ends_with(end)).map(|(_, task)| *task)
}

/// Transformers' automatic class for a class of a family.
fn auto_class(class: &str) -> String {
    if class.ends_with("LMHeadModel") {
        return "AutoModelForCausalLM".to_owned();
    }
    match class.split_once("For") {
        Some((_, task)) if !task.is_empty() && task.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!("AutoModelFor{task}"),
        _ => "AutoModel".to_owned(),
    }
}

fn loading(out: &mut String, facts: &Facts<'_>) {
    let class = auto_class(&facts.architecture.class);
    let packed = facts.options.kind == OutputKind::Packed;
    let extra = if custom_code(facts) { ", trust_remote_code=True" } else { "" };
    line(out, "## Loading\n");
    if packed {
        line(
            out,
            &format!(
                "The weights are packed, which stock Transformers does not read. `python {READER} path/to/this/folder unpacked` writes an \
                 ordinary folder, as large as the original; `{READER}` says what the format is, and reads it as a library too. Coppice opens \
                 this folder as it is.\n"
            ),
        );
    } else if custom_code(facts) {
        let (what, without) = match facts.options.kind {
            OutputKind::Factored => ("Its layers are products of two matrices", "the factored layers are filled with random numbers"),
            _ => ("Its layers differ in width", "loading fails because the shapes do not match"),
        };
        line(
            out,
            &format!(
                "**This model needs `trust_remote_code=True`.** {what}, which a stock config cannot say, so \
                 Transformers has to run the Python file `{MODULE}.py` of this folder. Read that file before you allow it: whoever \
                 gave you this folder could have changed it. Without the flag, {without}.\n"
            ),
        );
    } else {
        line(out, "Stock Transformers loads this folder with no extra code.\n");
    }
    let folder = if packed { "unpacked" } else { "path/to/this/folder" };
    line(
        out,
        &format!(
            "```python\nfrom transformers import {class}, AutoTokenizer\n\nmodel = {class}.from_pretrained(\"{folder}\"{extra})\n\
             tokenizer = AutoTokenizer.from_pretrained(\"{folder}\")\n```\n"
        ),
    );
    if facts.modules {
        line(
            out,
            "For sentence-transformers, copy the subfolders that `modules.json` names (such as `1_Pooling`) from the original model \
             into this folder.\n",
        );
    }
}

/// What the output is good for, where that is not plain from its size.
fn use_of(out: &mut String, facts: &Facts<'_>) {
    let sentence = match facts.options.kind {
        OutputKind::Masked => {
            "Its weights have the shapes of the original, with zeros: it is as large and as fast as that, but for software that makes use of zeros, \
             such as kernels for 2:4 sparsity where the pattern is 2:4. Output kind `packed` would make the file smaller."
        }
        OutputKind::Packed => {
            "The file is smaller; the model is unpacked to be run, and then as large and as fast as the original, in a browser on WebGPU too."
        }
        OutputKind::Dense => {
            "Its weights have the shapes of the original, multiplied out: it is as large and as fast as that. Output kind `factored` would make \
             it smaller and, where ranks are low, faster."
        }
        OutputKind::Factored => {
            "A layer of rank r does r (inputs + outputs) multiplications a token in place of inputs times outputs: it is smaller wherever it is \
             factored, and faster where r is well below inputs times outputs / (inputs + outputs), since two products have their own overhead."
        }
        OutputKind::Stock | OutputKind::Sliced => return,
    };
    let sentence = match (facts.options.kind, facts.singles) {
        (OutputKind::Factored, true) => {
            "Each factored layer has single weights beside its product, which are packed in the file and unpacked to a whole matrix to be run: \
             the file is smaller, but the model is no faster than the original, and in memory it is larger."
        }
        _ => sentence,
    };
    line(out, &format!("## Size and speed\n\n{sentence}\n"));
}

/// Whether Transformers needs the loader that comes along.
fn custom_code(facts: &Facts<'_>) -> bool {
    matches!(facts.options.kind, OutputKind::Sliced | OutputKind::Factored)
}

fn made(out: &mut String, card: &Card, facts: &Facts<'_>) {
    line(out, "## How it was made\n");
    let asked = match (card.ratio_asked, card.ratio_of) {
        (Some(ratio), "") => percent(ratio),
        (Some(ratio), of) => format!("{} of {of}", percent(ratio)),
        (None, _) => String::new(),
    };
    let seconds = card.seconds.map(|seconds| format!("{seconds:.1} s")).unwrap_or_default();
    let dtype = facts.options.dtype.fixed().map(|dtype| format!("all weights are {}", dtype.name())).unwrap_or_default();
    let rows = [
        ("Method", &card.method),
        ("Ratio asked for", &asked),
        ("Calibration", &card.calibration),
        ("Element type", &dtype),
        ("Device", &card.device),
        ("Time", &seconds),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        line(out, &format!("- {name}: {value}"));
    }
    line(out, "- `plan.json` lists the units that were kept, and `report.json` has all figures.");
    line(out, "- `recipe.json`, which makes this model again from the original one:\n");
    line(out, &format!("```json\n{}\n```\n", facts.recipe.trim()));
}

fn numbers(out: &mut String, card: &Card, facts: &Facts<'_>) {
    line(out, "## Numbers\n\n| | before | after |\n| --- | ---: | ---: |");
    let mut row = |name: &str, before: String, after: String| line(out, &format!("| {name} | {before} | {after} |"));
    row(
        "parameters",
        thousands(card.parameters_before.unwrap_or(facts.before.parameters)),
        thousands(card.parameters_after.unwrap_or(facts.after.parameters)),
    );
    row(
        "bytes of weights",
        thousands(card.bytes_before.unwrap_or(facts.before.bytes)),
        thousands(card.bytes_after.unwrap_or(facts.after.bytes)),
    );
    if card.before.is_some() || card.after.is_some() {
        let metric = if card.metric.is_empty() { "accuracy" } else { card.metric.as_str() };
        let shown = |value: Option<f64>| match value {
            Some(value) if metric == "accuracy" => percent(value),
            Some(value) => format!("{value:.4}"),
            None => "not measured".to_owned(),
        };
        let name = if card.evaluation.is_empty() { metric.to_owned() } else { format!("{metric} ({})", card.evaluation) };
        row(&name, shown(card.before), shown(card.after));
    }
    line(out, "");
    let mut layers = facts.written.layers.iter().zip(&facts.plan.layers).filter_map(|(written, kept)| Some(((*written)?, kept)));
    if layers.any(|(written, kept)| written.heads != kept.heads.len() || written.neurons != kept.neurons.len()) {
        line(out, "Some removed units are still there as zeros, so that a stock config fits; they count among the parameters and bytes.\n");
    }
}

fn layers(out: &mut String, facts: &Facts<'_>) {
    if facts.written.hidden < facts.architecture.hidden {
        let (kept, all) = (facts.written.hidden, facts.architecture.hidden);
        line(out, &format!("## Kept channels\n\n{kept} of {all} channels of the residual stream, in all layers.\n"));
    }
    line(out, "## Kept units\n\n| layer | heads | neurons |\n| ---: | ---: | ---: |");
    for (index, (kept, layer)) in facts.plan.layers.iter().zip(&facts.architecture.layers).enumerate() {
        let (heads, neurons) = (layer.units(Unit::Heads), layer.neurons);
        let row = match kept.is_removed() {
            true => format!("| {index} | removed | removed |"),
            false => format!("| {index} | {} of {heads} | {} of {neurons} |", kept.heads.len(), kept.neurons.len()),
        };
        line(out, &row);
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A count with a comma every three digits.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_class() {
        assert_eq!(auto_class("BertForSequenceClassification"), "AutoModelForSequenceClassification");
        assert_eq!(auto_class("BertModel"), "AutoModel");
        assert_eq!(["GPT2LMHeadModel", "OPTForCausalLM"].map(auto_class), ["AutoModelForCausalLM"; 2]);
        assert_eq!(["GPT2LMHeadModel", "LlamaForCausalLM"].map(task), [Some("text-generation"); 2]);
        assert_eq!(auto_class("XFor\")\nimport os"), "AutoModel");
        assert_eq!((task("BertForMaskedLM"), task("BertModel"), task("?")), (Some("fill-mask"), Some("feature-extraction"), None));
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 12_345_678].map(thousands), ["0", "999", "1,000", "12,345,678"]);
    }
}
