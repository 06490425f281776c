//! Bias compensation (FLAP; An et al., 2024): the mean of what was removed goes into the bias.

use super::{Fit, Problem, Repair, RepairOptions};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;
use crate::device::{Device, Tensor};

pub(super) struct BiasCompensation;

impl Repair for BiasCompensation {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn title(&self) -> &'static str {
        "Bias compensation"
    }

    fn summary(&self) -> &'static str {
        "The average of what was removed is added to the bias (FLAP; An et al., 2024)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, ..Needs::default() }
    }

    fn shifts_only(&self) -> bool {
        true
    }

    fn solve<'a>(
        &'a self,
        device: &'a Device,
        problem: &'a Problem,
        truncated: &'a Tensor,
        _: RepairOptions,
    ) -> LocalFuture<'a, Result<Fit>> {
        Box::pin(async move {
            let shift = problem.shift(device, truncated).await?;
            Ok(Fit { weight: truncated.clone(), shift, damping: 0.0, smallest_pivot: None })
        })
    }
}
