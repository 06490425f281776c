//! One recipe on a session, and measuring what came of it.

use super::{Order, Session};
use crate::allocate::Plan;
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::checkpoint::{Checkpoint, Folder, OutputTensor, folder_of};
use crate::device::Device;
use crate::evaluate::Size;
use crate::export::{Artifacts, OutputKind, assemble, with_report};
use crate::job::changes::Changes;
use crate::job::evaluation::{Measure, Measured};
use crate::job::report::{Findings, Sizes, card};
use crate::job::text::text_of;
use crate::job::{Model, Pruned, Report, nothing_to_remove};
use crate::recipe::{Method, Recipe};

impl Session {
    /// Carries out one recipe. Nothing is written but scratch; the output is a list of parts.
    ///
    /// # Errors
    /// The recipe or its plan is not right, the device fails, or the run is cancelled.
    pub async fn prune(&mut self, device: &Device, run: &Run, recipe: &Recipe, plan: Option<&str>) -> Result<Pruned> {
        self.attempt(device, run, recipe, plan, true).await
    }

    /// As [`Session::prune`]; only if `evaluate`, the model is measured on the evaluation text.
    pub(in crate::job) async fn attempt(
        &mut self,
        device: &Device,
        run: &Run,
        recipe: &Recipe,
        plan: Option<&str>,
        evaluate: bool,
    ) -> Result<Pruned> {
        let started = Instant::now();
        device.ledger().restart();
        self.store.restart();
        let order = Order::new(&self.model, recipe, plan)?;
        let used = self.calibration.as_ref().map(|(_, used)| *used).filter(|_| order.reads_text());
        order.check_length(&self.model, recipe, used.as_ref())?;
        let mut before_shared = self.shared;
        if evaluate {
            self.evaluate_dense(device, run).await?;
        }
        self.collect(device, run, order.needs).await?;
        let mut seconds = self.shared;
        if !evaluate {
            seconds.evaluate_dense = 0.0;
            before_shared.evaluate_dense = 0.0;
        }
        if !order.needs.any() {
            seconds.calibrate = 0.0;
            before_shared.calibrate = 0.0;
        }

        let Changes { plan, changed, layers, head, linears, spent, earlier, kept_parameters, found } = match &recipe.method {
            _ if nothing_to_remove(recipe, &self.model, order.given.as_ref()) => Changes::none(&self.model),
            Method::Sparse(method) => self.sparsify(device, run, method, &recipe.output).await?,
            Method::LowRank(method) => self.factorise(device, run, method, &recipe.output).await?,
            Method::Structured(_) | Method::Plan(_) => self.remove_units(device, run, recipe, order, used.as_ref()).await?,
        };
        (seconds.score, seconds.reconstruct) = spent;
        let (model, scratch) = (&self.model, self.output.as_ref());

        run.report(Phase::Export, None, 0, 0.0);
        let clock = Instant::now();
        let mut artifacts = artifacts(model, recipe, &plan, changed)?;
        let draft = assemble(artifacts.clone(), scratch).await?;
        let folder = folder_of(&draft)?;
        let pruned = Checkpoint::open(&folder).await?;
        seconds.export = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let after = if evaluate { self.evaluate_pruned(device, run, &folder).await? } else { None };
        seconds.evaluate_pruned = if evaluate { clock.elapsed().as_secs_f64() } else { 0.0 };
        // What an earlier recipe collected counts too: this one would have had to.
        seconds.own = started.elapsed().as_secs_f64();
        seconds.total = seconds.own + before_shared.evaluate_dense + before_shared.calibrate + earlier;

        // Operations are counted at the text's length even where this recipe did not look at it, so that recipes can be compared.
        let mean_length = self.calibration.as_ref().map_or(0.0, |(_, used)| used.mean_length());
        // Factored layers do less work, which their own architecture tells.
        let factored = match recipe.output.kind {
            OutputKind::Factored => Some(Model::open(&folder).await?.architecture),
            _ => None,
        };
        let sizes = Sizes {
            before: Size::of(&model.checkpoint, &model.architecture, &Plan::dense(&model.architecture), mean_length),
            after: match &factored {
                Some(architecture) => Size::of(&pruned, architecture, &Plan::dense(architecture), mean_length),
                None => Size::of(&pruned, &model.architecture, &plan, mean_length).with_linear_parameters(kept_parameters),
            },
        };
        let findings = Findings {
            sizes,
            calibration: used,
            layers,
            head,
            linears,
            close_calls: found.close_calls,
            scores: found.scores,
            latency: found.latency,
            time: found.time,
            probes: found.probes,
            rank_probes: found.rank_probes,
            kept: self.store.peaks(),
            quality_before: self.before.as_deref().map(Measured::quality),
            quality_after: after,
            seconds,
        };
        let report = Report::new(device, model, recipe, &plan, findings);
        (artifacts.report, artifacts.card) = (text_of(&report)?, card(&report, &model.architecture.class));
        let files = with_report(draft, &artifacts);
        let changed = artifacts.changed;
        run.cancel.check()?;
        run.report(Phase::Export, None, 0, 1.0);
        Ok(Pruned { files, plan, report, changed })
    }

    /// Measures what a recipe gave and was not measured yet, and says so in its report and its model card. The tensors stay.
    ///
    /// # Errors
    /// There is no evaluation text, the device fails, the run is cancelled, or a model gives what is no number.
    pub(in crate::job) async fn measure(&mut self, device: &Device, run: &Run, pruned: &Pruned) -> Result<Pruned> {
        let started = Instant::now();
        let earlier = if self.before.is_some() { self.shared.evaluate_dense } else { 0.0 };
        self.evaluate_dense(device, run).await?;
        let clock = Instant::now();
        let after = self.evaluate_pruned(device, run, &folder_of(&pruned.files)?).await?;
        let (Some(before), Some(after)) = (self.before.as_deref(), after) else {
            return Err(Error::recipe("There is no text to measure on; give an evaluation text."));
        };
        let mut report = Report { quality_before: Some(before.quality()), quality_after: Some(after), ..pruned.report.clone() };
        report.seconds.evaluate_dense = self.shared.evaluate_dense;
        report.seconds.evaluate_pruned = clock.elapsed().as_secs_f64();
        report.seconds.own += started.elapsed().as_secs_f64();
        report.seconds.total += started.elapsed().as_secs_f64() + earlier;
        let mut artifacts = artifacts(&self.model, &report.recipe, &pruned.plan, pruned.changed.clone())?;
        (artifacts.report, artifacts.card) = (text_of(&report)?, card(&report, &self.model.architecture.class));
        let files = with_report(pruned.files.clone(), &artifacts);
        let (plan, changed) = (pruned.plan.clone(), pruned.changed.clone());
        Ok(Pruned { files, plan, changed, report })
    }

    /// Measures a pruned model against the dense one, where that was measured.
    async fn evaluate_pruned(&self, device: &Device, run: &Run, folder: &Folder) -> Result<Option<Measure>> {
        let Some(before) = self.before.as_deref() else { return Ok(None) };
        let student = Model::open(folder).await?;
        let reference = before.reference(&self.model, &self.store);
        let after = self.evaluation.run(device, run, Phase::EvaluatePruned, &student, Some(reference)).await?;
        Ok(after.map(|after| after.compared(before)))
    }
}

/// What an output is made of, before its report is written.
fn artifacts<'a>(model: &'a Model, recipe: &'a Recipe, plan: &'a Plan, changed: Vec<OutputTensor>) -> Result<Artifacts<'a>> {
    Ok(Artifacts {
        folder: &model.folder,
        checkpoint: &model.checkpoint,
        architecture: &model.architecture,
        config: &model.config,
        plan,
        options: &recipe.output,
        changed,
        recipe: text_of(recipe)?,
        plan_json: text_of(plan)?,
        report: String::new(),
        card: Default::default(),
    })
}
