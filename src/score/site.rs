//! What a criterion is given: one consumer with its producers and statistics.

use super::ScoreOptions;
use crate::base::{Error, Result, Run};
use crate::calibrate::{HostSums, SiteStatistics, Store};
use crate::checkpoint::Matrix;
use crate::device::Device;
use crate::forward::HostLayer;
use crate::model::Unit;

/// Rows of a Gram matrix that are read at once.
const GRAM_ROWS: usize = 256;

/// A consumer (attention output or second FFN matrix) of `channels` channels, `unit_size` of them a unit.
pub struct Site<'a> {
    /// Where statistics lie.
    pub device: &'a Device,
    /// When to stop.
    pub run: &'a Run,
    /// Index of the layer.
    pub layer: usize,
    /// Kind of unit.
    pub unit: Unit,
    /// Channels of one unit.
    pub unit_size: usize,
    /// Whether a bias can take up what removed inputs give on average: then moments are centred.
    pub affine: bool,
    /// The block's weights.
    pub host: &'a HostLayer,
    /// Statistics of the consumer's input, where the criterion asked for them.
    pub statistics: Option<&'a SiteStatistics>,
    /// Where their larger part is.
    pub store: &'a Store,
    /// Options of the criterion.
    pub options: &'a ScoreOptions,
    /// Seed of whatever is drawn.
    pub seed: u64,
}

impl Site<'_> {
    /// The consumer's weight.
    pub fn consumer(&self) -> &Matrix {
        match self.unit {
            Unit::Heads => &self.host.attention_output.weight,
            Unit::Neurons => &self.host.ffn_output.weight,
        }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.consumer().inputs() / self.unit_size.max(1)
    }

    /// Column sums of the consumer's input over all calibration tokens.
    ///
    /// # Errors
    /// Statistics were not collected, which is a defect: the criterion did not ask for them.
    pub fn sums(&self) -> Result<HostSums> {
        self.statistics.map(SiteStatistics::sums).ok_or_else(|| Error::internal("a criterion without statistics"))
    }

    /// Sum of x x^T over all calibration tokens in f64, row-major [channels, channels].
    ///
    /// # Errors
    /// It was not collected, which is a defect: the criterion did not ask for it.
    pub async fn gram(&self) -> Result<Vec<f64>> {
        let statistics = self.statistics.ok_or_else(|| Error::internal("a criterion without statistics"))?;
        let mut sum = Vec::new();
        for moments in [&statistics.fit, &statistics.held_out] {
            let Some(gram) = moments.gram(self.device, self.store).await? else { continue };
            let side = gram.rows();
            sum.resize(side * side, 0.0);
            // By rows: it is large, and in f64 twice as large.
            for first in (0..side).step_by(GRAM_ROWS) {
                let values = self.device.read_rows(&gram, first..side.min(first + GRAM_ROWS)).await?;
                sum[first * side..].iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(value));
            }
        }
        if sum.is_empty() { Err(Error::internal("a criterion without its Gram matrix")) } else { Ok(sum) }
    }

    /// Squared L2 norm of the consumer's outgoing weights of each channel, [channels].
    pub fn consumer_squares(&self) -> Result<Vec<f64>> {
        let matrix = self.consumer();
        Ok(row_squares(&matrix.to_f32_inputs_major()?, matrix.inputs()))
    }

    /// Squared L2 norm of the weights that produce each unit, biases left out, [units].
    pub fn producer_squares(&self) -> Result<Vec<f64>> {
        let mut producers = match self.unit {
            Unit::Heads => vec![&self.host.query, &self.host.key, &self.host.value],
            Unit::Neurons => vec![&self.host.ffn_input],
        };
        if self.unit == Unit::Neurons {
            producers.extend(&self.host.ffn_gate);
        }
        let units = self.units();
        let mut squares = vec![0.0; units];
        for producer in producers {
            let (values, outputs) = (producer.weight.to_f32_inputs_major()?, producer.weight.outputs());
            // Under grouped queries a unit has more query channels than key channels.
            let size = (outputs / units.max(1)).max(1);
            for row in values.chunks_exact(outputs.max(1)) {
                for (sum, unit) in squares.iter_mut().zip(row.chunks_exact(size)) {
                    *sum += unit.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
                }
            }
        }
        Ok(squares)
    }

    /// Sums a quantity of channels over each unit, [units].
    pub fn by_unit(&self, channels: &[f64]) -> Vec<f64> {
        channels.chunks_exact(self.unit_size.max(1)).map(|unit| unit.iter().sum()).collect()
    }
}

/// Squared norms of the rows of a row-major matrix.
fn row_squares(values: &[f32], rows: usize) -> Vec<f64> {
    let width = values.len() / rows.max(1);
    values.chunks_exact(width.max(1)).map(|row| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum()).collect()
}
