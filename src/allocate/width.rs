//! How wide the residual stream stays: what is removed is shared out evenly between its channels and the units that may go too.

use super::planning::{nearest_that_can, only, shown};
use super::{Cut, TOLERANCE};
use crate::base::{Error, Result};
use crate::model::{Structure, Unit};

/// How many candidates an allocation is asked about.
const TRIES: usize = 64;

/// A width of the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width {
    /// Channels.
    pub(super) hidden: usize,
    /// Heads (units of attention) of every layer, where a stock config ties them to the channels.
    pub(super) heads: Option<usize>,
}

/// The width nearest to an even share, of those that the output can say and that reach the ratio with what the allocation takes
/// up of it.
///
/// # Errors
/// There is none; the message gives the nearest ratios where channels go alone, or with heads that are tied to them.
pub(super) fn width(cut: &Cut<'_>) -> Result<Width> {
    let all = cut.architecture;
    let share = even_share(cut);
    let kv_heads = all.layers.first().map_or(1, |layer| layer.kv_heads).max(1);
    let off = |width: &Width| {
        let channels = (width.hidden as f64 / all.hidden.max(1) as f64 - share).abs();
        channels + width.heads.map_or(0.0, |heads| (heads as f64 / kv_heads as f64 - share).abs())
    };
    let mut candidates = candidates(cut);
    // At least the floor of each, as of units inside of layers.
    let enough = |kept: usize, of: usize| kept as f64 >= cut.floor * of as f64;
    candidates.retain(|width| enough(width.hidden, all.hidden) && width.heads.is_none_or(|heads| enough(heads, kv_heads)));
    candidates.sort_by(|a, b| off(a).total_cmp(&off(b)).then(b.hidden.cmp(&a.hidden)).then(b.heads.cmp(&a.heads)));
    let Some(first) = candidates.first() else {
        return Err(Error::recipe(format!(
            "No narrower residual stream than {} channels can be written here; leave hidden out of method.units.",
            all.hidden
        )));
    };
    let mut failed = None;
    let tied = units(cut, first).is_empty();
    for candidate in candidates.iter().take(if tied { usize::MAX } else { TRIES }) {
        match fits(cut, candidate) {
            Ok(true) => return Ok(*candidate),
            Ok(false) => {}
            Err(error) => drop(failed.get_or_insert((candidate.hidden, error))),
        }
    }
    Err(match failed {
        Some((hidden, error)) => Error::recipe(format!("With {hidden} of {} hidden channels, of what is left: {error}", all.hidden)),
        None => nearest(cut, &candidates),
    })
}

/// The share of each structure that stays when all that may go lose alike.
fn even_share(cut: &Cut<'_>) -> f64 {
    let layers = &cut.architecture.layers;
    let attention: u64 = layers.iter().map(|layer| layer.linear_parameters(layer.kv_heads, 0)).sum();
    let total = cut.architecture.linear_parameters().max(1) as f64;
    let attention = attention as f64 / total;
    let inside = |structure, share: f64| if cut.removes(structure) { share } else { 1.0 };
    let kept = |share: f64| share * (attention * inside(Structure::Heads, share) + (1.0 - attention) * inside(Structure::Neurons, share));
    // Grows with the share from 0 to 1.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if kept(middle) < 1.0 - cut.ratio { low = middle } else { high = middle }
    }
    high
}

/// Every width that the output can say.
fn candidates(cut: &Cut<'_>) -> Vec<Width> {
    let all = cut.architecture;
    let Some(layer) = all.layers.first() else { return Vec::new() };
    let free = |step: usize| (1..=all.hidden / step.max(1)).map(move |count| Width { hidden: count * step.max(1), heads: None });
    let heads = cut.removes(Structure::Heads);
    match all.width_fields.heads {
        // The config's number of heads tells their width, so heads of that width fill the channels.
        None => {
            let fewest = all.layers.iter().map(|layer| layer.kv_heads).min().unwrap_or(0);
            let tied = |width: Width| Width { heads: cut.stock.then_some(width.hidden / layer.head_dim.max(1)), ..width };
            free(layer.head_dim).map(tied).filter(|width| width.heads.is_none_or(|heads| heads <= fewest)).collect()
        }
        Some(fields) if fields.divide_hidden && cut.stock && heads => (1..=layer.kv_heads)
            .flat_map(|heads| free(heads * layer.group()).map(move |width| Width { heads: Some(heads), ..width }))
            .collect(),
        Some(fields) if fields.divide_hidden => free(all.layers.iter().map(|layer| layer.heads).max().unwrap_or(1)).collect(),
        Some(_) => free(1).collect(),
    }
}

/// The units that are left to an allocation at a width.
pub(super) fn units(cut: &Cut<'_>, width: &Width) -> Vec<Unit> {
    cut.units().into_iter().filter(|&unit| unit != Unit::Heads || width.heads.is_none()).collect()
}

/// Whether a width reaches the ratio, with what the allocation takes up of it.
fn fits(cut: &Cut<'_>, width: &Width) -> Result<bool> {
    let narrow = cut.architecture.narrowed(width.hidden, width.heads);
    let units = units(cut, width);
    if units.is_empty() {
        return Ok((realised(cut, width) - cut.ratio).abs() <= TOLERANCE);
    }
    let ratio = cut.rest_ratio(&narrow);
    if ratio < -1e-9 {
        return Ok(false);
    }
    cut.allocation.check(&cut.request(&narrow, ratio.max(0.0), &units)).map(|()| true)
}

/// Share of the parameters that is gone at a width, before an allocation.
fn realised(cut: &Cut<'_>, width: &Width) -> f64 {
    let narrow = cut.architecture.narrowed(width.hidden, width.heads);
    1.0 - narrow.linear_parameters() as f64 / cut.architecture.linear_parameters().max(1) as f64
}

fn nearest(cut: &Cut<'_>, candidates: &[Width]) -> Error {
    let mut ratios: Vec<f64> = candidates.iter().map(|width| realised(cut, width)).collect();
    ratios.sort_by(f64::total_cmp);
    let above = ratios.partition_point(|&ratio| ratio <= cut.ratio);
    let nearest = [above.checked_sub(1), Some(above)].into_iter().flatten().filter_map(|at| ratios.get(at).copied());
    let names: Vec<&str> = cut.structures.iter().map(|structure| structure.name()).collect();
    Error::recipe(format!(
        "A ratio of {} cannot be reached by removing {}; {}, or add neurons to method.units.",
        shown(cut.ratio),
        only(&names),
        nearest_that_can(nearest)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::ALLOCATIONS;
    use crate::model::testing::{TinyBert, open};

    #[test]
    fn heads_fill_the_channels_of_a_stock_bert() {
        let architecture = open(TinyBert { hidden: 48, heads: 12, neurons: 96, ..TinyBert::default() }.folder()).architecture;
        let cut = |structures, ratio, stock| Cut {
            architecture: &architecture,
            structures,
            allocation: ALLOCATIONS[0],
            ratio,
            floor: 0.0,
            stock,
            length: None,
        };
        let tied = [Structure::Hidden, Structure::Heads];
        // Half of the channels with half of the heads: a quarter of attention and half of the FFN stay.
        let found = width(&cut(&tied, 0.62, true)).unwrap();
        assert_eq!(found, Width { hidden: 24, heads: Some(6) });
        let message = width(&cut(&tied, 0.58, true)).unwrap_err().to_string();
        assert!(message.contains("0.534 and 0.620, or add neurons"), "{message}");
        // With neurons every ratio is reached, near an even share.
        let all = [Structure::Hidden, Structure::Heads, Structure::Neurons];
        assert_eq!(width(&cut(&all, 0.53, true)).unwrap(), Width { hidden: 32, heads: Some(8) });
        // Where each layer has its own number of heads, they need not fill the channels.
        assert_eq!(width(&cut(&[Structure::Hidden], 0.495, false)).unwrap(), Width { hidden: 24, heads: None });
    }
}
