//! Many recipes on one model. Those that have the same calibration share one pass of statistics, those that have the same evaluation
//! one evaluation of the dense model.

mod key;
mod recipes;
mod row;
#[cfg(test)]
mod tests;

pub use recipes::{Named, recipes};
pub use row::Row;

use super::evaluation::Measured;
use super::session::Order;
use super::{Inputs, Model, Report, Session, Storage};
use crate::base::{Error, ErrorKind, Result, Run};
use crate::calibrate::Needs;
use crate::checkpoint::Folder;
use crate::device::Device;
use crate::recipe::{Method, Recipe};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// Recipes to try on one model.
pub struct Sweep<'a> {
    /// The recipes. Plans that they name must have been put into them.
    pub recipes: &'a [Named],
    /// Reads the texts that a recipe names.
    pub inputs: &'a dyn Fn(&Recipe) -> Result<Inputs>,
    /// Gives empty storage, once for every calibration.
    pub storage: &'a dyn Fn() -> Result<Storage>,
    /// Keys of the rows that are there already.
    pub known: &'a HashSet<String>,
}

/// What a sweep tells while it runs.
pub enum Event<'a> {
    /// A recipe begins.
    Begins {
        /// Which one of those that were not there already, from 0.
        index: usize,
        /// How many those are.
        count: usize,
        /// Its name.
        name: &'a str,
    },
    /// A recipe is done.
    Done(Box<Row>),
}

/// Receives what a sweep tells; its error ends the sweep.
pub type Watch<'a> = dyn FnMut(Event<'_>) -> Result<()> + 'a;

/// A recipe that is to be done.
struct Todo<'a> {
    /// Its place among the recipes, from 0.
    index: usize,
    named: &'a Named,
    key: String,
    /// What it needs of the calibration, or why it cannot be done on this model.
    needs: std::result::Result<Needs, String>,
}

impl Sweep<'_> {
    /// Carries the recipes out, but for those whose row is there already: grouped by what they share, otherwise in their order. No
    /// output is kept. A recipe that cannot be carried out, whose ratio for example is out of reach, whose text is not right or which does
    /// not fit into memory, gives a row with its sentence as the error.
    ///
    /// # Errors
    /// The folder is not right, a text cannot be read, two recipes are the same, or not one recipe can be begun, all before any work; the
    /// device fails, the run is cancelled, or `watch` fails.
    pub async fn run(&self, device: &Device, run: &Run, folder: &Folder, watch: &mut Watch<'_>) -> Result<()> {
        let model = Model::open(folder).await?;
        let mut todo = self.todo(&model).await?;
        // What cannot be begun must not be found after hours of others.
        let mut first = self.begin(device, folder, &mut todo).await?;
        let groups: Vec<&[Todo<'_>]> = todo.chunk_by(|a, b| a.shares_calibration(b)).collect();
        let mut dense: Option<(&Todo<'_>, Rc<Measured>, f64)> = None;
        let mut begun = 0;
        for group in groups {
            let mut session = match first.take() {
                Some(session) => Some(session),
                None => self.open(device, folder, group).await.map_err(|error| group[0].numbered(error))?,
            };
            if let (Some(session), Some((other, measured, seconds))) = (&mut session, &dense)
                && group[0].shares_evaluation(other)
            {
                session.set_dense((measured.clone(), *seconds));
            }
            for one in group {
                run.cancel.check()?;
                watch(Event::Begins { index: begun, count: todo.len(), name: &one.named.name })?;
                begun += 1;
                let result = match (&one.needs, &mut session) {
                    (Err(error), _) => Err(error.clone()),
                    (Ok(_), None) => return Err(Error::internal("a recipe without its session")),
                    (Ok(_), Some(session)) => {
                        // What is shared first: where that fails, it is not the recipe's fault.
                        session.evaluate_dense(device, run).await?;
                        session.collect(device, run, union(group)).await?;
                        pruned(session, device, run, &one.named.recipe).await?
                    }
                };
                watch(Event::Done(Box::new(Row::new(one.named, &one.key, &model.architecture.class, result))))?;
            }
            if let Some((measured, seconds)) = session.and_then(|session| session.dense()) {
                dense = Some((&group[0], measured, seconds));
            }
        }
        Ok(())
    }

    /// The recipes whose rows are not there yet, those that share something side by side.
    async fn todo<'b>(&'b self, model: &Model) -> Result<Vec<Todo<'b>>> {
        let of_model = key::of_model(model).await?;
        let mut texts = BTreeMap::new();
        let mut numbers = BTreeMap::new();
        let mut todo: Vec<Todo<'b>> = Vec::new();
        for (index, named) in self.recipes.iter().enumerate() {
            let recipe = &named.recipe;
            let numbered = |error: Error| numbered(index, named, error);
            let sources = (&recipe.calibration.source, recipe.evaluation.as_ref().and_then(|evaluation| evaluation.source.as_ref()));
            let of_texts = match texts.get(&sources) {
                Some(digest) => *digest,
                None => {
                    let digest = key::of_texts(&(self.inputs)(recipe).map_err(numbered)?);
                    texts.insert(sources, digest);
                    digest
                }
            };
            let key = key::of_row(of_model, of_texts, recipe)?;
            if let Some(first) = numbers.insert(key.clone(), index) {
                let (first, second) = (first + 1, index + 1);
                return Err(Error::recipe(format!(
                    "Recipe {second} ({}) is the same as recipe {first}; leave one of them out.",
                    named.name
                )));
            }
            if self.known.contains(&key) {
                continue;
            }
            let needs = match Order::new(model, recipe, None) {
                Ok(order) => Ok(order.needs),
                Err(error) if error.kind() == ErrorKind::Recipe => Err(error.to_string()),
                Err(error) => return Err(numbered(error)),
            };
            todo.push(Todo { index, named, key, needs });
        }
        let first = |shares: &dyn Fn(&Todo<'b>) -> bool| todo.iter().position(shares);
        let mut order: Vec<usize> = (0..todo.len()).collect();
        order.sort_by_cached_key(|&index| {
            let one = &todo[index];
            [
                first(&|other| one.shares_evaluation(other)),
                first(&|other| one.shares_calibration(other)),
                first(&|other| one.shares_scores(other)),
            ]
        });
        let mut todo: Vec<Option<Todo<'b>>> = todo.into_iter().map(Some).collect();
        Ok(order.into_iter().filter_map(|index| todo[index].take()).collect())
    }

    /// Opens every group once, and one by one the recipes of a group that cannot be opened: those at fault get their sentence. Gives the
    /// session where there is only one group.
    async fn begin(&self, device: &Device, folder: &Folder, todo: &mut [Todo<'_>]) -> Result<Option<Session>> {
        let mut failed = None;
        let mut begun = todo.is_empty();
        let mut only = None;
        let groups: Vec<usize> = todo.chunk_by(|a, b| a.shares_calibration(b)).map(<[_]>::len).collect();
        let mut rest = todo;
        for &length in &groups {
            let (group, others) = rest.split_at_mut(length);
            rest = others;
            match self.open(device, folder, group).await {
                Ok(session) => {
                    begun = true;
                    only = session.filter(|_| groups.len() == 1);
                }
                Err(error) if !at_fault(&error) => return Err(group[0].numbered(error)),
                Err(_) => {
                    for one in group.iter_mut().filter(|one| one.needs.is_ok()) {
                        match self.open(device, folder, std::slice::from_ref(one)).await {
                            Ok(_) => begun = true,
                            Err(error) if !at_fault(&error) => return Err(one.numbered(error)),
                            Err(error) => {
                                one.needs = Err(error.to_string());
                                failed.get_or_insert_with(|| one.numbered(error));
                            }
                        }
                    }
                }
            }
        }
        match failed.filter(|_| !begun) {
            Some(error) => Err(error),
            None => Ok(only),
        }
    }

    /// A session for the recipes of a group that can be carried out; nothing where there is none.
    async fn open(&self, device: &Device, folder: &Folder, group: &[Todo<'_>]) -> Result<Option<Session>> {
        let possible = group.iter().filter(|todo| todo.needs.is_ok());
        let recipes: Vec<Recipe> = possible.map(|todo| todo.named.recipe.clone()).collect();
        let Some(first) = recipes.first() else { return Ok(None) };
        let inputs = (self.inputs)(first)?;
        let mut session = Session::open(device, folder, &recipes, &inputs, (self.storage)()?).await?;
        session.share();
        Ok(Some(session))
    }
}

/// Whether an error is one of a recipe, of its texts or of what it would need, and not of the machine.
fn at_fault(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Recipe | ErrorKind::Input | ErrorKind::Budget)
}

/// An error with the number and the name of its recipe.
fn numbered(index: usize, named: &Named, error: Error) -> Error {
    Error::new(error.kind(), format!("Recipe {} ({}): {error}", index + 1, named.name))
}

impl Todo<'_> {
    fn numbered(&self, error: Error) -> Error {
        numbered(self.index, self.named, error)
    }

    fn shares_evaluation(&self, other: &Self) -> bool {
        self.named.recipe.evaluation == other.named.recipe.evaluation
    }

    fn shares_calibration(&self, other: &Self) -> bool {
        self.shares_evaluation(other) && self.named.recipe.calibration == other.named.recipe.calibration
    }

    /// A session keeps the scores of one criterion at a time.
    fn shares_scores(&self, other: &Self) -> bool {
        let Method::Structured(own) = &self.named.recipe.method else { return false };
        let Method::Structured(other_method) = &other.named.recipe.method else { return false };
        let same = (&own.criterion, &own.units, &own.options) == (&other_method.criterion, &other_method.units, &other_method.options);
        self.shares_calibration(other) && same
    }
}

/// What the recipes of a group need of the calibration.
fn union(group: &[Todo<'_>]) -> Needs {
    group.iter().filter_map(|todo| todo.needs.as_ref().ok()).fold(Needs::default(), |all, needs| all.union(*needs))
}

/// The report of one recipe, or why it cannot be carried out. Its output goes.
async fn pruned(session: &mut Session, device: &Device, run: &Run, recipe: &Recipe) -> Result<std::result::Result<Report, String>> {
    match session.prune(device, run, recipe, None).await {
        Ok(pruned) => Ok(Ok(pruned.report)),
        // Some things show only on the way: a ratio that depends on what was measured, weights that overflow.
        Err(error) if matches!(error.kind(), ErrorKind::Recipe | ErrorKind::Input) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
