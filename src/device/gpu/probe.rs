//! A quick measurement, to choose between devices.

use super::Gpu;
use crate::base::{Instant, Result};
use crate::device::Op;

impl Gpu {
    /// Speed of a small matrix product in GFLOP/s: a few milliseconds on a GPU, under 200 on a software adapter.
    pub async fn quick_gflops(&self) -> Result<f64> {
        // The first product compiles the kernel.
        self.time_product(64).await?;
        let small = self.time_product(256).await?;
        // A real GPU has done this before the timer ticks, and needs more work to show what it can do.
        if small > 10.0 { self.time_product(1024).await } else { Ok(small) }
    }

    async fn time_product(&self, size: usize) -> Result<f64> {
        let values = vec![0.5; size * size];
        let a = self.upload(size, size, &values).await?;
        self.finish().await?;
        let begun = Instant::now();
        self.matmul(&a, Op::N, &a, Op::N).await?;
        self.finish().await?;
        Ok(2.0 * (size as f64).powi(3) / begun.elapsed().as_secs_f64().max(1e-4) / 1e9)
    }
}
