//! A session that stays, for a person who tries one recipe after another: another ratio then costs no calibration.

use super::{Inputs, Pruned, Session, Storage};
use crate::base::{Error, Result, Run};
use crate::calibrate::Tiers;
use crate::checkpoint::Folder;
use crate::device::Device;
use crate::recipe::{EvaluationOptions, Recipe};
use crate::text::CalibrationOptions;

/// A model with its texts and what is known of them, until it is dropped.
pub struct Bench {
    session: Session,
    inputs: Inputs,
    calibration: CalibrationOptions,
    evaluation: Option<EvaluationOptions>,
}

impl Bench {
    /// Opens a folder for `recipe` and others with the same calibration and evaluation; checks that it can be carried out and fits.
    /// Nothing is run yet.
    ///
    /// # Errors
    /// The folder, the recipe or a text is not right, or the recipe cannot fit.
    pub async fn open(device: &Device, folder: &Folder, recipe: &Recipe, inputs: Inputs, storage: Storage) -> Result<Self> {
        let mut session = Session::open(device, folder, std::slice::from_ref(recipe), &inputs, storage).await?;
        session.share();
        Ok(Self { session, inputs, calibration: recipe.calibration.clone(), evaluation: recipe.evaluation.clone() })
    }

    /// Carries out a recipe. What an earlier one collected, scored or measured is not done again; the result is the same as that of a
    /// run from scratch. Only if `evaluate`, the model is measured on the evaluation text. After an error others can be tried, unless
    /// the device is lost.
    ///
    /// # Errors
    /// The recipe draws other texts, cannot be carried out or does not fit; the device fails, or the run is cancelled.
    pub async fn attempt(&mut self, device: &Device, run: &Run, recipe: &Recipe, evaluate: bool) -> Result<Pruned> {
        let differs = match (recipe.calibration != self.calibration, recipe.evaluation != self.evaluation) {
            (true, _) => "calibration",
            (_, true) => "evaluation",
            _ => {
                self.session.admit(device, recipe, &self.inputs).await?;
                return self.session.attempt(device, run, recipe, self.inputs.plan.as_deref(), evaluate).await;
            }
        };
        Err(Error::recipe(format!("The recipe's {differs} is not the one whose statistics are kept; open the model anew to try it.")))
    }

    /// Measures what a recipe gave and was not measured yet: gives it with the figures in its report and its model card.
    ///
    /// # Errors
    /// There is no evaluation text, the device fails, the run is cancelled, or a model gives what is no number.
    pub async fn measure(&mut self, device: &Device, run: &Run, pruned: &Pruned) -> Result<Pruned> {
        self.session.measure(device, run, pruned).await
    }

    /// Bytes that are kept for the next recipe, by where they are.
    pub fn held(&self) -> Tiers {
        self.session.held()
    }
}

#[cfg(test)]
mod tests;
