//! Gradients against differences of the operations themselves.

use super::{cpu, random, tensor};
use crate::device::{Activation, AttentionShape, Segments, Tensor};
use pollster::block_on;
use proptest::prelude::*;

/// The change of sum(upstream * f) along `direction` a unit, from f at four points: exact up to h^4 and to f32 rounding over h.
fn change(x: &[f32], direction: &[f32], upstream: &[f32], f: impl Fn(&[f32]) -> Vec<f32>) -> f64 {
    const H: f32 = 0.03;
    let at = |step: f32| -> f64 {
        let moved: Vec<f32> = x.iter().zip(direction).map(|(x, d)| x + step * d).collect();
        f(&moved).iter().zip(upstream).map(|(&f, &u)| f64::from(f) * f64::from(u)).sum()
    };
    (8.0 * (at(H) - at(-H)) - (at(2.0 * H) - at(-2.0 * H))) / (12.0 * f64::from(H))
}

/// Checks that the gradient of sum(upstream * f) at x is `gradient`, along a random direction. Rounding of f, of size
/// 1e-6 * sqrt(terms) over the step, and the fifth derivative times the fourth power of the step stay below the tolerance.
fn check(x: &[f32], upstream: &[f32], gradient: &[f32], f: impl Fn(&[f32]) -> Vec<f32>) {
    assert_eq!(gradient.len(), x.len());
    let direction = random(99, x.len());
    let expected = change(x, &direction, upstream, f);
    let actual: f64 = gradient.iter().zip(&direction).map(|(&g, &d)| f64::from(g) * f64::from(d)).sum();
    let size: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    assert!((actual - expected).abs() <= 2e-3 * size.max(0.3), "{actual} along the direction, {expected} by differences");
}

fn read(tensor: &Tensor) -> Vec<f32> {
    block_on(cpu().read(tensor)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn norms(rows in 1usize..5, cols in 2usize..40) {
        let cpu = cpu();
        let upload = |values: &[f32]| block_on(cpu.upload(rows, cols, values)).unwrap();
        let ((x, xs), (gain, _), (bias, _), (up, ups)) =
            (tensor(&cpu, rows, cols, 1), tensor(&cpu, 1, cols, 2), tensor(&cpu, 1, cols, 3), tensor(&cpu, rows, cols, 4));
        // With an epsilon of some size two columns do not jump between -1 and 1.
        let gradient = block_on(cpu.layer_norm_backward(&x, &gain, &up, 0.3)).unwrap();
        check(&xs, &ups, &read(&gradient), |x| read(&block_on(cpu.layer_norm(&upload(x), None, &gain, &bias, 0.3)).unwrap()));
        let gradient = block_on(cpu.rms_norm_backward(&x, &gain, &up, 0.3)).unwrap();
        check(&xs, &ups, &read(&gradient), |x| read(&block_on(cpu.rms_norm(&upload(x), &gain, 0.3)).unwrap()));
    }

    #[test]
    fn attention(lengths in prop::collection::vec(1usize..9, 1..4), group in 1usize..3, kv_heads in 1usize..3, dim in 1usize..7, causal: bool) {
        let cpu = cpu();
        let segments = Segments::new(lengths);
        let (n, shape) = (segments.tokens(), AttentionShape { heads: group * kv_heads, kv_heads, head_dim: dim, causal });
        let inputs = [tensor(&cpu, n, shape.heads * dim, 1), tensor(&cpu, n, kv_heads * dim, 2), tensor(&cpu, n, kv_heads * dim, 3)];
        let (up, ups) = tensor(&cpu, n, shape.heads * dim, 4);
        let [q, k, v] = [&inputs[0].0, &inputs[1].0, &inputs[2].0];
        let context = block_on(cpu.attention(q, k, v, &segments, shape)).unwrap();
        let gradients = block_on(cpu.attention_backward([q, k, v], &context, &up, &segments, shape)).unwrap();
        for (which, gradient) in gradients.iter().enumerate() {
            check(&inputs[which].1, &ups, &read(gradient), |values| {
                let moved = block_on(cpu.upload(n, inputs[which].0.cols(), values)).unwrap();
                let mut all = [q, k, v];
                all[which] = &moved;
                read(&block_on(cpu.attention(all[0], all[1], all[2], &segments, shape)).unwrap())
            });
        }
    }
}

#[test]
fn activations() {
    let cpu = cpu();
    for activation in [Activation::Identity, Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Tanh] {
        let ((x, xs), (up, ups)) = (tensor(&cpu, 20, 5, 1), tensor(&cpu, 20, 5, 2));
        let gradient = block_on(cpu.activate_backward(&x, &up, activation)).unwrap();
        check(&xs, &ups, &read(&gradient), |x| {
            read(&block_on(cpu.activate(&block_on(cpu.upload(20, 5, x)).unwrap(), activation)).unwrap())
        });
    }
    // The kink has no differences across it.
    let x = block_on(cpu.upload(1, 3, &[-0.5, 0.0, 2.0])).unwrap();
    let up = block_on(cpu.upload(1, 3, &[3.0, 4.0, 5.0])).unwrap();
    assert_eq!(read(&block_on(cpu.activate_backward(&x, &up, Activation::Relu)).unwrap()), [0.0, 0.0, 5.0]);
}

#[test]
fn softmax_by_hand() {
    let cpu = cpu();
    // Logits 0 and ln 3: probabilities 1/4 and 3/4.
    let logits = block_on(cpu.upload(2, 2, &[0.0, 3f32.ln(), 0.0, 3f32.ln()])).unwrap();
    let rows = block_on(cpu.upload(2, 2, &[4f32.ln(), 2.0, 4f32.ln(), 1.0])).unwrap();
    let gradient = read(&block_on(cpu.softmax_backward_tile(&logits, 5, &[6, 0], &rows)).unwrap());
    for (g, e) in gradient.iter().zip([0.5, -0.5, 0.25, 0.75]) {
        assert!((g - e).abs() < 1e-6, "{gradient:?}");
    }
}
