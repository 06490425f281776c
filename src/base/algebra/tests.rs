//! Products, factors and sweeps against plain loops, over odd shapes. Tolerances: f64 rounding, times the condition number (below 10³)
//! where something is inverted.

use super::{Dense, Part, Sweep, eigen, eigenvalues, spd_inverse};
use crate::base::{CancelToken, Pace, Random};
use pollster::block_on;
use proptest::prelude::*;

fn random(rows: usize, cols: usize, seed: u64) -> Dense {
    let mut random = Random::new(seed);
    Dense::new(rows, cols, (0..rows * cols).map(|_| random.normal()).collect()).unwrap()
}

/// a bᵀ, by plain loops.
fn product(a: &Dense, b: &Dense) -> Dense {
    let entry = |i: usize, j: usize| (0..a.cols).map(|k| a.at(i, k) * b.at(j, k)).sum();
    Dense::new(a.rows, b.rows, (0..a.rows * b.rows).map(|k| entry(k / b.rows, k % b.rows)).collect()).unwrap()
}

/// x xᵀ / cols + I/2.
fn positive(n: usize, seed: u64) -> Dense {
    let x = random(n, 2 * n, seed);
    let mut a = product(&x, &x);
    a.values.iter_mut().for_each(|v| *v /= 2.0 * n as f64);
    (0..n).for_each(|i| a.row_mut(i)[i] += 0.5);
    a
}

fn far(a: &Dense, b: &Dense) -> f64 {
    assert_eq!((a.rows, a.cols), (b.rows, b.cols));
    a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// What the lower triangle holds is not looked at above it.
fn lower(mut a: Dense) -> Dense {
    (0..a.rows).for_each(|i| a.row_mut(i)[i + 1..].fill(f64::NAN));
    a
}

fn inverse(a: &Dense) -> Option<Dense> {
    let token = CancelToken::default();
    block_on(spd_inverse(lower(a.clone()), &mut Pace::new(&token))).unwrap()
}

fn pivoted(sweep: &mut Sweep, channels: &[usize]) {
    let token = CancelToken::default();
    assert!(block_on(sweep.pivot(channels, &mut Pace::new(&token))).unwrap());
}

fn entries(a: &Dense, rows: &[usize], cols: &[usize]) -> Dense {
    Dense::new(rows.len(), cols.len(), rows.iter().flat_map(|&i| cols.iter().map(move |&j| a.at(i, j))).collect()).unwrap()
}

/// |X W - X_K V|² with A = XᵀX and the best V, through the residual of an explicit solve.
fn error(a: &Dense, w: &Dense, kept: &[usize]) -> f64 {
    let all: Vec<usize> = (0..a.rows).collect();
    let y = product(a, &w.transposed());
    let whole: f64 = w.values.iter().zip(&y.values).map(|(w, y)| w * y).sum();
    let Some(inverse) = inverse(&entries(a, kept, kept)) else { panic!("not positive definite") };
    let y = entries(&y, kept, &(0..w.cols).collect::<Vec<_>>());
    let v = product(&inverse, &y.transposed());
    let explained: f64 = v.values.iter().zip(&y.values).map(|(v, y)| v * y).sum();
    assert_eq!(all.len(), w.rows);
    whole - explained
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn products_are_added(rows in 0usize..90, cols in 0usize..90, inner in 0usize..40, scale in -2.0f64..2.0) {
        let (a, b, before) = (random(rows, inner, 1), random(cols, inner, 2), random(rows, cols, 3));
        let token = CancelToken::default();
        let mut sum = before.clone();
        block_on(sum.add_product(scale, &a, &b, Part::All, &mut Pace::new(&token))).unwrap();
        let expected = product(&a, &b);
        for (at, value) in sum.values.iter().enumerate() {
            prop_assert!((value - before.values[at] - scale * expected.values[at]).abs() < 1e-12);
        }
    }

    #[test]
    fn factors_and_solves(n in 1usize..40, width in 0usize..7, seed: u64) {
        let (a, b) = (positive(n, seed), random(n, width, seed ^ 1));
        let factor = lower(a.clone()).cholesky().unwrap();
        prop_assert!(far(&product(&factor, &factor), &a) < 1e-12);
        let x = factor.lower_solve(&b);
        prop_assert!(far(&product(&factor, &x.transposed()), &b) < 1e-11);
    }

    /// More than two blocks at the upper end.
    #[test]
    fn inverses_are_inverse(n in 1usize..150, seed: u64) {
        let a = positive(n, seed);
        let found = inverse(&a).unwrap();
        let unit = product(&a, &found);
        for (at, value) in unit.values.iter().enumerate() {
            prop_assert!((value - f64::from(u8::from(at / n == at % n))).abs() < 1e-10);
        }
        prop_assert_eq!(&found, &found.transposed());
    }

    /// Every part of a swept matrix is what its documentation says, however it was reached.
    #[test]
    fn sweeps_hold_what_they_say(n in 2usize..100, d in 0usize..5, seed: u64) {
        let (a, w) = (positive(n, seed), random(n, d, seed ^ 7));
        let y = product(&a, &w.transposed());
        let mut random = Random::new(seed);
        let order = random.sample(n, n);
        let (first, second) = (1 + random.below(n - 1), random.below(n));
        // The first channels join, all others do, and some leave again.
        let mut sweep = Sweep::new(lower(a.clone()), y.clone()).unwrap();
        pivoted(&mut sweep, &order[..first]);
        pivoted(&mut sweep, &order[first..]);
        pivoted(&mut sweep, &order[..second]);
        let (gone, kept) = order.split_at(second);
        if kept.is_empty() {
            return Ok(());
        }
        let outputs: Vec<usize> = (0..d).collect();
        let h = inverse(&entries(&a, kept, kept)).unwrap();
        let cross = entries(&a, kept, gone);
        let b = product(&h, &cross.transposed());
        let v = product(&h, &entries(&y, kept, &outputs).transposed());
        let mut minus = h.clone();
        minus.values.iter_mut().for_each(|value| *value = -*value);
        prop_assert!(far(&sweep.block(kept, kept), &minus) < 1e-9);
        prop_assert!(far(&sweep.block(kept, gone), &b) < 1e-9);
        prop_assert!(far(&sweep.right().select_rows(kept), &v) < 1e-9);
        let mut left = entries(&a, gone, gone);
        let explained = product(&cross.transposed(), &b.transposed());
        left.values.iter_mut().zip(&explained.values).for_each(|(v, e)| *v -= e);
        prop_assert!(far(&sweep.block(gone, gone), &left) < 1e-9);
        let mut rest = entries(&y, gone, &outputs);
        let explained = product(&cross.transposed(), &v.transposed());
        rest.values.iter_mut().zip(&explained.values).for_each(|(v, e)| *v -= e);
        prop_assert!(far(&sweep.right().select_rows(gone), &rest) < 1e-9);
        prop_assert!(order.iter().enumerate().all(|(at, &channel)| sweep.is_swept(channel) == (at >= second)));

        // What is retained is what it was.
        let few: Vec<usize> = (0..n).filter(|at| at % 3 != 1).collect();
        let expected = (sweep.block(&few, &few), sweep.right().select_rows(&few), few.iter().map(|&at| sweep.is_swept(at)).collect::<Vec<_>>());
        sweep.retain(&few);
        let all: Vec<usize> = (0..few.len()).collect();
        let found = (sweep.block(&all, &all), sweep.right().clone(), all.iter().map(|&at| sweep.is_swept(at)).collect());
        prop_assert_eq!(found, expected);
    }

    /// What a sweep tells about the squared error is the difference of two errors that were computed apart.
    #[test]
    fn changes_are_differences_of_errors(n in 3usize..24, seed: u64) {
        let (a, w) = (positive(n, seed), random(n, 3, seed ^ 9));
        let mut random = Random::new(seed);
        let order = random.sample(n, n);
        let (kept, gone) = order.split_at(2 + random.below(n - 2));
        let mut sweep = Sweep::from_inverse(inverse(&a).unwrap(), w.clone()).unwrap();
        pivoted(&mut sweep, gone);
        for size in [1, 2] {
            if gone.len() >= size {
                let joined: Vec<usize> = kept.iter().chain(&gone[..size]).copied().collect();
                let drop = error(&a, &w, kept) - error(&a, &w, &joined);
                prop_assert!((sweep.change(&gone[..size]) - drop).abs() < 1e-9);
            }
            if kept.len() > size {
                let rise = error(&a, &w, &kept[size..]) - error(&a, &w, kept);
                prop_assert!((sweep.change(&kept[..size]) - rise).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn what_is_not_positive_definite_is_told() {
    let mut a = positive(70, 3);
    a.row_mut(69)[69] = -1.0;
    assert_eq!(inverse(&a), None);
    a.row_mut(69)[69] = f64::NAN;
    assert_eq!(inverse(&a), None);
    assert_eq!(lower(a).cholesky(), None);
    assert_eq!(inverse(&Dense::zeros(0, 0)).unwrap().values.len(), 0);
}

#[test]
fn a_cancelled_product_stops() {
    let token = CancelToken::default();
    token.cancel();
    assert!(block_on(spd_inverse(positive(5, 1), &mut Pace::new(&token))).is_err());
}

#[test]
fn eigenvectors_rebuild_a_symmetric_matrix() {
    for n in [1, 2, 3, 17, 64, 101] {
        let mut a = random(n, n, n as u64);
        (0..n).for_each(|i| (0..i).for_each(|j| a.row_mut(i)[j] = a.at(j, i)));
        // Equal values and a part that is diagonal already.
        if n > 20 {
            for i in 0..9 {
                (0..n).for_each(|j| (a.row_mut(i)[j], a.row_mut(j)[i]) = (0.0, 0.0));
                a.row_mut(i)[i] = 2.0;
            }
        }
        let (values, vectors) = block_on(eigen(a.clone(), &mut Pace::new(&CancelToken::default()))).unwrap();
        assert_eq!(block_on(eigenvalues(a.clone(), &mut Pace::new(&CancelToken::default()))).unwrap(), values);
        assert!(values.is_sorted_by(|a, b| a >= b));
        let mut scaled = vectors.transposed();
        (0..n).for_each(|i| scaled.row_mut(i).iter_mut().zip(&values).for_each(|(v, value)| *v *= value));
        assert!(far(&product(&scaled, &vectors.transposed()), &a) < 1e-12 * n as f64);
        let mut unit = Dense::zeros(n, n);
        (0..n).for_each(|i| unit.row_mut(i)[i] = 1.0);
        assert!(far(&product(&vectors, &vectors), &unit) < 1e-13 * n as f64);
    }
}
