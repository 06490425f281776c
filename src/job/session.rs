//! A model with its texts and everything that was collected over them: many recipes can be tried on one.

use super::changes::{Changes, Found};
use super::evaluation::{self, Measured};
use super::low_rank::Taken;
use super::repair::SecondPass;
use super::report::{Findings, Seconds, Sizes, UnitScores, card};
use super::{
    Inputs, Model, Pruned, Report, Storage, calibration, check, cut, estimate, given_plan, leaves_repairs, narrows, nothing_to_remove,
    text_of,
};
use crate::allocate::{Allocated, Budget, Importance, Plan};
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::calibrate::{Calibration, Needs, Statistics, Store, dense_pass};
use crate::checkpoint::{Checkpoint, Folder, Scratch, folder_of};
use crate::device::Device;
use crate::evaluate::Size;
use crate::export::{Artifacts, OutputKind, OutputOptions, assemble, check_plan};
use crate::model::{Structure, Unit};
use crate::recipe::{Method, Recipe, Structured, needs};
use crate::score::{LayerScores, Whole, hidden_scores};
use crate::text::{CalibrationOptions, CalibrationUsed};
use std::rc::Rc;

/// What recipes can share: the model, the calibration and the evaluation text, what was collected over them, and the scores
/// that were computed from that.
pub struct Session {
    pub(super) model: Model,
    calibration_options: CalibrationOptions,
    pub(super) calibration: Option<(Calibration, CalibrationUsed)>,
    evaluation: evaluation::Prepared,
    /// The dense model on the evaluation text.
    before: Option<Rc<Measured>>,
    /// What `statistics` holds.
    collected: Needs,
    pub(super) statistics: Statistics,
    pub(super) store: Store,
    pub(super) output: Box<dyn Scratch>,
    /// Time that went into what is shared.
    shared: Seconds,
    scored: Option<Scored>,
    /// Spectra of the linear layers.
    pub(super) spectra: Option<Taken>,
}

/// Scores, and what they were asked for.
struct Scored {
    criterion: String,
    options: crate::score::ScoreOptions,
    units: Vec<Unit>,
    affine: bool,
    ratio: f64,
    scores: Vec<LayerScores>,
    seconds: f64,
}

/// What one recipe asks of a session.
pub(super) struct Order {
    pub(super) given: Option<Plan>,
    pub(super) needs: Needs,
    pub(super) aware: bool,
    /// Whether the budget is one that is counted, or measured, over the calibration text.
    by_length: bool,
    /// Whether the method goes over the text by itself.
    pub(super) own_pass: bool,
    /// Whether the readers of the residual stream are repaired too.
    pub(super) narrows: bool,
}

impl Order {
    /// What the recipe asks for on this model.
    ///
    /// # Errors
    /// It cannot be done; the message says why.
    pub(super) fn new(model: &Model, recipe: &Recipe, plan: Option<&str>) -> Result<Self> {
        let given = given_plan(recipe, plan, model)?;
        check(recipe, model, given.as_ref())?;
        let nothing = nothing_to_remove(recipe, model, given.as_ref());
        let repair = recipe.method.repair_recipe();
        let repairs = repair.map(|repair| repair.repair()).transpose()?.is_some_and(|repair| repair.needs().any());
        let narrows = narrows(recipe, model, given.as_ref()) && repairs;
        let along = repair.is_some_and(|repair| repair.error_aware) || narrows;
        let needs = if nothing { Needs::default() } else { needs(&recipe.method, along)? };
        let aware = along && !nothing && leaves_repairs(recipe, model, given.as_ref());
        let own_pass = !nothing && matches!(recipe.method, Method::Sparse(_) | Method::LowRank(_));
        let by_length = match &recipe.method {
            Method::Structured(method) => !nothing && method.budget()? != Budget::Linear,
            _ => false,
        };
        Ok(Self { given, needs, aware, narrows, by_length, own_pass })
    }

    pub(super) fn reads_text(&self) -> bool {
        self.needs.any() || self.aware || self.by_length || self.own_pass
    }

    /// Checks what depends on the length of the sequences, once they are known.
    ///
    /// # Errors
    /// The ratio cannot be reached.
    pub(super) fn check_length(&self, model: &Model, recipe: &Recipe, used: Option<&CalibrationUsed>) -> Result<()> {
        match &recipe.method {
            Method::Structured(method) if self.by_length => cut(model, method, &recipe.output, used)?.check(),
            _ => Ok(()),
        }
    }
}

impl Session {
    /// Opens a folder for `recipes`, which have the same calibration and evaluation; checks that each can be carried out, as far as that
    /// does not depend on the text, and fits. Nothing is run yet.
    ///
    /// # Errors
    /// The folder, a recipe or a text is not right, or a recipe cannot fit.
    pub async fn open(device: &Device, folder: &Folder, recipes: &[Recipe], inputs: &Inputs, storage: Storage) -> Result<Self> {
        let first = recipes.first().ok_or_else(|| Error::internal("a session without a recipe"))?;
        let model = Model::open(folder).await?;
        let orders: Vec<Order> =
            recipes.iter().map(|recipe| Order::new(&model, recipe, inputs.plan.as_deref())).collect::<Result<Vec<_>>>()?;
        let evaluation = evaluation::Prepared::new(device, &model, first, inputs).await?;
        let calibration = match orders.iter().any(Order::reads_text) {
            true => Some(calibration(device, &model, first, inputs, orders.iter().any(|order| order.needs.labels)).await?),
            false => None,
        };
        let mut room = u64::MAX;
        for (order, recipe) in orders.iter().zip(recipes) {
            let used = calibration.as_ref().map(|(_, used)| used);
            let task = estimate::Task::new(device, &model, recipe, order, used, &evaluation);
            room = room.min(task.memory().place(super::free_budget(device), &storage.shelves)?.0);
        }
        Ok(Self {
            model,
            calibration_options: first.calibration.clone(),
            calibration,
            evaluation,
            before: None,
            collected: Needs::default(),
            statistics: Statistics::default(),
            store: Store::new(room, storage.shelves),
            output: storage.output,
            shared: Seconds::default(),
            scored: None,
            spectra: None,
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Measures the dense model on the evaluation text, if there is one and it is not done yet, and keeps its states for the
    /// comparison with many others.
    ///
    /// # Errors
    /// The device fails, the run is cancelled, or the model gives what is no number.
    pub(super) async fn evaluate_dense(&mut self, device: &Device, run: &Run) -> Result<()> {
        if self.before.is_none() {
            let clock = Instant::now();
            self.before = self.evaluation.run_and_keep(device, run, &self.model, &self.store).await?.map(Rc::new);
            self.shared.evaluate_dense = clock.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// What the dense model gave on the evaluation text, and the seconds that it took: for another session with the same model and
    /// evaluation.
    pub(super) fn dense(&self) -> Option<(Rc<Measured>, f64)> {
        self.before.clone().map(|measured| (measured, self.shared.evaluate_dense))
    }

    /// Takes over what another session measured.
    pub(super) fn set_dense(&mut self, (measured, seconds): (Rc<Measured>, f64)) {
        self.before = Some(measured);
        self.shared.evaluate_dense = seconds;
    }

    /// Collects what recipes will need, if it is not there yet: pass 1.
    ///
    /// # Errors
    /// The device fails, or the run is cancelled.
    pub async fn collect(&mut self, device: &Device, run: &Run, needs: Needs) -> Result<()> {
        let wanted = self.collected.union(needs.of_pass());
        if wanted == self.collected {
            return Ok(());
        }
        let (calibration, _) = self.calibration.as_ref().ok_or_else(super::no_calibration)?;
        // The old ones first, so that the new ones find their room.
        self.statistics = Statistics::default();
        self.collected = Needs::default();
        self.spectra = None;
        let clock = Instant::now();
        self.statistics =
            dense_pass(device, run, &self.model.checkpoint, &self.model.architecture, calibration, wanted, &self.store).await?;
        self.collected = wanted;
        self.shared.calibrate += clock.elapsed().as_secs_f64();
        Ok(())
    }

    /// Carries out one recipe. Nothing is written but scratch; the output is a list of parts.
    ///
    /// # Errors
    /// The recipe or its plan is not right, the device fails, or the run is cancelled.
    pub async fn prune(&mut self, device: &Device, run: &Run, recipe: &Recipe, plan: Option<&str>) -> Result<Pruned> {
        let started = Instant::now();
        device.ledger().restart();
        let order = Order::new(&self.model, recipe, plan)?;
        let used = self.calibration.as_ref().map(|(_, used)| *used).filter(|_| order.reads_text());
        order.check_length(&self.model, recipe, used.as_ref())?;
        let mut before_shared = self.shared;
        if self.before.is_none() {
            let clock = Instant::now();
            self.before = self.evaluation.run(device, run, Phase::EvaluateDense, &self.model, None).await?.map(Rc::new);
            self.shared.evaluate_dense = clock.elapsed().as_secs_f64();
        }
        self.collect(device, run, order.needs).await?;
        let mut seconds = self.shared;
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

        // The output, laid out once for its size and evaluation, and once more with the report that they go into.
        run.report(Phase::Export, None, 0, 0.0);
        let clock = Instant::now();
        let mut artifacts = Artifacts {
            folder: &model.folder,
            checkpoint: &model.checkpoint,
            architecture: &model.architecture,
            config: &model.config,
            plan: &plan,
            options: &recipe.output,
            changed,
            recipe: text_of(recipe)?,
            plan_json: text_of(&plan)?,
            report: String::new(),
            card: Default::default(),
        };
        let draft = folder_of(&assemble(artifacts.clone(), scratch).await?)?;
        let pruned = Checkpoint::open(&draft).await?;
        seconds.export = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let after = match self.before.as_deref() {
            Some(before) => {
                let student = Model::open(&draft).await?;
                let reference = before.reference(model, &self.store);
                self.evaluation
                    .run(device, run, Phase::EvaluatePruned, &student, Some(reference))
                    .await?
                    .map(|after| after.compared(before))
            }
            None => None,
        };
        seconds.evaluate_pruned = clock.elapsed().as_secs_f64();
        // What an earlier recipe collected counts too: this one would have had to.
        seconds.total = started.elapsed().as_secs_f64() + before_shared.evaluate_dense + before_shared.calibrate + earlier;

        // Operations are counted at the text's length even where this recipe did not look at it, so that recipes can be compared.
        let mean_length = self.calibration.as_ref().map_or(0.0, |(_, used)| used.mean_length());
        // Factored layers do less work, which their own architecture tells.
        let factored = match recipe.output.kind {
            OutputKind::Factored => Some(Model::open(&draft).await?.architecture),
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
        artifacts.report = text_of(&report)?;
        artifacts.card = card(&report, &model.architecture.class);
        let files = assemble(artifacts, scratch).await?;
        run.cancel.check()?;
        run.report(Phase::Export, None, 0, 1.0);
        Ok(Pruned { files, plan, report })
    }

    /// Removes whole units: a plan, and pass 2.
    async fn remove_units(
        &mut self,
        device: &Device,
        run: &Run,
        recipe: &Recipe,
        order: Order,
        used: Option<&CalibrationUsed>,
    ) -> Result<Changes> {
        let mut earlier = 0.0;
        let clock = Instant::now();
        let (allocated, scores) = match (&recipe.method, order.given) {
            (_, Some(plan)) => (Allocated::new(plan, Vec::new()), None),
            (Method::Structured(method), None) => {
                earlier = self.score(device, run, method).await?;
                let allocated = self.decide(device, run, method, &recipe.output, used).await?;
                (allocated, self.scored.as_ref().filter(|_| !method.inside().is_empty()).map(|scored| UnitScores::by_layer(&scored.scores)))
            }
            _ => return Err(Error::internal("a plan recipe without its plan")),
        };
        let Allocated { plan, close_calls, latency, time, probes } = allocated;
        check_plan(&self.model.architecture, &plan, &recipe.output)?;
        let score = earlier + clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let (model, scratch) = (&self.model, self.output.as_ref());
        let empty = Calibration::new(&[], 1);
        let calibration = self.calibration.as_ref().map_or(&empty, |(calibration, _)| calibration);
        let repair = recipe.method.repair_recipe().ok_or_else(|| Error::internal("units without a repair"))?;
        let pass =
            SecondPass { device, run, model, plan: &plan, recipe, repair, calibration, statistics: &self.statistics, store: &self.store };
        let mut head = Vec::new();
        let (changed, layers) = match plan.kept_hidden(&model.architecture) {
            Some(hidden) => {
                let narrowed = pass.narrow(hidden, scratch).await?;
                head = narrowed.head;
                (narrowed.changed, narrowed.layers)
            }
            None if order.aware => pass.aware(scratch).await?,
            None => pass.plain(scratch).await?,
        };
        let spent = (score, clock.elapsed().as_secs_f64());
        let found = Found { close_calls, scores, latency, time, probes, rank_probes: None };
        Ok(Changes { plan, changed, layers, head, spent, earlier, found, linears: Vec::new(), kept_parameters: None })
    }

    /// What the allocation and then the criterion make of the scores.
    async fn decide(
        &self,
        device: &Device,
        run: &Run,
        method: &Structured,
        output: &OutputOptions,
        used: Option<&CalibrationUsed>,
    ) -> Result<Allocated> {
        let empty = Calibration::new(&[], 1);
        let whole = self.whole(device, run, method, &empty);
        let scores = self.scored.as_ref().map_or(&[][..], |scored| &scored.scores);
        let hidden = match method.removes(Structure::Hidden) {
            true => hidden_scores(&self.model.checkpoint, &self.model.architecture, &self.statistics, method.repair.affine).await?,
            false => Vec::new(),
        };
        let importance = Importance { layers: &self.statistics.influences, hidden: &hidden };
        let mut allocated = cut(&self.model, method, output, used)?.plan(&whole, scores, importance).await?;
        if method.criterion()?.refines(&method.options) {
            self.refine(device, run, method, &mut allocated.plan).await?;
        }
        Ok(allocated)
    }

    /// Scores by the method's criterion, unless they are there; then it gives the time that they took.
    async fn score(&mut self, device: &Device, run: &Run, method: &Structured) -> Result<f64> {
        let same = |scored: &Scored| {
            let asked = scored.criterion == method.criterion && scored.options == method.options && scored.units == method.inside();
            // Which units are screened depends on where the cut will be.
            asked && scored.affine == method.repair.affine && (method.options.screen == 1.0 || scored.ratio == method.ratio)
        };
        if let Some(scored) = self.scored.as_ref().filter(|scored| same(scored)) {
            return Ok(scored.seconds);
        }
        // What runs through the whole model has scores of its own.
        if method.inside().is_empty() {
            return Ok(0.0);
        }
        let clock = Instant::now();
        let scores = method.criterion()?.score_all(&self.whole(device, run, method, &Calibration::new(&[], 1))).await?;
        self.scored = Some(Scored {
            criterion: method.criterion.clone(),
            options: method.options,
            units: method.inside(),
            affine: method.repair.affine,
            ratio: method.ratio,
            scores,
            seconds: clock.elapsed().as_secs_f64(),
        });
        Ok(0.0)
    }

    fn whole<'a>(&'a self, device: &'a Device, run: &'a Run, method: &'a Structured, empty: &'a Calibration) -> Whole<'a> {
        Whole {
            device,
            run,
            checkpoint: &self.model.checkpoint,
            architecture: &self.model.architecture,
            units: method.inside(),
            calibration: self.calibration.as_ref().map_or(empty, |(calibration, _)| calibration),
            statistics: &self.statistics,
            store: &self.store,
            affine: method.repair.affine,
            ratio: method.ratio,
            options: &method.options,
            seed: self.calibration_options.seed,
        }
    }

    /// Lets the criterion change which units stay, now that it is known how many.
    async fn refine(&self, device: &Device, run: &Run, method: &Structured, plan: &mut Plan) -> Result<()> {
        let empty = Calibration::new(&[], 1);
        let whole = self.whole(device, run, method, &empty);
        for (index, (kept, layer)) in plan.layers.iter_mut().zip(&self.model.architecture.layers).enumerate() {
            let cut: Vec<Unit> = method.inside().into_iter().filter(|&unit| kept.kept(unit).len() < layer.units(unit)).collect();
            if cut.is_empty() || kept.is_removed() {
                continue;
            }
            let host = whole.host(index).await?;
            for unit in cut {
                let better = method.criterion()?.refine(&whole.site(index, unit, &host), kept.kept(unit).to_vec()).await?;
                *kept.kept_mut(unit) = better;
            }
        }
        Ok(())
    }
}
