//! The least-squares problem of one consumer, as sums over tokens.

use crate::base::{Error, Result};
use crate::calibrate::{HostSums, Moments};
use crate::device::{Device, Op, Tensor};

/// Kept inputs x, [k], and wanted outputs y, [d] (without the consumer's bias), as sums over `count` tokens.
#[derive(Debug, Clone)]
pub struct Problem {
    count: f64,
    /// Whether the consumer has, or can be given, a bias; without one nothing is centred.
    affine: bool,
    /// Sum of x x^T, [k, k]; absent where only means are needed.
    gram: Option<Tensor>,
    /// Sum of x y^T, [k, d]; absent with `gram`.
    cross: Option<Tensor>,
    x: HostSums,
    /// Sum of y, [d].
    y_sums: Vec<f64>,
    /// Sum of |y|^2; absent with `gram`.
    y_square: Option<f64>,
}

/// What a dense consumer gives on all of its inputs, as sums over tokens: the same, whatever is kept of them.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Sum of y, [d].
    sums: Vec<f64>,
    /// Sum of x y^T over all n inputs x, [n, d], and of |y|^2; absent where only means are needed.
    cross: Option<(Tensor, f64)>,
}

impl Wanted {
    /// From the sums of the inputs, `all` and `gram`, [n, n], and the consumer's weight, [n, d].
    pub async fn new(device: &Device, all: &HostSums, gram: Option<&Tensor>, weight: &Tensor) -> Result<Self> {
        let sums = device.upload(1, all.sums.len(), &narrow(&all.sums)).await?;
        let sums = wide(&device.read(&device.matmul(&sums, Op::N, weight, Op::N).await?).await?);
        let cross = match gram {
            Some(gram) => {
                let cross = device.matmul(gram, Op::N, weight, Op::N).await?;
                let square = device.dot(&cross, weight).await?;
                Some((cross, square))
            }
            None => None,
        };
        Ok(Self { sums, cross })
    }

    /// Sum of x y^T, where there is a Gram matrix.
    pub fn cross(&self) -> Option<&Tensor> {
        self.cross.as_ref().map(|(cross, _)| cross)
    }
}

/// New weights of a consumer.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Weights, [kept, outputs].
    pub weight: Tensor,
    /// What is added to the bias, [outputs].
    pub shift: Vec<f64>,
    /// Damping that was used, as a multiple of the mean diagonal of the system; 0 where none was.
    pub damping: f64,
    /// Smallest relative pivot of the factorisation, where there was one.
    pub smallest_pivot: Option<f64>,
}

impl Problem {
    /// Plain: the consumer should give on the kept inputs what the dense consumer gives on all n inputs, which is `wanted`; `all` and
    /// `gram`, [n, n], are the inputs' sums.
    pub async fn plain(
        device: &Device,
        all: &HostSums,
        gram: Option<&Tensor>,
        wanted: &Wanted,
        kept: &[u32],
        affine: bool,
    ) -> Result<Self> {
        let pick = |values: &[f64]| kept.iter().map(|&i| values[i as usize]).collect();
        let x = HostSums { count: all.count, sums: pick(&all.sums), squares: pick(&all.squares) };
        let (gram, cross, y_square) = match (gram, &wanted.cross) {
            (Some(gram), Some((all_cross, square))) => {
                let cross = device.select(all_cross, Some(kept), None).await?;
                (Some(device.select(gram, Some(kept), Some(kept)).await?), Some(cross), Some(*square))
            }
            _ => (None, None, None),
        };
        let y_sums = wanted.sums.clone();
        Ok(Self { count: all.count, affine, gram, cross, x, y_sums, y_square })
    }

    /// Error-aware: moments of the student's kept inputs, and what its outputs should be, as sums. `cross` goes with the inputs' Gram
    /// matrix.
    pub async fn aware(device: &Device, inputs: &Moments, cross: Option<&Tensor>, outputs: &Moments, affine: bool) -> Result<Self> {
        let x = inputs.read_sums(device).await?;
        let y = outputs.read_sums(device).await?;
        let y_square = cross.map(|_| y.squares.iter().sum());
        Ok(Self { count: x.count, affine, gram: inputs.gram.clone(), cross: cross.cloned(), x, y_sums: y.sums, y_square })
    }

    /// The same problem over the tokens of both.
    pub async fn plus(&self, device: &Device, other: &Self) -> Result<Self> {
        let sum = async |a: &Option<Tensor>, b: &Option<Tensor>| match (a, b) {
            (Some(a), Some(b)) => device.add(a, b, 1.0).await.map(Some),
            _ => Ok(None),
        };
        Ok(Self {
            count: self.count + other.count,
            affine: self.affine,
            gram: sum(&self.gram, &other.gram).await?,
            cross: sum(&self.cross, &other.cross).await?,
            x: self.x.clone().merged(&other.x),
            y_sums: self.y_sums.iter().zip(&other.y_sums).map(|(a, b)| a + b).collect(),
            y_square: self.y_square.zip(other.y_square).map(|(a, b)| a + b),
        })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.y_sums.len()
    }

    /// Whether the consumer has a bias, or can be given one.
    pub(super) fn affine(&self) -> bool {
        self.affine
    }

    /// Number of tokens.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Mean variance of the kept inputs, times the number of tokens: the scale of the damping.
    pub(super) fn mean_variance(&self) -> f64 {
        let count = self.count.max(1.0);
        let variances = if self.affine { self.x.variances() } else { self.x.squares.iter().map(|square| square / count).collect() };
        self.count * variances.iter().sum::<f64>() / variances.len().max(1) as f64
    }

    /// Sum of centred x x^T, [k, k], plus `damping` on the diagonal.
    pub(super) async fn centred_gram(&self, device: &Device, damping: f64) -> Result<Tensor> {
        let gram = self.gram.as_ref().ok_or_else(|| Error::internal("a repair without its Gram matrix"))?;
        // With a mean of sum / sqrt(count) and a count of 1 the operation gives the sum, not the average.
        let root = self.count.max(1.0).sqrt();
        let mean: Vec<f32> = self.x.sums.iter().map(|sum| if self.affine { (sum / root) as f32 } else { 0.0 }).collect();
        let mean = device.upload(1, mean.len(), &mean).await?;
        let all: Vec<u32> = (0..gram.rows() as u32).collect();
        device.covariance(gram, &mean, 1.0, &all, &all, damping as f32).await
    }

    /// Sum of centred x y^T, [k, d].
    pub(super) async fn centred_cross(&self, device: &Device) -> Result<Tensor> {
        let cross = self.cross.as_ref().ok_or_else(|| Error::internal("a repair without its cross-Gram"))?;
        if !self.affine {
            return Ok(cross.clone());
        }
        let (x, y) = (narrow(&self.x.sums), narrow(&self.y_sums));
        let (x, y) = (device.upload(x.len(), 1, &x).await?, device.upload(1, y.len(), &y).await?);
        device.add(cross, &device.matmul(&x, Op::N, &y, Op::N).await?, (-1.0 / self.count.max(1.0)) as f32).await
    }

    /// Mean of y - x V for weights V, [k, d]: what the bias must add.
    pub(super) async fn shift(&self, device: &Device, weight: &Tensor) -> Result<Vec<f64>> {
        if !self.affine {
            return Ok(vec![0.0; self.outputs()]);
        }
        let sums = device.upload(1, self.x.sums.len(), &narrow(&self.x.sums)).await?;
        let given = wide(&device.read(&device.matmul(&sums, Op::N, weight, Op::N).await?).await?);
        Ok(self.y_sums.iter().zip(given).map(|(wanted, given)| (wanted - given) / self.count.max(1.0)).collect())
    }

    /// Relative error of a fit on these tokens: the squared error over the variance of y. `None` where it cannot be told.
    pub async fn error(&self, device: &Device, fit: &Fit) -> Result<Option<f64>> {
        let Some(y_square) = self.y_square.filter(|_| self.count > 0.0) else { return Ok(None) };
        let centre = if self.affine { self.y_sums.iter().map(|sum| sum * sum / self.count).sum() } else { 0.0 };
        let spread = y_square - centre;
        let cross = self.centred_cross(device).await?;
        let explained = device.matmul(&self.centred_gram(device, 0.0).await?, Op::N, &fit.weight, Op::N).await?;
        let (explained, crossed) = (device.dot(&explained, &fit.weight).await?, 2.0 * device.dot(&cross, &fit.weight).await?);
        let squared = spread + explained - crossed;
        // No sum of squares is negative: beyond rounding, these are sums that do not belong together, and tell nothing.
        if squared.is_nan() || squared < -ROUNDING * (y_square + explained.abs() + crossed.abs()) {
            return Ok(None);
        }
        let wanted = self.shift(device, &fit.weight).await?;
        let offset: f64 = wanted.iter().zip(&fit.shift).map(|(wanted, shift)| (wanted - shift).powi(2)).sum();
        let error = squared.max(0.0) + self.count * offset;
        Ok((spread > 0.0).then(|| error / spread))
    }
}

/// Of f32 sums over many tokens, relative to the largest of them, with much to spare.
const ROUNDING: f64 = 1e-4;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}
