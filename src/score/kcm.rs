//! KCM (kernelised convex masking, 2303.04185): units that others cannot represent, times how active they are (methods reference, 5.5).
//!
//! The outgoing weights w_g of a unit are a point. With the kernel K_gh = exp(-|w_g - w_h|² / s), s the number of channels of a unit
//! (the published sigma is 1, for neurons), the representation C of all points by one another starts at 1/n and is improved by
//! C <- C o sqrt(K / (K C)). It is stopped early: in the limit each point represents itself alone. R2_g = C_gg.

use super::system::shapes;
use super::{Criterion, Effort, ScoreOptions, Scores, Site, Text};
use crate::base::algebra::{Dense, Part};
use crate::base::{LocalFuture, Pace, Result};
use crate::calibrate::Needs;
use crate::device::{Device, Op, Tensor};
use crate::model::Architecture;

pub(super) struct Kcm;

/// The representation is good when an iteration changes it by less than this, relatively, in the Frobenius norm.
const CHANGE: f64 = 0.01;

/// Iterations at most, and how many are usual.
const ITERATIONS: usize = 100;
const USUAL: f64 = 35.0;

/// Values of the representation in one product.
const STRIP: usize = 4 << 20;

/// Smaller shares are none: they would soon be denormal, which processors are slow at.
const TINY: f32 = 1e-30;

/// Representations that differ by less, relatively, say nothing.
const SPREAD: f64 = 1e-3;

impl Criterion for Kcm {
    fn name(&self) -> &'static str {
        "kcm"
    }

    fn title(&self) -> &'static str {
        "KCM (kernelised convex masking)"
    }

    fn summary(&self) -> &'static str {
        "How little a unit can be represented by others like it, times how active it is over the calibration text (KCM, 2023)."
    }

    fn needs(&self) -> Needs {
        Needs { statistics: true, ..Needs::default() }
    }

    fn effort(&self, architecture: &Architecture, _options: &ScoreOptions, _text: Text) -> Effort {
        shapes(architecture).fold(Effort::default(), |sum, [units, n, d]| Effort {
            flops: sum.flops + USUAL * 2.0 * units * units * units,
            bytes: sum.bytes.max(4.0 * units * units + 12.0 * STRIP as f64),
            host_flops: sum.host_flops + 2.0 * units * n * d,
            host_bytes: sum.host_bytes.max(12.0 * units * units + 12.0 * n * d),
            ..sum
        })
    }

    fn score<'a>(&'a self, site: &'a Site<'a>) -> LocalFuture<'a, Result<Scores>> {
        Box::pin(async move {
            let (sums, matrix) = (site.sums()?, site.consumer());
            let weights = matrix.to_f32_inputs_major()?.into_iter().map(f64::from).collect();
            let points = Dense::new(site.units(), site.unit_size * matrix.outputs(), weights)?;
            let kernel = kernel(&points, site.unit_size as f64, &mut Pace::new(&site.run.cancel)).await?;
            let kernel = site.device.upload(points.rows, points.rows, &kernel).await?;
            drop(points);
            let represented = stretched(&representation(site.device, &kernel).await?);
            let sizes: Vec<f64> = site.by_unit(&sums.squares).iter().map(|square| (square / sums.count.max(1.0)).sqrt()).collect();
            let largest = sizes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            Ok(Scores::Independent(represented.iter().zip(sizes).map(|(own, size)| own * size / largest).collect()))
        })
    }
}

/// exp(-|w_i - w_j|² / scale) of the rows of `points`, [n, n].
async fn kernel(points: &Dense, scale: f64, pace: &mut Pace<'_>) -> Result<Vec<f32>> {
    let n = points.rows;
    let mut products = Dense::zeros(n, n);
    products.add_product(1.0, points, points, Part::All, pace).await?;
    let squares: Vec<f64> = (0..n).map(|i| products.at(i, i)).collect();
    let mut kernel = Vec::with_capacity(n * n);
    for (i, row) in products.values.chunks_exact(n.max(1)).enumerate() {
        pace.step().await?;
        let distances = row.iter().zip(&squares).map(|(product, square)| (squares[i] + square - 2.0 * product).max(0.0));
        kernel.extend(distances.map(|distance| (-distance / scale).exp() as f32));
    }
    Ok(kernel)
}

/// How much of itself each point is represented by, [n]: the diagonal of C. Products run on the device, in f32; every column of C
/// is improved on its own, and only the end is common to all.
async fn representation(device: &Device, kernel: &Tensor) -> Result<Vec<f64>> {
    let n = kernel.rows();
    // Column after column.
    let mut shares = vec![1.0 / n as f32; n * n];
    for _ in 0..ITERATIONS {
        let (mut change, mut norm) = (0.0, 0.0);
        for first in (0..n).step_by((STRIP / n.max(1)).max(1)) {
            let last = (first + (STRIP / n).max(1)).min(n);
            let strip = &mut shares[first * n..last * n];
            let before = device.upload(last - first, n, strip).await?;
            let mixed = device.read(&device.matmul(&before, Op::N, kernel, Op::N).await?).await?;
            let own = device.read_rows(kernel, first..last).await?;
            for ((share, mixed), own) in strip.iter_mut().zip(mixed).zip(own) {
                let better = if mixed > 0.0 { *share * (own / mixed).sqrt() } else { 0.0 };
                let better = if better > TINY { better } else { 0.0 };
                change += f64::from(better - *share).powi(2);
                norm += f64::from(*share).powi(2);
                *share = better;
            }
        }
        if change < CHANGE * CHANGE * norm {
            break;
        }
    }
    Ok(shares.iter().step_by(n + 1).map(|&share| f64::from(share)).collect())
}

/// From 0 for the least to 1 for the largest; 1 for all where they do not differ.
fn stretched(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let spread = largest - least;
    values.iter().map(|value| if spread > SPREAD * largest { (value - least) / spread } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CancelToken, Random};
    use crate::device::cpu::Cpu;
    use pollster::block_on;

    fn own_shares(points: &Dense, scale: f64) -> Vec<f64> {
        let token = CancelToken::default();
        let device = Device::Cpu(Cpu::new(token.clone(), "tests"));
        let kernel = block_on(kernel(points, scale, &mut Pace::new(&token))).unwrap();
        let kernel = block_on(device.upload(points.rows, points.rows, &kernel)).unwrap();
        block_on(representation(&device, &kernel)).unwrap()
    }

    fn random(rows: usize, cols: usize) -> Dense {
        let mut random = Random::new(5);
        Dense::new(rows, cols, (0..rows * cols).map(|_| 0.4 * random.normal()).collect()).unwrap()
    }

    /// Against plain loops in f64 over the distances themselves. Tolerance: f32 in some twenty iterations.
    #[test]
    fn it_is_the_formula() {
        let (points, scale) = (random(40, 6), 2.0);
        let n = points.rows;
        let distance = |i: usize, j: usize| -> f64 { points.row(i).iter().zip(points.row(j)).map(|(a, b)| (a - b).powi(2)).sum() };
        let k: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| (-distance(i, j) / scale).exp()).collect()).collect();
        let mut c = vec![vec![1.0 / n as f64; n]; n];
        for iteration in 0.. {
            assert!(iteration < ITERATIONS, "it should have come to an end");
            let mixed = |i: usize, j: usize| (0..n).map(|m| k[i][m] * c[m][j]).sum::<f64>();
            let better: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| c[i][j] * (k[i][j] / mixed(i, j)).sqrt()).collect()).collect();
            let norm = |a: &dyn Fn(usize, usize) -> f64| (0..n * n).map(|at| a(at / n, at % n).powi(2)).sum::<f64>().sqrt();
            let relative = norm(&|i, j| better[i][j] - c[i][j]) / norm(&|i, j| c[i][j]);
            c = better;
            if relative < 0.01 {
                break;
            }
        }
        for (found, row) in own_shares(&points, scale).iter().zip(0..n) {
            assert!((found - c[row][row]).abs() < 1e-5, "{found} {}", c[row][row]);
        }
    }

    #[test]
    fn twins_represent_one_another() {
        let mut points = random(20, 8);
        let twin = points.row(3).to_vec();
        points.row_mut(11).copy_from_slice(&twin);
        let shares = own_shares(&points, 1.0);
        assert!((shares[3] - shares[11]).abs() < 1e-5);
        let mut others = (0..20).filter(|i| ![3, 11].contains(i)).map(|i| shares[i]);
        assert!(shares[3] < 0.5 && others.all(|share| share > shares[3]), "{shares:?}");
    }

    #[test]
    fn factors_are_stretched() {
        assert_eq!(stretched(&[2.0, 4.0, 3.0]), [0.0, 1.0, 0.5]);
        assert_eq!(stretched(&[0.9, 0.9, 0.900_001]), [1.0; 3]);
        assert!(stretched(&[]).is_empty());
    }
}
