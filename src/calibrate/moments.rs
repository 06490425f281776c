//! Sums over tokens of the input of one consumer.

use crate::base::{Error, Result};
use crate::device::{Device, Tensor};

/// First and second moments as raw sums over `count` tokens of a vector of n channels.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Number of tokens.
    pub count: f64,
    /// Column sums and column sums of squares, [2, n].
    pub sums: Tensor,
    /// x^T x, [n, n], where it was needed.
    pub gram: Option<Tensor>,
}

impl Moments {
    /// Empty sums for `width` channels.
    pub async fn new(device: &Device, width: usize, gram: bool) -> Result<Self> {
        let gram = if gram { Some(device.zeros(width, width).await?) } else { None };
        Ok(Self { count: 0.0, sums: device.zeros(2, width).await?, gram })
    }

    /// Adds the rows of x, [tokens, n].
    pub async fn add(&mut self, device: &Device, x: &Tensor) -> Result<()> {
        self.count += x.rows() as f64;
        device.column_stats(x, &self.sums).await?;
        match &self.gram {
            Some(gram) => device.gram(x, gram).await,
            None => Ok(()),
        }
    }

    /// The sums on the host.
    pub async fn read_sums(&self, device: &Device) -> Result<HostSums> {
        let values = device.read(&self.sums).await?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Error::input(
                "The model computes values that are not finite on the calibration text; its weights are damaged or overflow.",
            ));
        }
        let (sums, squares) = values.split_at(self.sums.cols());
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        Ok(HostSums { count: self.count, sums: wide(sums), squares: wide(squares) })
    }
}

/// Column sums on the host, in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct HostSums {
    /// Number of tokens.
    pub count: f64,
    /// Sum of each channel, [n].
    pub sums: Vec<f64>,
    /// Sum of squares of each channel, [n].
    pub squares: Vec<f64>,
}

impl HostSums {
    /// Sums over the tokens of both.
    pub fn merged(mut self, other: &Self) -> Self {
        self.count += other.count;
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.squares.iter_mut().zip(&other.squares).for_each(|(a, b)| *a += b);
        self
    }

    /// Biased variance of each channel, [n]; never negative, whatever rounding does.
    pub fn variances(&self) -> Vec<f64> {
        let count = self.count.max(1.0);
        self.sums.iter().zip(&self.squares).map(|(sum, square)| (square / count - (sum / count).powi(2)).max(0.0)).collect()
    }
}

/// Sums of one consumer while they are taken: the tokens that repairs are fitted on, and those that check them.
#[derive(Debug, Clone)]
pub struct SiteMoments {
    /// Tokens to fit on.
    pub fit: Moments,
    /// Tokens to check on.
    pub held_out: Moments,
}

impl SiteMoments {
    /// Empty sums for `width` channels.
    pub async fn new(device: &Device, width: usize, gram: bool) -> Result<Self> {
        Ok(Self { fit: Moments::new(device, width, gram).await?, held_out: Moments::new(device, width, gram).await? })
    }

    /// The moments that a batch belongs to.
    pub fn pick(&mut self, fitted: bool) -> &mut Moments {
        if fitted { &mut self.fit } else { &mut self.held_out }
    }
}
