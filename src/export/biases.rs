//! Biases that repairs add to layers without one: a config gives them to all layers of a kind or to none, so the others get
//! zeros.

use super::widths::{Written, outputs_of};
use super::{OutputOptions, output_dtype};
use crate::base::Result;
use crate::checkpoint::{Checkpoint, Data, OutputTensor, Scratch};
use crate::model::{Architecture, Config, Linear, Unit};
use std::collections::{BTreeSet, HashSet};

/// Name of the bias of a linear layer that has none yet.
pub(super) fn added_name(linear: &Linear) -> String {
    format!("{}bias", linear.weight.strip_suffix("weight").unwrap_or(&linear.weight))
}

/// Completes the biases of every layer where a repair added one, and says so in the config.
pub(super) async fn complete(
    architecture: &Architecture,
    checkpoint: &Checkpoint,
    config: &mut Config,
    written: &Written,
    options: &OutputOptions,
    changed: &mut Vec<OutputTensor>,
    scratch: &dyn Scratch,
) -> Result<()> {
    let there: HashSet<String> = changed.iter().map(|tensor| tensor.name.clone()).collect();
    // A flag may speak for attention, for the FFN, or for both.
    let flags: BTreeSet<&str> = Unit::ALL.into_iter().filter_map(|unit| architecture.bias_flag(unit)).collect();
    for flag in flags {
        let around = || {
            let units = move || Unit::ALL.into_iter().filter(move |&unit| architecture.bias_flag(unit) == Some(flag));
            written
                .of(architecture)
                .flat_map(move |(layer, widths)| units().flat_map(|unit| layer.around(unit)).map(move |linear| (layer, widths, linear)))
        };
        let added = around().any(|(_, _, linear)| linear.bias.is_none() && there.contains(&added_name(linear)));
        if !added {
            continue;
        }
        config.set(flag, true);
        for (layer, widths, linear) in around() {
            let name = added_name(linear);
            if linear.bias.is_some() || there.contains(&name) {
                continue;
            }
            let outputs = outputs_of(layer, written.hidden, widths, linear);
            let dtype = output_dtype(options, checkpoint.require(&linear.weight)?.dtype);
            let source = scratch.put(&name, vec![0; outputs * dtype.size()]).await?;
            changed.push(OutputTensor { name, dtype, shape: vec![outputs as u64], data: Data::Changed(source) });
        }
    }
    Ok(())
}
