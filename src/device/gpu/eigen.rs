//! Eigenvectors of positive semi-definite matrices: A = L Lᵀ on the host in f64, then one-sided Jacobi rotations of the rows of Lᵀ,
//! which become the roots of the eigenvalues times the eigenvectors (Veselić and Hari, 1989). Nothing has to be turned along. Should
//! the rotations not come to an end, the host computes them.

use super::Gpu;
use super::context::Tiling;
use super::record::Launch;
use super::shader::Kernel;
use crate::base::algebra::{Dense, dot, eigen};
use crate::base::{Error, Pace, Result};
use crate::device::{Eigen, Op, Tensor};

/// Sweeps over all pairs; nine to eleven are needed for widths of 192 to 384.
const SWEEPS: usize = 30;
/// Rows are orthogonal where no pair has a larger cosine.
const ORTHOGONAL: f32 = 2e-6;
/// Rounding in f32 leaves about 1e-7 times the root of the length, and more between rows of very unequal lengths. Convergence is
/// quadratic below this, so where a sweep does not halve the largest cosine any more, only rounding is left.
const ROUNDING: f32 = 1e-3;
/// Pairs of one workgroup of jacobi_direct.wgsl.
const GROUP: usize = 64;

impl Gpu {
    /// See [`crate::device::Device::eigen`].
    pub async fn eigen(&self, a: &Tensor) -> Result<Eigen> {
        let n = a.rows;
        let values = self.read(a).await?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Error::internal("eigenvectors of what is not finite"));
        }
        let wide = Dense::new(n, n, values.into_iter().map(f64::from).collect())?;
        let largest = (0..n).map(|i| wide.at(i, i)).fold(0.0, f64::max);
        let mut rows = identity(n);
        if largest > 0.0 {
            let factor = factored(&wide, &mut Pace::new(&self.cancel)).await?;
            // Scaled so that no square leaves the range of f32.
            let scale = 1.0 / largest.sqrt();
            let upper: Vec<f32> = factor.transposed().values.into_iter().map(|value| (scale * value) as f32).collect();
            let Some(turned) = self.orthogonal(self.upload(n, n, &upper).await?).await? else {
                // Slower, and sure.
                let (values, vectors) = eigen(wide, &mut Pace::new(&self.cancel)).await?;
                let narrow: Vec<f32> = vectors.values.into_iter().map(|value| value as f32).collect();
                let values = values.into_iter().map(|value| value.max(0.0)).collect();
                return Ok(Eigen { values, vectors: self.upload(n, n, &narrow).await? });
            };
            rows = Dense::new(n, n, self.read(&turned).await?.into_iter().map(f64::from).collect())?;
            for i in 0..n {
                let length = dot(rows.row(i), rows.row(i)).sqrt().max(f64::MIN_POSITIVE);
                rows.row_mut(i).iter_mut().for_each(|entry| *entry /= length);
            }
        }
        // The lengths have drifted by the rounding of thousands of rotations; vᵀ A v is right to the square of what v is.
        let narrow = |rows: &Dense| rows.values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
        let product = self.matmul(&self.upload(n, n, &narrow(&rows)).await?, Op::N, a, Op::N).await?;
        let product: Vec<f64> = self.read(&product).await?.into_iter().map(f64::from).collect();
        let values: Vec<f64> = (0..n).map(|i| dot(rows.row(i), &product[i * n..(i + 1) * n]).max(0.0)).collect();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        let vectors = self.upload(n, n, &narrow(&rows.select_rows(&order))).await?;
        Ok(Eigen { values: order.iter().map(|&i| values[i]).collect(), vectors })
    }

    /// The rows of `a`, turned among each other until they are orthogonal; nothing where they do not become so.
    async fn orthogonal(&self, a: Tensor) -> Result<Option<Tensor>> {
        let players = a.rows.next_multiple_of(2);
        let pairs = players / 2;
        let direct = self.context.tiling() == Tiling::Direct;
        let kernel = Kernel::new(if direct { "jacobi_direct.wgsl" } else { "jacobi.wgsl" });
        let mut before = f32::INFINITY;
        for _ in 0..SWEEPS {
            let worst = self.zeros(1, pairs).await?;
            for round in 0..players - 1 {
                self.launch(Launch {
                    kernel: kernel.clone(),
                    storage: &[self.whole(&a)?, self.whole(&worst)?],
                    params: &[a.rows as u32, a.cols as u32, players as u32, round as u32],
                    groups: [if direct { pairs.div_ceil(GROUP) } else { pairs }, 1],
                    cost: 12.0 * (pairs * a.cols) as f64,
                })
                .await?;
            }
            let worst = self.read(&worst).await?.into_iter().fold(0.0, f32::max);
            if worst <= ORTHOGONAL || (worst <= ROUNDING && worst > 0.5 * before) {
                return Ok(Some(a));
            }
            before = worst;
        }
        Ok(None)
    }
}

/// L of A = L Lᵀ, slightly damped: rounding in f32 can leave a matrix that should be semi-definite indefinite.
async fn factored(a: &Dense, pace: &mut Pace<'_>) -> Result<Dense> {
    let mean = (0..a.rows).map(|i| a.at(i, i)).sum::<f64>() / a.rows as f64;
    let mut damping = 1e-7 * mean;
    loop {
        pace.step().await?;
        let mut damped = a.clone();
        (0..a.rows).for_each(|i| damped.row_mut(i)[i] += damping);
        match damped.cholesky() {
            Some(factor) => return Ok(factor),
            None if damping < mean => damping *= 10.0,
            None => return Err(Error::internal("eigenvectors of an indefinite matrix by Jacobi rotations")),
        }
    }
}

fn identity(n: usize) -> Dense {
    let mut identity = Dense::zeros(n, n);
    (0..n).for_each(|i| identity.row_mut(i)[i] = 1.0);
    identity
}
