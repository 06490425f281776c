//! Global: units of all layers compete by their standardised scores (FLAP's AL-AM; An et al., AAAI 2024).

use super::split::{Loss, Split};
use super::{Allocated, Allocation, Costs, Planning, Request};
use crate::base::{LocalFuture, Result};

pub(super) struct Global;

impl Allocation for Global {
    fn name(&self) -> &'static str {
        "global"
    }

    fn title(&self) -> &'static str {
        "Global"
    }

    fn summary(&self) -> &'static str {
        "Units of all layers compete by their scores, standardised within each layer (FLAP's AL-AM; An et al., 2024)."
    }

    fn check(&self, request: &Request<'_>) -> Result<()> {
        Split::new(request, &request.unscored(), &Costs::parameters(request.architecture)).nearest().check(request)
    }

    fn plan<'a>(&'a self, planning: &'a Planning<'a>) -> LocalFuture<'a, Result<Allocated>> {
        Box::pin(async move {
            let request = &planning.request;
            let losses = request.losses(planning.scores)?.map(|kind| kind.iter().map(|losses| standardised(losses)).collect());
            let split = Split::new(request, &losses, &Costs::parameters(request.architecture)).nearest();
            split.allocated(request, split.by_threshold())
        })
    }
}

/// Losses as deviations from their mean, in standard deviations (the unbiased one); zeros where they are all equal.
fn standardised(losses: &[Loss]) -> Vec<Loss> {
    let count = losses.len() as f64;
    let mean = losses.iter().map(|loss| loss.value).sum::<f64>() / count.max(1.0);
    let variance = losses.iter().map(|loss| (loss.value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let scale = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
    let standard = |loss: &Loss| Loss { value: (loss.value - mean) * scale, error: loss.error * scale, ..*loss };
    losses.iter().map(standard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standardising_by_hand() {
        let loss = |index, value: f64| Loss { index, value, error: 1e-4 * value };
        let found = standardised(&[loss(2, 1.0), loss(0, 2.0), loss(1, 6.0)]);
        // The mean is 3, the unbiased variance (4 + 1 + 9) / 2.
        let expected = [(2, -2.0), (0, -1.0), (1, 3.0)].map(|(index, value)| (index, value / 7f64.sqrt()));
        for (found, (index, value)) in found.iter().zip(expected) {
            assert!(found.index == index && (found.value - value).abs() < 1e-15);
        }
        assert!((found[2].error - 6e-4 / 7f64.sqrt()).abs() < 1e-15);
        let values = |losses: &[Loss]| standardised(losses).iter().map(|loss| loss.value).collect::<Vec<_>>();
        assert_eq!(values(&[loss(0, 5.0), loss(1, 5.0)]), [0.0, 0.0]);
        assert_eq!(values(&[loss(0, 5.0)]), [0.0]);
    }
}
