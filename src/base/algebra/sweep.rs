//! The sweep operator (Goodnight, 1979): least squares on a set of variables, which others may join and leave.

use super::dense::{Dense, Part};
use crate::base::{Error, Pace, Result};

/// Most channels that are pivoted on at once.
const BLOCK: usize = 64;

/// A symmetric positive definite matrix A of n channels and right sides Y = A W, [n, d], swept on a set K of channels; P are the others.
///
/// | part | holds |
/// | --- | --- |
/// | A_KK | -H, with H = (A_KK)⁻¹ |
/// | A_KP | H A_KP: the coefficients by which K interpolates P |
/// | A_PP | the Schur complement A_PP - A_PK H A_KP: what K leaves of P |
/// | Y_K | H Y_K: the least squares weights of K |
/// | Y_P | Y_P - A_PK H Y_K: what K leaves of the right sides |
///
/// A channel joins or leaves K at n²/2 + n d multiplications.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Of which the lower triangle is valid.
    a: Dense,
    y: Dense,
    swept: Vec<bool>,
}

impl Sweep {
    /// Nothing is swept yet. Of `a`, [n, n], the lower triangle is read; `y` is [n, d], where d may be 0.
    ///
    /// # Errors
    /// The shapes do not fit, which is a defect.
    pub fn new(a: Dense, y: Dense) -> Result<Self> {
        match (a.rows, y.rows) == (a.cols, a.rows) {
            true => Ok(Self { swept: vec![false; a.rows], a, y }),
            false => Err(Error::internal("a sweep of shapes that do not fit")),
        }
    }

    /// Everything swept: A⁻¹, of which the lower triangle is read, and the weights W.
    ///
    /// # Errors
    /// The shapes do not fit, which is a defect.
    pub fn from_inverse(mut inverse: Dense, w: Dense) -> Result<Self> {
        inverse.values.iter_mut().for_each(|v| *v = -*v);
        let sweep = Self::new(inverse, w)?;
        Ok(Self { swept: vec![true; sweep.a.rows], ..sweep })
    }

    /// Whether a channel is in K.
    pub fn is_swept(&self, channel: usize) -> bool {
        self.swept[channel]
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.a.rows
    }

    /// An entry of the swept matrix.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.a.at(i.max(j), i.min(j))
    }

    /// A column of the swept matrix, [n].
    pub fn column(&self, channel: usize) -> Vec<f64> {
        (0..self.a.rows).map(|i| self.at(i, channel)).collect()
    }

    /// The swept matrix between these rows and columns.
    pub fn block(&self, rows: &[usize], cols: &[usize]) -> Dense {
        let values = rows.iter().flat_map(|&i| cols.iter().map(move |&j| self.at(i, j))).collect();
        Dense { rows: rows.len(), cols: cols.len(), values }
    }

    /// The right sides as they stand, [n, d].
    pub fn right(&self) -> &Dense {
        &self.y
    }

    /// Lets channels join K, or leave it where they are in it: all are on the same side. Gives `false`, and is of no further use,
    /// where a pivot is not positive: A is not positive definite in this precision.
    ///
    /// # Errors
    /// The run was cancelled.
    pub async fn pivot(&mut self, channels: &[usize], pace: &mut Pace<'_>) -> Result<bool> {
        for channels in channels.chunks(BLOCK) {
            if !self.pivot_block(channels, pace).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn pivot_block(&mut self, channels: &[usize], pace: &mut Pace<'_>) -> Result<bool> {
        let joins = !self.swept[channels[0]];
        let sign = if joins { 1.0 } else { -1.0 };
        // D is the inverse of the pivot block, which is negative definite where channels leave.
        let Some(mut d) = signed_inverse(self.block(channels, channels), sign) else { return Ok(false) };
        let all: Vec<usize> = (0..self.a.rows).collect();
        let columns = self.block(&all, channels);
        let mut scaled = Dense::zeros(columns.rows, channels.len());
        scaled.add_product(1.0, &columns, &d, Part::All, pace).await?;
        self.a.add_product(-1.0, &scaled, &columns, Part::Lower, pace).await?;
        let pivots = self.y.select_rows(channels).transposed();
        self.y.add_product(-1.0, &scaled, &pivots, Part::All, pace).await?;
        // D is symmetric, and so is what the pivots leave of their own right sides.
        let mut solved = Dense::zeros(channels.len(), pivots.rows);
        solved.add_product(sign, &d, &pivots, Part::All, pace).await?;
        d.values.iter_mut().for_each(|v| *v = -*v);
        for (k, &channel) in channels.iter().enumerate() {
            for i in 0..self.a.rows {
                let (row, col) = (i.max(channel), i.min(channel));
                self.a.row_mut(row)[col] = sign * scaled.at(i, k);
            }
            self.y.row_mut(channel).copy_from_slice(solved.row(k));
            self.swept[channel] = joins;
        }
        for (k, &channel) in channels.iter().enumerate() {
            for (l, &other) in channels.iter().enumerate().filter(|&(_, &other)| other <= channel) {
                self.a.row_mut(channel)[other] = d.at(k, l);
            }
        }
        Ok(true)
    }

    /// Forgets all channels but these, ascending, in place. Those that are in K must not be asked to interpolate the others again.
    pub fn retain(&mut self, channels: &[usize]) {
        let (n, d, kept) = (self.a.rows, self.y.cols, channels.len());
        for (to, &from) in channels.iter().enumerate() {
            // Never ahead of where it comes from.
            for (col, &channel) in channels[..=to].iter().enumerate() {
                self.a.values[to * kept + col] = self.a.values[from * n + channel];
            }
            self.y.values.copy_within(from * d..(from + 1) * d, to * d);
        }
        self.a.values.truncate(kept * kept);
        self.y.values.truncate(kept * d);
        (self.a.rows, self.a.cols, self.y.rows) = (kept, kept, kept);
        self.swept = channels.iter().map(|&channel| self.swept[channel]).collect();
    }

    /// How much the squared error |X W - X_K V|² changes, with V fitted anew, if these channels leave K (they are in it), or join it
    /// (they are not): tr(Y_Eᵀ B⁻¹ Y_E), where B is H_EE, or the Schur complement.
    pub fn change(&self, channels: &[usize]) -> f64 {
        let sign = if self.swept[channels[0]] { -1.0 } else { 1.0 };
        match channels {
            [one] => self.y.row(*one).iter().map(|v| v * v).sum::<f64>() / (sign * self.at(*one, *one)),
            _ => self.whitened(channels).map_or(f64::NAN, |(_, whitened)| whitened.square()),
        }
    }

    /// (L, L⁻¹ Y_E) with L Lᵀ = H_EE or the Schur complement of the channels; `None` where that is not positive definite.
    pub fn whitened(&self, channels: &[usize]) -> Option<(Dense, Dense)> {
        let sign = if self.swept[channels[0]] { -1.0 } else { 1.0 };
        let mut block = self.block(channels, channels);
        block.values.iter_mut().for_each(|v| *v *= sign);
        let factor = block.cholesky()?;
        let whitened = factor.lower_solve(&self.y.select_rows(channels));
        Some((factor, whitened))
    }
}

/// The inverse of `block`, which is positive definite once it is multiplied by `sign`.
fn signed_inverse(mut block: Dense, sign: f64) -> Option<Dense> {
    let n = block.rows;
    block.values.iter_mut().for_each(|v| *v *= sign);
    let mut identity = Dense::zeros(n, n);
    identity.values.iter_mut().step_by(n + 1).for_each(|v| *v = sign);
    let factor = block.cholesky()?;
    let half = factor.lower_solve(&identity);
    let value = |i: usize, j: usize| (i.max(j)..n).map(|k| half.at(k, i) * half.at(k, j)).sum::<f64>() * sign;
    Some(Dense { rows: n, cols: n, values: (0..n * n).map(|k| value(k / n, k % n)).collect() })
}

/// The inverse of a symmetric positive definite matrix, of which the lower triangle is read, in its place: n³/2 multiplications.
/// `None` where it is not positive definite in this precision.
///
/// # Errors
/// The run was cancelled.
pub async fn spd_inverse(a: Dense, pace: &mut Pace<'_>) -> Result<Option<Dense>> {
    let (n, all) = (a.rows, (0..a.rows).collect::<Vec<_>>());
    let mut sweep = Sweep::new(a, Dense::zeros(n, 0))?;
    if !sweep.pivot(&all, pace).await? {
        return Ok(None);
    }
    let mut inverse = sweep.a;
    for i in 0..n {
        for j in 0..=i {
            let value = -inverse.at(i, j);
            inverse.values[i * n + j] = value;
            inverse.values[j * n + i] = value;
        }
    }
    Ok(Some(inverse))
}
