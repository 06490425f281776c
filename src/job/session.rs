//! A model with its texts and everything that was collected over them: many recipes can be tried on one.

mod attempt;
mod order;
mod units;

pub(super) use order::Order;
use units::Scored;

use super::evaluation::{self, Measured};
use super::low_rank::Taken;
use super::report::Seconds;
use super::targets::Targets;
use super::{Inputs, Model, Storage, calibration, estimate};
use crate::base::{Error, Instant, Phase, Result, Run};
use crate::calibrate::{Calibration, Needs, Statistics, Store, Tiers, dense_pass};
use crate::checkpoint::{Folder, Scratch};
use crate::device::Device;
use crate::recipe::Recipe;
use crate::text::{CalibrationOptions, CalibrationUsed};
use std::rc::Rc;

/// What recipes can share: the model, the calibration and the evaluation text, what was collected over them, and the scores
/// that were computed from that.
pub struct Session {
    pub(super) model: Model,
    calibration_options: CalibrationOptions,
    pub(super) calibration: Option<(Calibration, CalibrationUsed)>,
    /// Whether the classes that the text names were read too.
    labelled: bool,
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
    /// Scores, the most recent last.
    scored: Vec<Scored>,
    /// Spectra of the linear layers.
    pub(super) spectra: Option<Taken>,
    /// What plain repairs aim at, whatever is kept.
    targets: Targets,
    /// Whether other recipes will follow, so that what they can share is worth keeping.
    shares: bool,
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
        let labelled = orders.iter().any(|order| order.needs.labels);
        let calibration = match orders.iter().any(Order::reads_text) {
            true => Some(calibration(device, &model, first, inputs, labelled).await?),
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
            labelled,
            evaluation,
            before: None,
            collected: Needs::default(),
            statistics: Statistics::default(),
            store: Store::new(room, storage.shelves),
            output: storage.output,
            shared: Seconds::default(),
            scored: Vec::new(),
            spectra: None,
            targets: Targets::default(),
            shares: false,
        })
    }

    /// Says that several recipes will be carried out: from here on what they can share is kept, where there is room.
    pub(super) fn share(&mut self) {
        self.shares = true;
    }

    /// Bytes that are kept for the next recipe, by where they are.
    pub fn held(&self) -> Tiers {
        self.store.live()
    }

    /// Makes ready for a recipe with the same calibration and evaluation that the session was not opened for: draws the text if it was
    /// not needed before, and gives up what is kept where the recipe needs its room; that is collected again.
    ///
    /// # Errors
    /// The recipe or its text is not right, or it cannot fit even so.
    pub(super) async fn admit(&mut self, device: &Device, recipe: &Recipe, inputs: &Inputs) -> Result<()> {
        let order = Order::new(&self.model, recipe, inputs.plan.as_deref())?;
        if order.reads_text() && (self.calibration.is_none() || order.needs.labels && !self.labelled) {
            self.calibration = Some(calibration(device, &self.model, recipe, inputs, order.needs.labels).await?);
            self.labelled = order.needs.labels;
        }
        let used = self.calibration.as_ref().map(|(_, used)| used);
        let task = estimate::Task::new(device, &self.model, recipe, &order, used, &self.evaluation);
        let free = super::free_budget(device) + self.store.live().device;
        let (room, _) = task.memory().place(free, self.store.shelves())?;
        self.store.limit(room);
        // Hidden states that wait need the room more than what is computed again in a moment.
        if order.aware || order.narrows || order.own_pass || self.store.live().device > room {
            self.targets.clear();
        }
        if self.store.live().device > room {
            self.forget();
        }
        if self.store.live().device > room {
            self.before = None;
        }
        Ok(())
    }

    /// Gives up what was collected.
    fn forget(&mut self) {
        self.targets.clear();
        self.statistics = Statistics::default();
        self.collected = Needs::default();
        self.spectra = None;
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Measures the dense model on the evaluation text, if there is one and it is not done yet; where others follow, keeps its states for
    /// the comparison with them.
    ///
    /// # Errors
    /// The device fails, the run is cancelled, or the model gives what is no number.
    pub(super) async fn evaluate_dense(&mut self, device: &Device, run: &Run) -> Result<()> {
        if self.before.is_none() {
            let clock = Instant::now();
            let measured = match self.shares {
                true => self.evaluation.run_and_keep(device, run, &self.model, &self.store).await?,
                false => self.evaluation.run(device, run, Phase::EvaluateDense, &self.model, None).await?,
            };
            self.before = measured.map(Rc::new);
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
        // The old ones first, so that the new ones find their room.
        self.forget();
        let (calibration, _) = self.calibration.as_ref().ok_or_else(super::no_calibration)?;
        let clock = Instant::now();
        self.statistics =
            dense_pass(device, run, &self.model.checkpoint, &self.model.architecture, calibration, wanted, &self.store).await?;
        self.collected = wanted;
        self.shared.calibrate += clock.elapsed().as_secs_f64();
        Ok(())
    }
}
