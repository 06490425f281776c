//! Criteria: how much each unit matters. One file a criterion, one line in [`CRITERIA`].

mod fisher;
mod flap;
mod hidden;
mod kcm;
mod kprune;
mod magnitude;
mod obs;
mod optin;
mod options;
mod osscar;
mod pooled;
mod random;
mod second_moment;
mod site;
mod snip;
mod spectrum;
mod swaps;
mod system;
#[cfg(test)]
mod tests;
mod wanda_sp;
pub mod weights;
mod whole;

pub use hidden::hidden_scores;
pub use options::ScoreOptions;
pub use pooled::pooled_outputs;
pub use site::Site;
pub use spectrum::{
    FACTORISATIONS, Factorisation, Form, Inputs, LayerSpectra, Low, Member, Part, Scaling, Singles, Spectrum, factorisation, group, lower,
    spectrum_of,
};
pub use whole::Whole;

use crate::base::{Error, LocalFuture, Result};
use crate::calibrate::Needs;
use crate::model::Architecture;

/// What a criterion says about the units of one consumer.
#[derive(Debug, Clone, PartialEq)]
pub enum Scores {
    /// One score a unit; the larger, the more it matters.
    Independent(Vec<f64>),
    /// All units in the order in which they go, each with what its removal costs after those before it.
    Curve(Vec<Removal>),
}

/// One step of a removal curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Removal {
    /// Index of the unit.
    pub unit: u32,
    /// What its removal adds to the error, in the criterion's own measure.
    pub cost: f64,
}

/// Scores of a layer's units, where they were asked for: heads, then neurons.
pub type LayerScores = [Option<Scores>; 2];

impl Scores {
    /// Number of units.
    pub fn len(&self) -> usize {
        match self {
            Self::Independent(scores) => scores.len(),
            Self::Curve(curve) => curve.len(),
        }
    }

    /// Whether there is no unit.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One score a unit, [units]. On a curve a unit counts as much as the dearest of those that go before it, so that a
    /// threshold always takes a beginning of the curve.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Self::Independent(scores) => scores.clone(),
            Self::Curve(curve) => {
                let mut values = vec![0.0; curve.len()];
                let mut dearest = f64::NEG_INFINITY;
                for removal in curve {
                    dearest = dearest.max(removal.cost);
                    if let Some(value) = values.get_mut(removal.unit as usize) {
                        *value = dearest;
                    }
                }
                values
            }
        }
    }
}

/// How much calibration text there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Sequences.
    pub sequences: usize,
    /// Tokens in all of them.
    pub tokens: usize,
}

/// What a criterion computes itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Effort {
    /// Tokens that pass through all blocks; a token that passes through half of them counts half.
    pub passed: f64,
    /// Tokens whose states below every layer are kept.
    pub kept: usize,
    /// Floating-point operations on the device beside those.
    pub flops: f64,
    /// Most bytes on the device for one consumer, or beside all weights, at least.
    pub bytes: f64,
    /// Floating-point operations in f64 on the host.
    pub host_flops: f64,
    /// Most bytes on the host for one consumer.
    pub host_bytes: f64,
}

/// A criterion.
pub trait Criterion: Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;
    /// Name for people.
    fn title(&self) -> &'static str;
    /// One sentence: what it measures, and where it is from.
    fn summary(&self) -> &'static str;
    /// What calibration must collect for it.
    fn needs(&self) -> Needs;
    /// Names of the [`ScoreOptions`] that it takes.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }
    /// Whether its scores depend on whether a bias can take up what removed inputs give on average.
    fn by_bias(&self) -> bool {
        false
    }
    /// What it computes itself, beside the pass that collects what it needs, for this calibration text.
    fn effort(&self, _architecture: &Architecture, _options: &ScoreOptions, _text: Text) -> Effort {
        Effort::default()
    }
    /// Scores of the units of one consumer.
    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>>;
    /// Scores of all units that are asked for, by layer: consumer by consumer, unless a criterion looks at the whole model.
    fn score_all<'a>(&'a self, whole: &'a Whole<'a>) -> LocalFuture<'a, Result<Vec<LayerScores>>> {
        Box::pin(whole.by_site(async |site: &Site<'_>| self.score(site).await))
    }
    /// Units of one consumer to keep instead of `kept`, as many, once the allocation has said how many.
    fn refine<'a>(&'a self, _site: &'a Site<'a>, kept: Vec<u32>) -> LocalFuture<'a, Result<Vec<u32>>> {
        Box::pin(async move { Ok(kept) })
    }
    /// Whether [`Criterion::refine`] may change anything under these options.
    fn refines(&self, _options: &ScoreOptions) -> bool {
        false
    }
}

/// Every criterion.
pub const CRITERIA: &[&dyn Criterion] = &[
    &fisher::Fisher,
    &flap::Flap,
    &kcm::Kcm,
    &kprune::KPrune,
    &magnitude::Magnitude,
    &obs::Obs,
    &optin::Optin,
    &osscar::Osscar,
    &random::Random,
    &second_moment::SecondMoment,
    &snip::Snip,
    &wanda_sp::WandaSp,
];

/// Where a criterion that keeps the whole model on the device finds no room for it: the bytes that it needs and may use.
pub fn no_room_for_model(needed: u64, free: u64) -> Error {
    Error::budget(format!(
        "This criterion keeps all weights on the device and runs the model again for every unit; that takes {} MiB with the states of its sentences, and {} MiB are allowed; set method.score_sequences lower, take shorter calibration sequences, allow more memory, or choose another criterion.",
        needed.div_ceil(1 << 20),
        free >> 20
    ))
}

/// The criterion of this name.
///
/// # Errors
/// There is none; the message lists those there are.
pub fn criterion(name: &str) -> Result<&'static dyn Criterion> {
    CRITERIA.iter().copied().find(|criterion| criterion.name() == name).ok_or_else(|| {
        let names: Vec<&str> = CRITERIA.iter().map(|criterion| criterion.name()).collect();
        Error::recipe(format!("method.criterion is \"{name}\"; choose one of {}.", names.join(", ")))
    })
}
