//! How much a layer changes the residual stream: ShortGPT's block influence (Men et al., 2024).

use crate::base::{Error, Result};
use crate::device::{Device, Tensor};

/// Sums over tokens of 1 - cos of the angle between the residual stream below and above a layer.
pub struct Influence {
    count: f64,
    sums: Tensor,
}

impl Influence {
    /// Empty sums.
    pub async fn new(device: &Device) -> Result<Self> {
        Ok(Self { count: 0.0, sums: device.zeros(2, 1).await? })
    }

    /// Adds the tokens of a batch; both are [tokens, hidden].
    pub async fn add(&mut self, device: &Device, below: &Tensor, above: &Tensor) -> Result<()> {
        self.count += below.rows() as f64;
        device.column_stats(&device.cosine_distances(below, above).await?, &self.sums).await
    }

    /// The mean over all tokens, 0 to 2; the smaller, the less the layer does.
    ///
    /// # Errors
    /// The layer gave values that are not finite.
    pub async fn mean(self, device: &Device) -> Result<f64> {
        let sum = device.read(&self.sums).await?.first().copied().unwrap_or_default();
        if !sum.is_finite() {
            return Err(Error::input(
                "The model computes values that are not finite on the calibration text; its weights are damaged or overflow.",
            ));
        }
        Ok(f64::from(sum) / self.count.max(1.0))
    }
}
