//! A normalisation on the host, in the bits of the file: what a narrower residual stream changes beside linear layers.

use super::HostLinear;
use crate::base::Result;
use crate::checkpoint::{Checkpoint, Dtype, Matrix, encode};
use crate::model::Norm;

/// Gain and bias of a normalisation, a column each.
#[derive(Debug, Clone)]
pub struct HostNorm(HostLinear);

impl HostNorm {
    /// Reads a normalisation.
    pub async fn read(checkpoint: &Checkpoint, norm: &Norm) -> Result<Self> {
        HostLinear::read_columns(checkpoint, &norm.gain, norm.bias.as_deref()).await.map(Self)
    }

    /// Only these channels.
    pub fn keep(&self, channels: &[u32]) -> Self {
        Self(self.0.keep_outputs(channels))
    }

    /// In other dtypes, as [`HostLinear::converted`].
    pub fn converted(&self, dtype: impl Fn(Dtype) -> Dtype) -> Result<Self> {
        self.0.converted(dtype).map(Self)
    }

    /// With the gain multiplied by a factor; nothing where its dtype cannot hold that.
    pub fn scaled(&self, factor: f64) -> Result<Option<Self>> {
        let gains: Vec<f32> = self.gains()?.iter().map(|&gain| (f64::from(gain) * factor) as f32).collect();
        let encoded = encode(self.0.weight.dtype, &gains);
        let gain = Matrix { bytes: encoded.bytes, ..self.0.weight.clone() };
        Ok((encoded.overflowed == 0).then(|| Self(HostLinear { weight: gain, bias: self.0.bias.clone(), factor: None })))
    }

    /// The gain as it is stored.
    pub fn gain(&self) -> &Matrix {
        &self.0.weight
    }

    /// Values of the gain, [channels].
    pub fn gains(&self) -> Result<Vec<f32>> {
        self.0.weight.to_f32_inputs_major()
    }

    /// Values of the bias, [channels], where there is one.
    pub fn biases(&self) -> Result<Option<Vec<f32>>> {
        self.0.bias.as_ref().map(Matrix::to_f32_inputs_major).transpose()
    }
}
