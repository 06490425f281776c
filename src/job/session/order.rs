//! What one recipe asks of a session.

use crate::allocate::{Budget, Plan};
use crate::base::Result;
use crate::calibrate::Needs;
use crate::job::{Model, check, cut, given_plan, leaves_repairs, narrows, nothing_to_remove};
use crate::recipe::{Method, Recipe, needs};
use crate::text::CalibrationUsed;

/// What one recipe asks of a session.
pub(in crate::job) struct Order {
    pub(in crate::job) given: Option<Plan>,
    pub(in crate::job) needs: Needs,
    pub(in crate::job) aware: bool,
    /// Whether the budget is one that is counted, or measured, over the calibration text.
    by_length: bool,
    /// Whether the method goes over the text by itself.
    pub(in crate::job) own_pass: bool,
    /// Whether the readers of the residual stream are repaired too.
    pub(in crate::job) narrows: bool,
}

impl Order {
    /// What the recipe asks for on this model.
    ///
    /// # Errors
    /// It cannot be done; the message says why.
    pub(in crate::job) fn new(model: &Model, recipe: &Recipe, plan: Option<&str>) -> Result<Self> {
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

    pub(in crate::job) fn reads_text(&self) -> bool {
        self.needs.any() || self.aware || self.by_length || self.own_pass
    }

    /// Checks what depends on the length of the sequences, once they are known.
    ///
    /// # Errors
    /// The ratio cannot be reached.
    pub(in crate::job) fn check_length(&self, model: &Model, recipe: &Recipe, used: Option<&CalibrationUsed>) -> Result<()> {
        match &recipe.method {
            Method::Structured(method) if self.by_length => cut(model, method, &recipe.output, used)?.check(),
            _ => Ok(()),
        }
    }
}
