//! Eigenvalues of a symmetric matrix: Householder's tridiagonal form, then bisection by Sturm's sequences (Golub and Van Loan, 8.3 and 8.4).

use super::Dense;
use super::dense::dot;
use crate::base::{Pace, Result};

/// The eigenvalues of a symmetric matrix in growing order; about 4/3 n³ operations.
///
/// # Errors
/// The run was cancelled.
pub async fn symmetric_eigenvalues(matrix: Dense, pace: &mut Pace<'_>) -> Result<Vec<f64>> {
    let (diagonal, beside) = tridiagonal(matrix, pace).await?;
    let radius = |i: usize| if i > 0 { beside[i - 1].abs() } else { 0.0 } + beside.get(i).map_or(0.0, |b| b.abs());
    let low = diagonal.iter().enumerate().map(|(i, d)| d - radius(i)).fold(f64::INFINITY, f64::min);
    let high = diagonal.iter().enumerate().map(|(i, d)| d + radius(i)).fold(f64::NEG_INFINITY, f64::max);
    let mut values = Vec::with_capacity(diagonal.len());
    for index in 0..diagonal.len() {
        pace.step().await?;
        // Those before it are not larger.
        let (mut below, mut above) = (values.last().copied().unwrap_or(low), high);
        while above - below > 4.0 * f64::EPSILON * above.abs().max(below.abs()) {
            let middle = 0.5 * (below + above);
            if middle <= below || middle >= above {
                break;
            }
            if smaller(&diagonal, &beside, middle) > index { above = middle } else { below = middle }
        }
        values.push(0.5 * (below + above));
    }
    Ok(values)
}

/// How many eigenvalues of a tridiagonal matrix are smaller than x.
fn smaller(diagonal: &[f64], beside: &[f64], x: f64) -> usize {
    let (mut count, mut pivot) = (0, 1.0);
    for (i, d) in diagonal.iter().enumerate() {
        let square = if i > 0 { beside[i - 1] * beside[i - 1] } else { 0.0 };
        pivot = d - x - square / pivot;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE.sqrt();
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

/// Diagonal and subdiagonal of a similar tridiagonal matrix.
async fn tridiagonal(mut a: Dense, pace: &mut Pace<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
    let n = a.rows;
    let (mut diagonal, mut beside) = (vec![0.0; n], vec![0.0; n.saturating_sub(1)]);
    for k in 0..n {
        pace.step().await?;
        diagonal[k] = a.at(k, k);
        if k + 1 >= n {
            break;
        }
        // The reflection that leaves one entry below the diagonal of column k.
        let mut u = a.row(k)[k + 1..].to_vec();
        let norm = dot(&u, &u).sqrt();
        let head = if u[0] > 0.0 { -norm } else { norm };
        beside[k] = head;
        u[0] -= head;
        let square = dot(&u, &u);
        if square == 0.0 {
            continue;
        }
        let mut q: Vec<f64> = (k + 1..n).map(|i| 2.0 / square * dot(&a.row(i)[k + 1..], &u)).collect();
        let share = dot(&u, &q) / square;
        q.iter_mut().zip(&u).for_each(|(q, u)| *q -= share * u);
        for i in k + 1..n {
            let (left, right) = (u[i - k - 1], q[i - k - 1]);
            let row = &mut a.row_mut(i)[k + 1..];
            row.iter_mut().zip(u.iter().zip(&q)).for_each(|(v, (u, q))| *v -= left * q + right * u);
        }
    }
    Ok((diagonal, beside))
}
