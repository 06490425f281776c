//! Which weights of a matrix become zero.

/// Zeros among weights [outputs, inputs].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    inputs: usize,
    zeros: Vec<bool>,
}

impl Mask {
    /// No zeros yet.
    pub fn new(outputs: usize, inputs: usize) -> Self {
        Self { inputs, zeros: vec![false; outputs * inputs] }
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Which weights of an output become zero, [inputs].
    pub fn row(&self, output: usize) -> &[bool] {
        &self.zeros[output * self.inputs..(output + 1) * self.inputs]
    }

    /// The same, to change.
    pub fn row_mut(&mut self, output: usize) -> &mut [bool] {
        &mut self.zeros[output * self.inputs..(output + 1) * self.inputs]
    }

    /// Which weights become zero, row after row.
    pub fn zeros(&self) -> &[bool] {
        &self.zeros
    }

    /// How many weights become zero.
    pub fn count(&self) -> usize {
        self.zeros.iter().filter(|zero| **zero).count()
    }

    /// The weights, [outputs, inputs], with their zeros.
    pub fn applied(&self, weights: &[f32]) -> Vec<f32> {
        weights.iter().zip(&self.zeros).map(|(&weight, &zero)| if zero { 0.0 } else { weight }).collect()
    }
}
