//! The CPU device against plain f64 loops, over odd shapes.

mod backward;

use super::Cpu;
use crate::base::{CancelToken, Random};
use crate::device::{AttentionShape, Op, Segments, Tensor};
use pollster::block_on;
use proptest::prelude::*;

fn cpu() -> Cpu {
    Cpu::new(CancelToken::default(), "tests")
}

fn random(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal() as f32).collect()
}

fn tensor(cpu: &Cpu, rows: usize, cols: usize, seed: u64) -> (Tensor, Vec<f32>) {
    let values = random(seed, rows * cols);
    (block_on(cpu.upload(rows, cols, &values)).unwrap(), values)
}

/// f32 sums of `terms` products of unit-variance values: rounding grows with the square root of the number of terms.
fn close(actual: &[f32], expected: &[f64], terms: usize) {
    assert_eq!(actual.len(), expected.len());
    let tolerance = 4e-6 * (terms as f64).sqrt().max(1.0);
    for (a, e) in actual.iter().zip(expected) {
        assert!((f64::from(*a) - e).abs() <= tolerance * e.abs().max(1.0), "{a} is not {e}");
    }
}

fn product(a: &[f32], b: &[f32], m: usize, k: usize, n: usize, at: bool, bt: bool) -> Vec<f64> {
    let mut out = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            out[i * n + j] = (0..k)
                .map(|l| f64::from(if at { a[l * m + i] } else { a[i * k + l] }) * f64::from(if bt { b[j * k + l] } else { b[l * n + j] }))
                .sum();
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn products_match(m in 1usize..40, k in 1usize..70, n in 1usize..40, at: bool, bt: bool) {
        let cpu = cpu();
        let op = |t| if t { Op::T } else { Op::N };
        let (a, av) = if at { tensor(&cpu, k, m, 1) } else { tensor(&cpu, m, k, 1) };
        let (b, bv) = if bt { tensor(&cpu, n, k, 2) } else { tensor(&cpu, k, n, 2) };
        let c = block_on(cpu.matmul(&a, op(at), &b, op(bt))).unwrap();
        close(&block_on(cpu.read(&c)).unwrap(), &product(&av, &bv, m, k, n, at, bt), k);
    }

    #[test]
    fn grams_match_and_accumulate(rows in 1usize..700, cols in 1usize..40) {
        let cpu = cpu();
        let (x, xv) = tensor(&cpu, rows, cols, 3);
        let gram = block_on(cpu.zeros(cols, cols)).unwrap();
        block_on(cpu.gram(&x, &gram)).unwrap();
        block_on(cpu.gram(&x, &gram)).unwrap();
        let expected: Vec<f64> = product(&xv, &xv, cols, rows, cols, true, false).iter().map(|v| 2.0 * v).collect();
        close(&block_on(cpu.read(&gram)).unwrap(), &expected, rows);
    }

    #[test]
    fn solves_match(n in 1usize..150, m in 1usize..9) {
        let cpu = cpu();
        let (a, av) = tensor(&cpu, n + 3, n, 4);
        let (b, bv) = tensor(&cpu, n, m, 5);
        let gram = block_on(cpu.matmul(&a, Op::T, &a, Op::N)).unwrap();
        let zero = block_on(cpu.zeros(1, n)).unwrap();
        let all: Vec<u32> = (0..n as u32).collect();
        let damped = block_on(cpu.covariance(&gram, &zero, 1.0, &all, &all, 1.0)).unwrap();
        let solution = block_on(cpu.solve_spd(&damped, &b)).unwrap();
        prop_assert!(solution.smallest_pivot > 0.0);
        // Residual of the solve, against the matrix in f64; f32 rounding of A and of X bounds it.
        let x = block_on(cpu.read(&solution.x)).unwrap();
        let mut system = product(&av, &av, n, n + 3, n, true, false);
        (0..n).for_each(|i| system[i * n + i] += 1.0);
        for j in 0..m {
            for i in 0..n {
                let row: f64 = (0..n).map(|l| system[i * n + l] * f64::from(x[l * m + j])).sum();
                let scale: f64 = (0..n).map(|l| (system[i * n + l] * f64::from(x[l * m + j])).abs()).sum();
                prop_assert!((row - f64::from(bv[i * m + j])).abs() <= 1e-5 * scale.max(1.0), "row {row} against {}", bv[i * m + j]);
            }
        }
    }

    #[test]
    fn attention_matches(lengths in prop::collection::vec(1usize..12, 1..4), group in 1usize..3, kv in 1usize..3, dim in 1usize..9, causal: bool) {
        let cpu = cpu();
        let segments = Segments::new(lengths.iter().copied());
        let (tokens, heads) = (segments.tokens(), group * kv);
        let (q, qv) = tensor(&cpu, tokens, heads * dim, 6);
        let (k, kvals) = tensor(&cpu, tokens, kv * dim, 7);
        let (v, vv) = tensor(&cpu, tokens, kv * dim, 8);
        let shape = AttentionShape { heads, kv_heads: kv, head_dim: dim, causal };
        let context = block_on(cpu.attention(&q, &k, &v, &segments, shape)).unwrap();
        let mut expected = vec![0.0; tokens * heads * dim];
        for rows in segments.ranges() {
            for i in rows.clone() {
                for head in 0..heads {
                    let at = |values: &[f32], row: usize, heads: usize, head: usize, d: usize| f64::from(values[(row * heads + head) * dim + d]);
                    let seen = rows.clone().filter(|&j| !causal || j <= i);
                    let weights: Vec<(usize, f64)> = seen
                        .map(|j| (j, ((0..dim).map(|d| at(&qv, i, heads, head, d) * at(&kvals, j, kv, head / group, d)).sum::<f64>() / (dim as f64).sqrt()).exp()))
                        .collect();
                    let total: f64 = weights.iter().map(|w| w.1).sum();
                    for d in 0..dim {
                        expected[(i * heads + head) * dim + d] = weights.iter().map(|(j, w)| w / total * at(&vv, *j, kv, head / group, d)).sum();
                    }
                }
            }
        }
        close(&block_on(cpu.read(&context)).unwrap(), &expected, 12 * dim);
    }
}

#[test]
fn an_indefinite_matrix_is_flagged() {
    let cpu = cpu();
    let a = block_on(cpu.upload(2, 2, &[1.0, 2.0, 2.0, 1.0])).unwrap();
    let solution = block_on(cpu.solve_spd(&a, &a)).unwrap();
    assert!(solution.smallest_pivot <= 0.0);
}

#[test]
fn a_cancelled_token_stops_an_operation() {
    let cancel = CancelToken::default();
    let cpu = Cpu::new(cancel.clone(), "tests");
    let x = block_on(cpu.zeros(4, 4)).unwrap();
    cancel.cancel();
    let error = block_on(cpu.gram(&x, &x)).unwrap_err();
    assert_eq!(error.kind(), crate::base::ErrorKind::Cancelled);
}

#[test]
fn layer_norm_and_embedding_match_by_hand() {
    let cpu = cpu();
    let x = block_on(cpu.upload(1, 2, &[1.0, 3.0])).unwrap();
    let gain = block_on(cpu.upload(1, 2, &[2.0, 1.0])).unwrap();
    let bias = block_on(cpu.upload(1, 2, &[0.5, -1.0])).unwrap();
    let y = block_on(cpu.layer_norm(&x, None, &gain, &bias, 0.0)).unwrap();
    assert_eq!(block_on(cpu.read(&y)).unwrap(), [-1.5, 0.0]);
    let sum = block_on(cpu.add(&x, &bias, -2.0)).unwrap();
    assert_eq!(block_on(cpu.read(&sum)).unwrap(), [0.0, 5.0]);
    let picked = block_on(cpu.select(&x, Some(&[0, 0]), Some(&[1]))).unwrap();
    assert_eq!(block_on(cpu.read(&picked)).unwrap(), [3.0, 3.0]);
    assert_eq!(block_on(cpu.dot(&x, &gain)).unwrap(), 5.0);
    let rows = block_on(cpu.upload(3, 2, &[3.0, 4.0, 1.0, 0.0, 0.0, 0.0])).unwrap();
    let others = block_on(cpu.upload(3, 2, &[4.0, 3.0, -2.0, 0.0, 1.0, 0.0])).unwrap();
    let distances = block_on(cpu.read(&block_on(cpu.cosine_distances(&rows, &others)).unwrap())).unwrap();
    assert_eq!(distances, [(1.0 - 24.0 / 25.0) as f32, 2.0, 1.0]);
}
