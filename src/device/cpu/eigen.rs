//! Eigenvectors in f64.

use super::Cpu;
use crate::base::algebra::{Dense, eigen};
use crate::base::{Pace, Result};
use crate::device::{Eigen, Tensor};

impl Cpu {
    /// See [`crate::device::Device::eigen`].
    pub async fn eigen(&self, a: &Tensor) -> Result<Eigen> {
        let n = a.rows;
        let wide = a.cpu()?.values()?.into_iter().map(f64::from).collect();
        let (values, vectors) = eigen(Dense::new(n, n, wide)?, &mut Pace::new(&self.cancel)).await?;
        let vectors = self.tensor_of(n, n, vectors.values.into_iter().map(|v| v as f32).collect())?;
        Ok(Eigen { values: values.into_iter().map(|value| value.max(0.0)).collect(), vectors })
    }
}
