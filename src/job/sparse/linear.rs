//! One group of linear layers that read the same: zeros chosen, the rest updated, rounded to what is written.

use crate::allocate::sparsity::{PrefixCurves, RowBudget, Rows, Target};
use crate::base::{Error, Result};
use crate::calibrate::{Calibration, HostSums, InputStatistics};
use crate::checkpoint::{Matrix, decode};
use crate::device::{Device, Op, Solution, Tensor};
use crate::forward::HostLinear;
use crate::job::report::LinearOutcome;
use crate::model::{Architecture, Layer};
use crate::recipe::Sparse;
use crate::reconstruct::weights::{Updated, WeightProblem, WeightUpdate, diagonal};
use crate::score::weights::{RowScores, WeightCriterion, WeightNeeds, WeightSite};

/// Dampings that are tried, as multiples of the recipe's, where the second moments have no factor.
const DAMPINGS: [f64; 3] = [1.0, 3.0, 10.0];

/// Refuses a pattern that a layer's width has no whole number of groups of.
pub(in crate::job) fn check(architecture: &Architecture, method: &Sparse) -> Result<()> {
    let Some((_, size)) = method.pattern()?.groups else { return Ok(()) };
    match architecture.layers.iter().flat_map(Layer::linears).find(|linear| linear.inputs % size != 0) {
        Some(linear) => Err(Error::recipe(format!(
            "The pattern {} needs a multiple of {size} inputs, and {} has {}; choose the pattern unstructured.",
            method.pattern, linear.weight, linear.inputs
        ))),
        None => Ok(()),
    }
}

/// Prunes linear layers, one group after another.
pub(super) struct Pruner<'a> {
    device: &'a Device,
    method: &'a Sparse,
    criterion: &'static dyn WeightCriterion,
    update: &'static dyn WeightUpdate,
    rows: Option<&'static dyn RowBudget>,
    needs: WeightNeeds,
    /// Sequences that are fitted on.
    sequences: usize,
    /// Zeros that were asked for so far, and those that were given out: what rounding takes from one layer goes to the next.
    asked: f64,
    given: usize,
}

/// What is known of a group's inputs, as criteria and updates want it.
struct Inputs {
    sums: HostSums,
    gram: Option<Tensor>,
    factor: Option<Tensor>,
    roots: Vec<f64>,
    /// Tokens [inputs, count], where allocations to rows want them.
    tokens: Option<Tensor>,
    /// Tokens [count, inputs] that tell how well a layer does.
    checked: Tensor,
}

impl<'a> Pruner<'a> {
    pub(super) fn new(device: &'a Device, method: &'a Sparse, calibration: &Calibration) -> Result<Self> {
        let (criterion, update) = (method.criterion()?, method.update()?);
        let mut needs = criterion.needs().union(update.needs());
        // A refit sweeps first where the scores are the sweep's.
        needs.factor |= criterion.needs().factor;
        let sequences = calibration.batches[..calibration.fitted].iter().map(|batch| batch.segments.len()).sum();
        Ok(Self { device, method, criterion, update, rows: method.rows(), needs, sequences, asked: 0.0, given: 0 })
    }

    /// Prunes the layers of a group to this share of zeros.
    pub(super) async fn prune(
        &mut self,
        members: Vec<(String, &mut HostLinear)>,
        statistics: InputStatistics,
        share: f64,
    ) -> Result<Vec<LinearOutcome>> {
        let inputs = self.inputs(statistics).await?;
        let mut outcomes = Vec::with_capacity(members.len());
        for (tensor, host) in members {
            let matrix = &host.weight;
            let weight = matrix.to_f32_outputs_major()?;
            self.asked += share * weight.len() as f64;
            let zeros = (self.asked.round() as usize).saturating_sub(self.given).min(weight.len());
            self.given += zeros;
            let updated = self.pruned(&weight, matrix, &inputs, zeros).await?;
            let (written, outcome) = self.written(tensor, &weight, matrix, updated, &inputs).await?;
            host.weight = written;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn inputs(&self, statistics: InputStatistics) -> Result<Inputs> {
        let device = self.device;
        let sums = statistics.moments.read_sums(device).await?;
        let width = sums.sums.len();
        let held_out = statistics.checked();
        let checked = device.upload(held_out.values.len() / width.max(1), width, &held_out.values).await?;
        let (mut gram, mut factor, mut roots) = (None, None, Vec::new());
        if let Some(raw) = statistics.moments.gram.as_ref().filter(|_| self.needs.gram) {
            for damping in DAMPINGS {
                let damped = self.damped(raw, &sums, damping * self.method.ridge).await?;
                if !self.needs.factor {
                    gram = Some(damped);
                    break;
                }
                let Solution { x, smallest_pivot } = device.inverse_factor(&damped).await?;
                gram = Some(damped);
                if smallest_pivot > 0.0 {
                    roots = diagonal(device, &x).await?.into_iter().map(f64::from).collect();
                    factor = Some(x);
                    break;
                }
            }
            if self.needs.factor && factor.is_none() {
                return Err(Error::recipe(format!(
                    "The second moments of a layer's inputs have no inverse with method.ridge {}; set it higher, or take more calibration text.",
                    self.method.ridge
                )));
            }
        }
        let tokens = match self.rows.is_some_and(|rows| rows.needs_curves()) {
            true => {
                let values = &statistics.fitted.values;
                let count = values.len() / width.max(1);
                let turned: Vec<f32> = (0..width).flat_map(|input| (0..count).map(move |token| values[token * width + input])).collect();
                Some(device.upload(width, count, &turned).await?)
            }
            false => None,
        };
        Ok(Inputs { sums, gram, factor, roots, tokens, checked })
    }

    /// Second moments a token, with `ridge` times the mean of their diagonal added to it.
    async fn damped(&self, gram: &Tensor, sums: &HostSums, ridge: f64) -> Result<Tensor> {
        let width = gram.rows();
        let count = sums.count.max(1.0);
        let mean = sums.squares.iter().sum::<f64>() / count / width.max(1) as f64;
        let damp = ridge * if mean > 0.0 { mean } else { 1.0 };
        let all: Vec<u32> = (0..width as u32).collect();
        self.device.covariance(gram, &self.device.zeros(1, width).await?, count, &all, &all, damp as f32).await
    }

    /// Zeros and what becomes of the rest.
    async fn pruned(&self, weight: &[f32], matrix: &Matrix, inputs: &Inputs, zeros: usize) -> Result<Updated> {
        let (width, outputs) = (matrix.inputs(), matrix.outputs());
        let scores = self.criterion.scores(WeightSite { weight, inputs: width, squares: &inputs.sums.squares, roots: &inputs.roots });
        let rows = match self.rows {
            Some(budget) => Some(self.rows(budget, weight, width, &scores, inputs, zeros).await?),
            None => None,
        };
        let target = Target { zeros, rows, pattern: self.method.pattern()?, group: self.criterion.group() };
        let problem = WeightProblem {
            device: self.device,
            weight,
            outputs,
            inputs: width,
            scores: &scores,
            target: &target,
            swept_scores: self.criterion.needs().factor,
            sums: &inputs.sums,
            sequences: self.sequences,
            gram: inputs.gram.as_ref(),
            factor: inputs.factor.as_ref(),
            roots: &inputs.roots,
            iterations: self.method.iterations,
        };
        self.update.update(&problem).await
    }

    async fn rows(
        &self,
        budget: &dyn RowBudget,
        weight: &[f32],
        width: usize,
        scores: &RowScores<'_>,
        inputs: &Inputs,
        zeros: usize,
    ) -> Result<Vec<usize>> {
        let curves = match &inputs.tokens {
            Some(tokens) => Some(PrefixCurves::new(self.device, weight, width, scores, tokens).await?),
            None => None,
        };
        budget.rows(&Rows {
            scores,
            outputs: weight.len() / width.max(1),
            inputs: width,
            zeros,
            curves: curves.as_ref(),
            equalise: self.method.equalise,
        })
    }

    /// The layer as it will be written: without the update where that overflows or does harm on the tokens that check it.
    async fn written(
        &self,
        tensor: String,
        weight: &[f32],
        matrix: &Matrix,
        updated: Updated,
        inputs: &Inputs,
    ) -> Result<(Matrix, LinearOutcome)> {
        let plain = updated.mask.applied(weight);
        let error = self.error(weight, &plain, inputs).await?;
        let (mut written, mut error_after) = (matrix.with_f32_outputs_major(&plain).0, None);
        if plain != updated.weight {
            let after = self.error(weight, &updated.weight, inputs).await?;
            let (better, overflowed) = matrix.with_f32_outputs_major(&updated.weight);
            if overflowed == 0 && after <= error {
                written = better;
            }
            error_after = Some(if overflowed == 0 { after.min(error) } else { error });
        }
        let kept = decode(written.dtype, &written.bytes)?.iter().filter(|value| **value != 0.0).count() as u64;
        let shape = [matrix.outputs(), matrix.inputs()];
        Ok((written, LinearOutcome { tensor, with: Vec::new(), shape, kept, rank: None, singles: None, error: Some(error), error_after }))
    }

    /// Squared error of the outputs on the tokens that check them, relative to their own square.
    async fn error(&self, dense: &[f32], pruned: &[f32], inputs: &Inputs) -> Result<f64> {
        let device = self.device;
        let width = inputs.checked.cols();
        let square = async |weight: &[f32]| {
            let weight = device.upload(weight.len() / width.max(1), width, weight).await?;
            let outputs = device.matmul(&inputs.checked, Op::N, &weight, Op::T).await?;
            device.dot(&outputs, &outputs).await
        };
        let own = square(dense).await?;
        let lost: Vec<f32> = dense.iter().zip(pruned).map(|(dense, pruned)| dense - pruned).collect();
        Ok(if own > 0.0 { square(&lost).await? / own } else { 0.0 })
    }
}
