use super::*;

/// Weights [2, 3] of inputs with norms 2, 0 and 1.
const WEIGHTS: [f32; 6] = [1.0, -3.0, 0.0, -2.0, 1.0, 4.0];

fn scored(name: &str) -> Vec<f64> {
    let site = WeightSite { weight: &WEIGHTS, inputs: 3, squares: &[4.0, 0.0, 1.0], roots: &[0.5, 10.0, 2.0] };
    let scores = weight_criterion(name).unwrap().scores(site);
    let mut all = vec![f64::NAN; 6];
    all.chunks_exact_mut(3).enumerate().for_each(|(output, row)| scores(output, row));
    all
}

#[test]
fn they_are_the_formulas() {
    assert_eq!(scored("magnitude"), [1.0, 3.0, 0.0, 2.0, 1.0, 4.0]);
    assert_eq!(scored("wanda"), [2.0, 0.0, 0.0, 4.0, 0.0, 4.0]);
    // Row sums 4 and 7, column sums 3, 4 and 4.
    let root = 2f64.sqrt();
    let expected = [(1.0 / 3.0 + 1.0 / 4.0) * root, 0.0, 0.0, (2.0 / 3.0 + 2.0 / 7.0) * root, 0.0, 1.0 + 4.0 / 7.0];
    assert!(scored("ria").iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15));
    assert_eq!(scored("sparsegpt"), [4.0, 0.0, 0.0, 16.0, 0.0, 4.0]);
}

#[test]
fn a_name_that_is_none_is_told_the_others() {
    let message = weight_criterion("flap").err().unwrap().to_string();
    assert!(message.contains("\"flap\"") && message.contains("magnitude, wanda, ria, sparsegpt"), "{message}");
}
