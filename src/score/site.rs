//! What a criterion is given: one consumer with its producers and statistics.

use crate::base::Result;
use crate::calibrate::SiteStatistics;
use crate::checkpoint::Matrix;
use crate::device::Device;
use crate::forward::HostLayer;
use crate::model::Unit;

/// A consumer (attention output or second FFN matrix) of `channels` channels, `unit_size` of them a unit.
pub struct Site<'a> {
    /// Where statistics lie.
    pub device: &'a Device,
    /// Kind of unit.
    pub unit: Unit,
    /// Channels of one unit.
    pub unit_size: usize,
    /// The block's weights.
    pub host: &'a HostLayer,
    /// Statistics of the consumer's input, where the criterion asked for them.
    pub statistics: Option<&'a SiteStatistics>,
}

impl Site<'_> {
    /// The consumer's weight.
    pub fn consumer(&self) -> &Matrix {
        match self.unit {
            Unit::Heads => &self.host.attention_output.weight,
            Unit::Neurons => &self.host.ffn_output.weight,
        }
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
        let units = self.consumer().inputs() / self.unit_size.max(1);
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
