//! Whole layers: those that change the residual stream least go first (ShortGPT; Men et al., 2024).

use super::planning::{nearest_that_can, shown};
use super::{CloseCall, STATISTIC_ERROR, TOLERANCE};
use crate::base::{Error, Result};
use crate::model::{Architecture, Structure};

/// Which layers stay.
#[derive(Debug)]
pub(super) struct Depth {
    /// Their indices, ascending.
    pub(super) kept: Vec<usize>,
    /// Layers that another device might have decided otherwise.
    pub(super) close_calls: Vec<CloseCall>,
}

/// Removes layers by ascending influence: alone as many as come nearest to the ratio, before other structures as many as do not
/// exceed it. One always stays.
///
/// # Errors
/// Alone they miss the ratio; the message gives the nearest ones.
pub(super) fn depth(architecture: &Architecture, influences: &[f64], ratio: f64, alone: bool) -> Result<Depth> {
    let sizes: Vec<u64> = parameters(architecture).collect();
    if influences.len() != sizes.len() {
        return Err(Error::internal("layers without their influences"));
    }
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| influences[a].total_cmp(&influences[b]).then(a.cmp(&b)));
    let total = sizes.iter().sum::<u64>().max(1) as f64;
    // What is removed with the first 0, 1, ... layers of the order.
    let sums = order.iter().take(sizes.len().saturating_sub(1)).scan(0, |sum, &layer| {
        *sum += sizes[layer];
        Some(*sum)
    });
    let sums: Vec<u64> = std::iter::once(0).chain(sums).collect();
    let shares: Vec<f64> = sums.iter().map(|&sum| sum as f64 / total).collect();
    let below = shares.iter().rposition(|&share| share <= ratio * (1.0 + 1e-9)).unwrap_or(0);
    let count = match shares.get(below + 1) {
        Some(&above) if alone && above - ratio < ratio - shares[below] => below + 1,
        _ => below,
    };
    if alone && (shares[count] - ratio).abs() > TOLERANCE {
        return Err(Error::recipe(format!(
            "A ratio of {} cannot be reached by removing layers alone; {}, or add neurons to method.units.",
            shown(ratio),
            nearest_that_can(shares.iter().skip(below).take(2).copied())
        )));
    }
    let close_calls = close_calls(&order, influences, count);
    let mut kept = order.split_off(count);
    kept.sort_unstable();
    Ok(Depth { kept, close_calls })
}

/// Linear parameters of each layer.
fn parameters(architecture: &Architecture) -> impl Iterator<Item = u64> {
    architecture.layers.iter().map(|layer| layer.linear_parameters(layer.kv_heads, layer.neurons))
}

/// Whether it does not matter for sizes which layers go.
pub(super) fn all_alike(architecture: &Architecture) -> bool {
    let mut sizes = parameters(architecture);
    sizes.next().is_none_or(|first| sizes.all(|size| size == first))
}

/// Kept layers close to the last one that goes, and removed layers close to the first one that stays.
fn close_calls(order: &[usize], influences: &[f64], count: usize) -> Vec<CloseCall> {
    let (removed, kept) = order.split_at(count);
    let (Some(&last), Some(&first)) = (removed.last(), kept.first()) else { return Vec::new() };
    let margin = STATISTIC_ERROR * influences[first].abs();
    let call = |&layer: &usize, kept| CloseCall { layer: Some(layer), unit: Structure::Layers, index: layer as u32, kept };
    let near_kept = kept.iter().filter(|&&layer| influences[layer] - influences[last] <= margin).map(|layer| call(layer, true));
    let near_removed = removed.iter().filter(|&&layer| influences[first] - influences[layer] <= margin).map(|layer| call(layer, false));
    near_kept.chain(near_removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{TinyBert, open};

    #[test]
    fn the_least_influential_layers_go_and_one_stays() {
        let architecture = open(TinyBert { layers: 5, ..TinyBert::default() }.folder()).architecture;
        let influences = [0.4, 0.1, 0.3, 0.1, 0.2];
        let kept = |ratio, alone| depth(&architecture, &influences, ratio, alone).map(|depth| depth.kept);
        assert_eq!(kept(0.4, true).unwrap(), [0, 2, 4]);
        assert_eq!(kept(0.402, true).unwrap(), [0, 2, 4]);
        assert_eq!(kept(0.39, false).unwrap(), [0, 2, 3, 4]);
        assert_eq!(kept(0.2, true).unwrap(), [0, 2, 3, 4]);
        assert_eq!(kept(0.99, false).unwrap(), [0]);
        let message = kept(0.3, true).unwrap_err().to_string();
        assert!(message.contains("0.200 and 0.400"), "{message}");
        let message = kept(0.9, true).unwrap_err().to_string();
        assert!(message.contains("the nearest ratio that can is 0.800,"), "{message}");
    }

    #[test]
    fn ties_are_close_calls() {
        let architecture = open(TinyBert { layers: 4, ..TinyBert::default() }.folder()).architecture;
        let calls = |influences: &[f64]| {
            let found = depth(&architecture, influences, 0.25, true).unwrap();
            found.close_calls.iter().map(|call| (call.index, call.kept)).collect::<Vec<_>>()
        };
        assert_eq!(calls(&[0.2, 0.1, 0.1, 0.3]), [(2, true), (1, false)]);
        assert_eq!(calls(&[0.2, 0.1, 0.15, 0.3]), []);
    }
}
