//! What is left of linear layers whose rank is lowered.

use crate::allocate::kept_parameters;
use crate::job::report::LinearOutcome;
use crate::model::{Layer, Linear};
use crate::score::{Part, Spectrum};

/// What layers that are cut together keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The rank of their product.
    pub(super) rank: usize,
    /// Single weights beside it.
    pub(super) singles: usize,
}

impl Cut {
    /// The parameters of a rank, of which a share goes into single weights: in whole ranks, and one at least stays.
    pub(super) fn new(spectrum: &Spectrum, rank: usize, share: f64) -> Self {
        let stays = ((1.0 - share) * rank as f64).round().max(rank.min(1) as f64) as usize;
        Self { rank: stays, singles: spectrum.cost(rank - stays.min(rank)) }
    }
}

/// What the report says of a part, given its cut and the energy of its error; none where it stays dense: then every layer has its own line.
pub(super) fn outcome(layer: &Layer, part: &Part, done: Option<(Cut, f64)>) -> Vec<LinearOutcome> {
    let (spectrum, linears) = (&part.spectrum, layer.linears());
    let named: Vec<(String, &Linear)> = part
        .places
        .clone()
        .filter_map(|place| linears.get(place).map(|linear| (tensor_name(linear, place, done.is_some() && part.places.len() > 1), *linear)))
        .collect();
    let Some((cut, error)) = done else {
        let dense = |(tensor, linear): (String, &Linear)| LinearOutcome {
            tensor,
            with: Vec::new(),
            shape: [linear.outputs, linear.inputs],
            kept: (linear.outputs * linear.inputs) as u64,
            rank: None,
            singles: None,
            error: Some(0.0),
            error_after: None,
        };
        return named.into_iter().map(dense).collect();
    };
    let mut tensors: Vec<String> = named.into_iter().map(|(tensor, _)| tensor).collect();
    tensors.dedup();
    let mut tensors = tensors.into_iter();
    vec![LinearOutcome {
        tensor: tensors.next().unwrap_or_default(),
        with: tensors.collect(),
        shape: [spectrum.outputs, spectrum.inputs],
        kept: (kept_parameters(spectrum, Some(cut.rank)) + cut.singles) as u64,
        rank: Some(cut.rank),
        singles: (cut.singles > 0).then_some(cut.singles as u64),
        error: Some(spectrum.relative(error) / spectrum.members.len().max(1) as f64),
        error_after: None,
    }]
}

/// Name of a linear layer's weight; of layers that share a tensor, and are not cut together, with which of them it is.
fn tensor_name(linear: &Linear, place: usize, joint: bool) -> String {
    match (linear.fused_at, ["q", "k", "v"].get(place)) {
        (Some(_), Some(part)) if !joint => format!("{}.{part}", linear.weight),
        _ => linear.weight.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_and_single_weights_take_what_the_rank_would() {
        for (m, n, rank) in [(9, 9, 4), (5, 12, 3), (30, 7, 5), (4, 4, 1), (4, 4, 0)] {
            let spectrum = Spectrum::known(m, n, vec![1.0; m * n / (m + n)], m as f64);
            for share in [0.0, 0.1, 0.25, 0.5, 0.99] {
                let cut = Cut::new(&spectrum, rank, share);
                assert_eq!(spectrum.cost(cut.rank) + cut.singles, spectrum.cost(rank), "{m} x {n}, {share}");
                assert_eq!(cut.rank > 0, rank > 0);
                // Within half a rank.
                let asked = share * spectrum.cost(rank) as f64;
                assert!((cut.singles as f64 - asked).abs() <= 0.5 * (m + n) as f64 || cut.rank == 1, "{m} x {n}, {share}: {cut:?}");
            }
        }
    }
}
