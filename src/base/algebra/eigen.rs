//! Eigenvectors of symmetric matrices: Householder reduction to a tridiagonal matrix, then implicit QL (Golub and Van Loan, 8.3; the
//! iteration is that of EISPACK's tql2). Whatever is turned lies in rows, so that every loop runs along memory.

use super::dense::{Dense, dot};
use crate::base::{Error, Pace, Result};

/// QL steps for one eigenvalue; two are usual.
const STEPS: usize = 60;

/// Eigenvalues in falling order, and the eigenvectors in the rows of [n, n], of a symmetric matrix; equal ones in the order in
/// which they were found.
///
/// # Errors
/// An entry is not finite, or the run was cancelled.
pub async fn eigen(a: Dense, pace: &mut Pace<'_>) -> Result<(Vec<f64>, Dense)> {
    let n = a.rows;
    let mut reduced = tridiagonal(a, pace).await?;
    let mut vectors = reduced.turned(pace).await?;
    let (diagonal, beside) = (&mut reduced.diagonal, &mut reduced.beside);
    iterate(diagonal, beside, &mut vectors, pace).await?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| diagonal[j].total_cmp(&diagonal[i]));
    Ok((order.iter().map(|&i| diagonal[i]).collect(), vectors.select_rows(&order)))
}

/// Eigenvalues in falling order of a symmetric matrix: a sixth of the work, since nothing is turned along.
///
/// # Errors
/// As [`eigen`].
pub async fn eigenvalues(a: Dense, pace: &mut Pace<'_>) -> Result<Vec<f64>> {
    let Tridiagonal { mut diagonal, mut beside, reflections, .. } = tridiagonal(a, pace).await?;
    iterate(&mut diagonal, &mut beside, &mut Dense::zeros(reflections.rows, 0), pace).await?;
    diagonal.sort_by(|a, b| b.total_cmp(a));
    Ok(diagonal)
}

/// T = Qᵀ A Q, and what Q is made of.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// What stands beside it: entry i between i and i + 1; the last is 0.
    beside: Vec<f64>,
    /// The vector of reflection k, in row k right of the diagonal.
    reflections: Dense,
    /// Two over the square of each of them; 0 where there is no reflection.
    scales: Vec<f64>,
}

async fn tridiagonal(mut a: Dense, pace: &mut Pace<'_>) -> Result<Tridiagonal> {
    let n = a.rows;
    if n != a.cols || a.values.iter().any(|value| !value.is_finite()) {
        return Err(Error::internal("eigenvectors of what is not square or not finite"));
    }
    let mut beside = vec![0.0; n];
    let mut scales = vec![0.0; n];
    for k in 0..n.saturating_sub(2) {
        pace.step().await?;
        // By symmetry, row k right of the diagonal is column k below it.
        let mut v = a.row(k)[k + 1..].to_vec();
        let rest = dot(&v[1..], &v[1..]);
        if rest == 0.0 {
            beside[k] = v[0];
            continue;
        }
        let length = (v[0] * v[0] + rest).sqrt();
        beside[k] = if v[0] > 0.0 { -length } else { length };
        v[0] -= beside[k];
        let scale = 2.0 / (v[0] * v[0] + rest);
        scales[k] = scale;
        let mut w: Vec<f64> = (k + 1..n).map(|i| scale * dot(&a.row(i)[k + 1..], &v)).collect();
        let half = scale / 2.0 * dot(&w, &v);
        w.iter_mut().zip(&v).for_each(|(w, v)| *w -= half * v);
        for i in 0..v.len() {
            let (vi, wi) = (v[i], w[i]);
            let row = &mut a.row_mut(k + 1 + i)[k + 1..];
            row.iter_mut().zip(v.iter().zip(&w)).for_each(|(entry, (v, w))| *entry -= vi * w + wi * v);
        }
        a.row_mut(k)[k + 1..].copy_from_slice(&v);
    }
    let diagonal = (0..n).map(|i| a.at(i, i)).collect();
    if n > 1 {
        beside[n - 2] = a.at(n - 2, n - 1);
    }
    Ok(Tridiagonal { diagonal, beside, reflections: a, scales })
}

impl Tridiagonal {
    /// Qᵀ.
    async fn turned(&self, pace: &mut Pace<'_>) -> Result<Dense> {
        let n = self.diagonal.len();
        let mut turned = Dense::zeros(n, n);
        (0..n).for_each(|i| turned.row_mut(i)[i] = 1.0);
        for k in (0..n.saturating_sub(2)).rev().filter(|&k| self.scales[k] != 0.0) {
            pace.step().await?;
            let v = &self.reflections.row(k)[k + 1..];
            for i in k + 1..n {
                let row = &mut turned.row_mut(i)[k + 1..];
                let along = self.scales[k] * dot(row, v);
                row.iter_mut().zip(v).for_each(|(entry, v)| *entry -= along * v);
            }
        }
        Ok(turned)
    }
}

/// Turns T into the diagonal matrix of its eigenvalues, and the rows of `vectors` along.
async fn iterate(d: &mut [f64], e: &mut [f64], vectors: &mut Dense, pace: &mut Pace<'_>) -> Result<()> {
    let n = d.len();
    for l in 0..n {
        for step in 0.. {
            pace.step().await?;
            let small = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs());
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if step == STEPS {
                return Err(Error::internal("an eigenvalue that does not converge"));
            }
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let mut r = g.hypot(1.0);
            g = d[m] - d[l] + e[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut early = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    early = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                turn(vectors, i, s, c);
            }
            if !early {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    Ok(())
}

/// Rows i and i + 1 become c row_i - s row_(i+1) and s row_i + c row_(i+1).
fn turn(rows: &mut Dense, i: usize, s: f64, c: f64) {
    let (above, below) = rows.values[i * rows.cols..(i + 2) * rows.cols].split_at_mut(rows.cols);
    for (a, b) in above.iter_mut().zip(below) {
        (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
    }
}
