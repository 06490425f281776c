//! Statistics of the inputs of every consumer of prunable units, streamed layer by layer.

mod dense;
mod influence;
mod inputs;
mod mask_gradients;
mod moments;
mod readers;
mod statistics;
mod store;
mod stream;

pub use dense::{Calibration, dense_pass};
pub use influence::Influence;
pub use inputs::{InputStatistics, Sample, Sampling};
pub use mask_gradients::{LossTargets, MaskGradients, mask_gradients};
pub use moments::{HostSums, Moments, SiteMoments};
pub use readers::Readers;
pub use statistics::{KeptMoments, SiteStatistics, Statistics};
pub use store::{Kept, Shelf, Shelves, Store, Tier, Tiers};
pub use stream::Stream;

/// What a criterion or a repair needs to be collected. Column sums and sums of squares are always taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Any statistic at all; without it the calibration pass is left out.
    pub statistics: bool,
    /// The Gram matrix of the consumer's input.
    pub gram: bool,
    /// Column sums of what the residual stream's readers read.
    pub readers: bool,
    /// Gram matrices of what the residual stream's readers read.
    pub reader_grams: bool,
    /// Gradients of the loss with respect to masks on units, which the criterion takes itself: a pass up and down all layers.
    pub gradients: bool,
    /// The classes of the calibration text, where it has them.
    pub labels: bool,
    /// All weights on the device at once: the criterion runs the model again for every unit.
    pub resident: bool,
}

impl Needs {
    /// Whether the calibration text is looked at.
    pub fn any(self) -> bool {
        self.statistics || self.gram || self.readers || self.reader_grams || self.gradients || self.resident
    }

    /// Everything that either needs.
    pub fn union(self, other: Self) -> Self {
        Self {
            statistics: [self, other].iter().any(|needs| needs.statistics || needs.gram || needs.readers || needs.reader_grams),
            gram: self.gram || other.gram,
            readers: self.readers || other.readers,
            reader_grams: self.reader_grams || other.reader_grams,
            gradients: self.gradients || other.gradients,
            labels: self.labels || other.labels,
            resident: self.resident || other.resident,
        }
    }

    /// What the pass over the dense model collects of it.
    pub fn of_pass(self) -> Self {
        Self { statistics: self.statistics, gram: self.gram, readers: self.readers, reader_grams: self.reader_grams, ..Self::default() }
    }
}
