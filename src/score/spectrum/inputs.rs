//! What linear layers with the same input read, as far as their spectra need it.

use crate::base::algebra::Dense;
use crate::base::{Error, Result};
use crate::calibrate::{HostSums, KeptMoments, Store};
use crate::device::{Device, Tensor};

/// Damping of a Gram matrix that has no root, as a share of the mean of its diagonal, and the most that is tried.
const DAMPING: [f64; 2] = [1e-6, 1e-1];

/// Second moments of the inputs of linear layers, as means over tokens.
pub struct Inputs {
    /// E x xᵀ, [n, n]; around the means where the layers have biases, which take up what the means give.
    pub gram: Tensor,
    /// E x, [n].
    pub means: Vec<f64>,
    /// E x², [n].
    pub mean_squares: Vec<f64>,
    /// The diagonal of `gram`, [n]: what a weight adds to the squared error of its output by each input, as if inputs were independent.
    pub variances: Vec<f64>,
    /// L of L Lᵀ = gram, once it is wanted.
    root: Option<Tensor>,
}

impl Inputs {
    /// From raw sums over one or several sets of tokens.
    ///
    /// # Errors
    /// The Gram matrix was not collected, which is a defect, or the device fails.
    pub async fn new(device: &Device, store: &Store, sets: &[&KeptMoments], centred: bool) -> Result<Self> {
        let mut gram: Option<Tensor> = None;
        let mut sums: Option<HostSums> = None;
        for set in sets {
            if let Some(more) = set.gram(device, store).await? {
                gram = Some(match gram {
                    Some(gram) => device.add(&gram, &more, 1.0).await?,
                    None => more,
                });
            }
            sums = Some(match sums {
                Some(sums) => sums.merged(&set.sums),
                None => set.sums.clone(),
            });
        }
        let (Some(gram), Some(sums)) = (gram, sums) else { return Err(Error::internal("a spectrum without a Gram matrix")) };
        let (n, count) = (gram.rows(), sums.count.max(1.0));
        let means: Vec<f64> = sums.sums.iter().map(|sum| sum / count).collect();
        let taken: Vec<f32> = means.iter().map(|&mean| if centred { mean as f32 } else { 0.0 }).collect();
        let all: Vec<u32> = (0..n as u32).collect();
        let gram = device.covariance(&gram, &device.upload(1, n, &taken).await?, count, &all, &all, 0.0).await?;
        let mean_squares: Vec<f64> = sums.squares.iter().map(|square| square / count).collect();
        let around = |(square, mean): (&f64, &f32)| (square - f64::from(*mean).powi(2)).max(0.0);
        let variances = mean_squares.iter().zip(&taken).map(around).collect();
        Ok(Self { gram, means, mean_squares, variances, root: None })
    }

    /// L of L Lᵀ = gram, [n, n]; slightly damped, since fewer tokens than inputs, or rounding, leave it without a root.
    pub(super) async fn root(&mut self, device: &Device) -> Result<&Tensor> {
        let n = self.gram.rows();
        if self.root.is_none() {
            let values = device.read(&self.gram).await?.into_iter().map(f64::from).collect();
            let factor = root(&Dense::new(n, n, values)?)?;
            let values: Vec<f32> = factor.values.into_iter().map(|value| value as f32).collect();
            self.root = Some(device.upload(n, n, &values).await?);
        }
        self.root.as_ref().ok_or_else(|| Error::internal("a root that was just taken"))
    }
}

fn root(gram: &Dense) -> Result<Dense> {
    let n = gram.rows;
    let mean = (0..n).map(|i| gram.at(i, i)).sum::<f64>() / n.max(1) as f64;
    let [mut damping, most] = DAMPING;
    while damping <= most {
        let mut damped = gram.clone();
        (0..n).for_each(|i| damped.row_mut(i)[i] += damping * mean);
        if let Some(factor) = damped.cholesky() {
            return Ok(factor);
        }
        damping *= 10.0;
    }
    Err(Error::internal("a Gram matrix that is far from positive"))
}
