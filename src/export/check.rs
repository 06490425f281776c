//! Refusing, before any work, what an output cannot say.

use super::widths::{full_heads, pads_heads};
use super::{OUTPUT_KINDS, OutputKind, OutputOptions, loader};
use crate::allocate::Plan;
use crate::base::{Error, Result};
use crate::checkpoint::Checkpoint;
use crate::model::{Architecture, Layer, Structure, Unit};

/// Refuses what the output kind cannot express. `structures` are those that a recipe wants to remove; none where it removes
/// nothing. `uneven` names the allocation where it gives layers widths of their own.
///
/// # Errors
/// A sentence that says what would work.
pub fn check_request(architecture: &Architecture, structures: &[Structure], uneven: Option<&str>, options: &OutputOptions) -> Result<()> {
    check_widths(options)?;
    check_options(architecture, options)?;
    let [heads, neurons, hidden] =
        [Structure::Heads, Structure::Neurons, Structure::Hidden].map(|structure| structures.contains(&structure));
    if hidden && options.pad {
        return Err(Error::recipe(PADDED_HIDDEN));
    }
    if options.kind != OutputKind::Stock {
        return Ok(());
    }
    if architecture.heads_fill_hidden() && heads != hidden && !options.pad {
        let family = architecture.family;
        return Err(Error::recipe(match hidden {
            true => format!(
                "In a stock {family} config heads fill the hidden channels, so that hidden goes only together with heads: add heads to \
                 method.units, or choose output kind \"sliced\"."
            ),
            false => format!(
                "A stock {family} config cannot say that a model has fewer heads, so output kind \"stock\" cannot remove them: remove neurons \
                 only, or hidden together with heads, or {OTHER_OUTPUT}."
            ),
        }));
    }
    if let Some(allocation) = uneven {
        check_even(architecture, [heads, neurons], allocation, options)?;
    }
    if options.pad {
        return Ok(());
    }
    if !neurons {
        let counts = architecture.layers.iter().map(|layer| layer.neurons);
        check_neurons(architecture, counts.enumerate(), "The model has")?;
    }
    if heads {
        return Ok(());
    }
    let counts = architecture.layers.iter().map(|layer| layer.units(Unit::Heads));
    check_heads(architecture, counts.enumerate(), "The model has")
}

/// Refuses, for methods that remove whole units, an output that keeps all shapes.
///
/// # Errors
/// The output kind is for another kind of method.
pub fn check_widths(options: &OutputOptions) -> Result<()> {
    check_kind(options, "units", "structured")
}

/// Refuses, for methods that write zeros, an output that cannot have them.
///
/// # Errors
/// The output kind is for another kind of method.
pub fn check_zeros(options: &OutputOptions) -> Result<()> {
    check_kind(options, "single weights", "sparse")
}

/// Refuses, for methods that lower ranks, an output that cannot have them.
///
/// # Errors
/// The output kind is for another kind of method.
pub fn check_ranks(options: &OutputOptions) -> Result<()> {
    check_kind(options, "ranks", "low_rank")
}

fn check_kind(options: &OutputOptions, removed: &str, method: &str) -> Result<()> {
    let names: Vec<&str> = OUTPUT_KINDS.iter().filter(|kind| kind.methods.contains(&method)).map(|kind| kind.name).collect();
    if !names.contains(&options.kind.name()) {
        return Err(Error::recipe(format!(
            "Output kind \"{}\" does not go with a method that removes {removed}; choose one of {}.",
            options.kind.name(),
            names.join(", ")
        )));
    }
    // Of these only removed units leave places to fill.
    if options.pad && method != "structured" {
        return Err(Error::recipe(format!(
            "\"pad\": true fills the places of removed units, and this method removes {removed}; leave pad out."
        )));
    }
    Ok(())
}

/// Refuses an allocation that gives layers widths of their own where a stock config has one for all of them.
fn check_even(architecture: &Architecture, [heads, neurons]: [bool; 2], allocation: &str, options: &OutputOptions) -> Result<()> {
    if heads && architecture.stock_units.contains(&Unit::Heads) {
        return Err(Error::recipe(format!(
            "The allocation \"{allocation}\" gives each layer a number of key/value heads of its own, and a stock config has one for all \
             layers: choose allocation \"uniform\", or output kind \"sliced\", or remove neurons only."
        )));
    }
    if neurons && !options.pad {
        return Err(Error::recipe(format!(
            "The allocation \"{allocation}\" gives each layer a number of neurons of its own, and a stock config has one {} for all layers: \
             choose allocation \"uniform\", or output kind \"sliced\", or set \"pad\": true to fill narrower layers with zeros.",
            architecture.width_fields.neurons
        )));
    }
    Ok(())
}

/// Refuses a concrete plan that the output kind cannot express.
///
/// # Errors
/// A sentence that names the layers and says what would work.
pub fn check_plan(architecture: &Architecture, plan: &Plan, options: &OutputOptions) -> Result<()> {
    check_options(architecture, options)?;
    if plan.layers.len() != architecture.layers.len() {
        return Err(Error::recipe(format!(
            "The plan has {} layers and the model {}; use a plan that was made for this model.",
            plan.layers.len(),
            architecture.layers.len()
        )));
    }
    let narrow = match plan.kept_hidden(architecture) {
        Some(kept) => {
            check_hidden(architecture, kept.len(), options)?;
            Some(architecture.narrowed(kept.len(), None))
        }
        None => None,
    };
    let architecture = narrow.as_ref().unwrap_or(architecture);
    if options.kind != OutputKind::Stock {
        return Ok(());
    }
    let stay = || plan.layers.iter().enumerate().filter(|(_, layer)| !layer.is_removed());
    if !pads_heads(architecture, options) {
        check_heads(architecture, stay().map(|(index, layer)| (index, layer.heads.len())), "The plan keeps")?;
    }
    if options.pad {
        return Ok(());
    }
    check_neurons(architecture, stay().map(|(index, layer)| (index, layer.neurons.len())), "The plan keeps")
}

/// Refuses, before any work, to make the residual stream narrower where a tensor may read it in a way that is not known.
///
/// # Errors
/// There is such a tensor; the message names it.
pub fn check_tensors(architecture: &Architecture, checkpoint: &Checkpoint) -> Result<()> {
    match architecture.obscure_tensor(checkpoint) {
        None => Ok(()),
        Some(name) => Err(Error::recipe(format!(
            "Hidden channels cannot go: Coppice does not know how tensor {name}, which no block has, reads them; remove heads, neurons or layers."
        ))),
    }
}

/// Refuses a width of the residual stream that a config cannot say.
fn check_hidden(architecture: &Architecture, kept: usize, options: &OutputOptions) -> Result<()> {
    if options.pad {
        return Err(Error::recipe(PADDED_HIDDEN));
    }
    let layers = &architecture.layers;
    let (step, what) = match architecture.width_fields.heads {
        None => (layers.first().map_or(1, |layer| layer.head_dim), "the width of its heads"),
        Some(fields) if fields.divide_hidden && options.kind == OutputKind::Sliced => {
            (layers.iter().map(|layer| layer.heads).max().unwrap_or(1), "the number of its query heads")
        }
        Some(_) => return Ok(()),
    };
    if kept.is_multiple_of(step.max(1)) {
        return Ok(());
    }
    Err(Error::recipe(format!(
        "The plan keeps {kept} hidden channels, and a {} config wants a multiple of {step}, {what}: keep {} or {} channels.",
        architecture.family,
        kept / step * step,
        (kept / step + 1) * step
    )))
}

const PADDED_HIDDEN: &str =
    "Hidden channels cannot be padded, since a normalisation counts channels of zeros too; leave \"pad\" out, or hidden.";
const OTHER_OUTPUT: &str = "choose output kind \"sliced\", or set \"pad\": true to write zeros in their places";

fn check_options(architecture: &Architecture, options: &OutputOptions) -> Result<()> {
    let narrow = |layer: &Layer| layer.query.fused_at.is_some() && layer.units(Unit::Heads) != full_heads(architecture, layer);
    if options.kind == OutputKind::Stock && options.pad && architecture.layers.iter().any(narrow) {
        return Err(Error::recipe(
            "The input already has fewer heads in tensors that hold q, k and v together, which \"pad\" cannot put back; choose output kind \"sliced\".",
        ));
    }
    if options.kind == OutputKind::Sliced {
        if options.pad {
            return Err(Error::recipe(
                "\"pad\": true goes with output kind \"stock\", and \"sliced\" has nothing to pad; leave pad out, or choose \"stock\".",
            ));
        }
        loader::find(architecture.family)?;
    }
    Ok(())
}

/// Heads fill the hidden width in families whose config cannot lower them alone; in the others all layers have the same number,
/// and one that the config accepts. `counts` are by the index of the layer.
fn check_heads(architecture: &Architecture, counts: impl Iterator<Item = (usize, usize)>, subject: &str) -> Result<()> {
    let counts: Vec<(usize, usize)> = counts.collect();
    for &(index, count) in &counts {
        let layer = &architecture.layers[index];
        if architecture.stock_units.contains(&Unit::Heads) {
            let (start, first) = counts[0];
            if count != first {
                return Err(Error::recipe(format!(
                    "{subject} {first} key/value heads in layer {start} and {count} in layer {index}, and a stock config has one number for all \
                     layers: choose allocation \"uniform\", or output kind \"sliced\"."
                )));
            }
            if !architecture.stock_heads(layer, count) {
                return Err(Error::recipe(format!(
                    "{subject} {count} key/value heads in layer {index}, and a stock {} config wants a number of query heads that divides the \
                     hidden width {}: choose another number of heads, or output kind \"sliced\".",
                    architecture.family, architecture.hidden
                )));
            }
            continue;
        }
        let full = full_heads(architecture, layer);
        if count != full {
            return Err(Error::recipe(format!(
                "{subject} {count} heads in layer {index}, and a stock {} config cannot say fewer than {full}: {OTHER_OUTPUT}.",
                architecture.family
            )));
        }
    }
    Ok(())
}

/// A stock config has one FFN width for all layers.
fn check_neurons(architecture: &Architecture, mut counts: impl Iterator<Item = (usize, usize)>, subject: &str) -> Result<()> {
    let Some((start, first)) = counts.next() else { return Ok(()) };
    match counts.find(|&(_, count)| count != first) {
        Some((index, other)) => Err(Error::recipe(format!(
            "{subject} {first} neurons in layer {start} and {other} in layer {index}, and a stock config has one {} for all layers: \
             choose allocation \"uniform\", or output kind \"sliced\", or set \"pad\": true to fill narrower layers with zeros.",
            architecture.width_fields.neurons
        ))),
        None => Ok(()),
    }
}
