//! No repair: the consumer's remaining weights as they are.

use super::{Fit, Problem, Repair, RepairOptions};
use crate::base::{LocalFuture, Result};
use crate::calibrate::Needs;
use crate::device::{Device, Tensor};

pub(super) struct Truncation;

impl Repair for Truncation {
    fn name(&self) -> &'static str {
        "none"
    }

    fn title(&self) -> &'static str {
        "None"
    }

    fn summary(&self) -> &'static str {
        "The remaining weights stay as they are."
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn solve<'a>(&'a self, _: &'a Device, problem: &'a Problem, truncated: &'a Tensor, _: RepairOptions) -> LocalFuture<'a, Result<Fit>> {
        let fit = Fit { weight: truncated.clone(), shift: vec![0.0; problem.outputs()], damping: 0.0, smallest_pivot: None };
        Box::pin(async move { Ok(fit) })
    }
}
