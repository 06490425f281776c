//! Whole units: scores, plan, and pass 2.

use super::{Order, Session};
use crate::allocate::{Allocated, Importance, Plan};
use crate::base::{Error, Instant, Result, Run};
use crate::calibrate::Calibration;
use crate::device::Device;
use crate::export::{OutputOptions, check_plan};
use crate::job::changes::{Changes, Found};
use crate::job::cut;
use crate::job::repair::SecondPass;
use crate::job::report::UnitScores;
use crate::model::{Structure, Unit};
use crate::recipe::{Method, Recipe, Structured};
use crate::score::{LayerScores, ScoreOptions, Whole, hidden_scores};
use crate::text::CalibrationUsed;
use std::rc::Rc;

/// How many sets of scores a session keeps: a number for every unit of the model, each.
const SCORED: usize = 8;

/// Scores, and what they were asked for.
pub(super) struct Scored {
    criterion: String,
    options: ScoreOptions,
    units: Vec<Unit>,
    affine: bool,
    ratio: f64,
    scores: Rc<Vec<LayerScores>>,
    seconds: f64,
}

impl Scored {
    /// Whether these are the scores that a method asks for.
    fn fits(&self, method: &Structured) -> bool {
        let asked = self.criterion == method.criterion && self.options == method.options && self.units == method.inside();
        // Which units are screened depends on where the cut will be.
        asked && self.affine == method.repair.affine && (method.options.screen == 1.0 || self.ratio == method.ratio)
    }
}

impl Session {
    /// Removes whole units: a plan, and pass 2.
    pub(super) async fn remove_units(
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
                let scores;
                (scores, earlier) = self.score(device, run, method).await?;
                let known = scores.as_deref().map_or(&[][..], Vec::as_slice);
                let allocated = self.decide(device, run, method, &recipe.output, used, known).await?;
                (allocated, scores.map(|scores| UnitScores::by_layer(&scores)))
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
        let pass = SecondPass {
            device,
            run,
            model,
            plan: &plan,
            recipe,
            repair,
            calibration,
            statistics: &self.statistics,
            store: &self.store,
            targets: self.shares.then_some(&self.targets),
        };
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
        scores: &[LayerScores],
    ) -> Result<Allocated> {
        let empty = Calibration::new(&[], 1);
        let whole = self.whole(device, run, method, &empty);
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

    /// Scores by the method's criterion, and the time that they took where they were there already. None, where what goes runs through
    /// the whole model, which has scores of its own.
    async fn score(&mut self, device: &Device, run: &Run, method: &Structured) -> Result<(Option<Rc<Vec<LayerScores>>>, f64)> {
        if method.inside().is_empty() {
            return Ok((None, 0.0));
        }
        if let Some(place) = self.scored.iter().position(|scored| scored.fits(method)) {
            let scored = self.scored.remove(place);
            let found = (Some(scored.scores.clone()), scored.seconds);
            self.scored.push(scored);
            return Ok(found);
        }
        let clock = Instant::now();
        let scores = method.criterion()?.score_all(&self.whole(device, run, method, &Calibration::new(&[], 1))).await?;
        let scores = Rc::new(scores);
        if self.scored.len() == SCORED {
            self.scored.remove(0);
        }
        self.scored.push(Scored {
            criterion: method.criterion.clone(),
            options: method.options,
            units: method.inside(),
            affine: method.repair.affine,
            ratio: method.ratio,
            scores: scores.clone(),
            seconds: clock.elapsed().as_secs_f64(),
        });
        Ok((Some(scores), 0.0))
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
