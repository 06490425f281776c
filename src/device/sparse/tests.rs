//! Sweeps and prefix sums against plain f64 loops. The bodies serve every device; those of the GPU are among its tests.

use super::*;
use crate::base::{CancelToken, Random};
use crate::device::Preference;
use pollster::block_on;
use proptest::prelude::*;

/// A turned weight matrix [inputs, outputs], a factor, and which inputs are always zero.
pub(in crate::device) struct Case {
    outputs: usize,
    inputs: usize,
    weight: Vec<f32>,
    factor: Vec<f32>,
    dead: Vec<bool>,
}

impl Case {
    pub(in crate::device) fn new(outputs: usize, inputs: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let weight = (0..outputs * inputs).map(|_| random.normal() as f32).collect();
        let mut factor = vec![0.0; inputs * inputs];
        for i in 0..inputs {
            factor[i * inputs + i] = (0.5 + random.uniform()) as f32;
            // So small that errors do not grow from column to column.
            (i + 1..inputs).for_each(|j| factor[i * inputs + j] = (0.5 * random.normal() / (inputs as f64).sqrt()) as f32);
        }
        let dead = (0..inputs).map(|_| random.uniform() < 0.1).collect();
        Self { outputs, inputs, weight, factor, dead }
    }

    /// All columns, 128 at a time: weights, and what became zero, [outputs, inputs].
    async fn swept(&self, device: &Device, given: Option<&[bool]>, count: usize, size: usize) -> (Vec<f32>, Vec<bool>) {
        let (outputs, inputs) = (self.outputs, self.inputs);
        let weight = device.upload(inputs, outputs, &self.weight).await.unwrap();
        let factor = device.upload(inputs, inputs, &self.factor).await.unwrap();
        let mut mask = vec![false; outputs * inputs];
        for first in (0..inputs).step_by(SWEPT) {
            let columns = first..(first + SWEPT).min(inputs);
            let words = match given {
                Some(mask) => {
                    let words = marks(columns.len(), outputs, |output, column| mask[output * inputs + first + column]);
                    let words = device.upload(words.len() / outputs, outputs, &words).await.unwrap();
                    device.sweep_columns(&weight, &factor, columns.clone(), Zeros::Marked(&words)).await.unwrap()
                }
                None => {
                    let zeros = Zeros::Groups { count, size, dead: &self.dead[columns.clone()] };
                    device.sweep_columns(&weight, &factor, columns.clone(), zeros).await.unwrap()
                }
            };
            let words = device.read(&words).await.unwrap();
            for (output, row) in mask.chunks_exact_mut(inputs).enumerate() {
                columns.clone().for_each(|column| row[column] = is_marked(&words, outputs, output, column - first));
            }
        }
        (device.read(&weight).await.unwrap(), mask)
    }

    /// The same in f64, a row after the other, for these zeros. Where groups choose them, each choice is judged, but for close calls.
    fn expected(&self, mask: &[bool], groups: Option<(usize, usize)>) -> Vec<f64> {
        let (outputs, inputs) = (self.outputs, self.inputs);
        let mut weight: Vec<f64> = self.weight.iter().map(|&value| f64::from(value)).collect();
        for output in 0..outputs {
            let mut row: Vec<f64> = (0..inputs).map(|input| weight[input * outputs + output]).collect();
            let gone = &mask[output * inputs..(output + 1) * inputs];
            for column in 0..inputs {
                if let Some((count, size)) = groups.filter(|(_, size)| column % size == 0) {
                    let score = |i: usize| if self.dead[i] { 0.0 } else { (row[i] / f64::from(self.factor[i * inputs + i])).abs() };
                    let of = |zero: bool| (column..column + size).filter(move |&i| gone[i] == zero).map(score);
                    assert_eq!(of(true).count(), count);
                    let (largest, least) = (of(true).fold(0.0, f64::max), of(false).fold(f64::INFINITY, f64::min));
                    // f32 sums of at most a few hundred products, relative to values of unit size.
                    assert!(largest <= least + 1e-4, "row {output}, column {column}: {largest} goes and {least} stays");
                }
                if gone[column] {
                    let own = &self.factor[column * inputs..(column + 1) * inputs];
                    let error = row[column] / f64::from(own[column]);
                    row[column] = 0.0;
                    (column + 1..inputs).for_each(|i| row[i] -= error * f64::from(own[i]));
                }
            }
            row.into_iter().enumerate().for_each(|(input, value)| weight[input * outputs + output] = value);
        }
        weight
    }

    /// Sweeps with given zeros, and with groups that choose them, of 4, 8 or 16.
    pub(in crate::device) async fn check(&self, device: &Device, share: f64, seed: u64) {
        let mut random = Random::new(seed);
        let given: Vec<bool> = (0..self.weight.len()).map(|_| random.uniform() < share).collect();
        let (weight, mask) = self.swept(device, Some(&given), 0, 0).await;
        assert_eq!(mask, given);
        self.close(&weight, &mask, None);
        for size in [4, 8, 16].into_iter().filter(|size| self.inputs.is_multiple_of(*size)) {
            let count = (share * size as f64) as usize;
            let (weight, mask) = self.swept(device, None, count, size).await;
            self.close(&weight, &mask, Some((count, size)));
        }
    }

    fn close(&self, weight: &[f32], mask: &[bool], groups: Option<(usize, usize)>) {
        let expected = self.expected(mask, groups);
        for (at, (value, expected)) in weight.iter().zip(&expected).enumerate() {
            let (input, output) = (at / self.outputs, at % self.outputs);
            assert!(!mask[output * self.inputs + input] || *value == 0.0);
            // Sums of some hundred products of about unit size in f32, each resting on those before it.
            assert!((f64::from(*value) - expected).abs() <= 2e-5 * expected.abs().max(1.0), "[{input}, {output}]: {value}, not {expected}");
        }
    }
}

/// The first of equal scores go, and those of dead inputs before all others.
pub(in crate::device) async fn check_ties(device: &Device) {
    let (outputs, inputs) = (3, 24);
    let mut factor = vec![0.0; inputs * inputs];
    (0..inputs).for_each(|i| factor[i * inputs + i] = 2.0);
    let dead = (0..inputs).map(|i| i >= 16 && i % 4 >= 2).collect();
    let case = Case { outputs, inputs, weight: vec![1.0; outputs * inputs], factor, dead };
    for (count, size) in [(2, 4), (4, 8), (1, 4), (0, 4), (4, 4)] {
        let (_, mask) = case.swept(device, None, count, size).await;
        for (i, gone) in mask.iter().enumerate() {
            let (input, place) = (i % inputs, i % inputs % size);
            let before = match (input >= 16, size) {
                (false, _) => place,
                // Dead are 2, 3, 6 and 7.
                (true, 4) => [2, 3, 0, 1][place],
                (true, _) => [4, 5, 0, 1, 6, 7, 2, 3][place],
            };
            assert_eq!(*gone, before < count, "{count} of {size}, input {input}");
        }
    }
}

/// Prefix sums of a device, with those that plain loops give: [<y, l>, |l|²]; the size of the terms of each l, as if none cancelled;
/// points of a row.
pub(in crate::device) struct Prefixes {
    pub(in crate::device) found: Vec<[f64; 2]>,
    pub(in crate::device) expected: Vec<[f64; 2]>,
    pub(in crate::device) sizes: Vec<f64>,
    pub(in crate::device) points: usize,
}

impl Prefixes {
    pub(in crate::device) async fn new(device: &Device, [rows, inputs, count, step]: [usize; 4], seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut normal = |count: usize| -> Vec<f32> { (0..count).map(|_| random.normal() as f32).collect() };
        let (weight, tokens) = (normal(rows * inputs), normal(inputs * count));
        let mut order = Vec::new();
        for row in weight.chunks_exact(inputs) {
            let mut own: Vec<u32> = (0..inputs as u32).collect();
            own.sort_by(|a, b| row[*a as usize].abs().total_cmp(&row[*b as usize].abs()));
            order.extend(own);
        }
        let output = |row: usize, of: &[u32]| -> Vec<f64> {
            let term = |input: usize, token: usize| f64::from(weight[row * inputs + input]) * f64::from(tokens[input * count + token]);
            (0..count).map(|token| of.iter().map(|&input| term(input as usize, token)).sum()).collect()
        };
        let size = |row: usize, of: &[u32]| -> f64 {
            let term = |input: usize, token: usize| f64::from(weight[row * inputs + input]) * f64::from(tokens[input * count + token]);
            let at = |token: usize| of.iter().map(|&input| term(input as usize, token).abs()).sum::<f64>();
            (0..count).map(|token| at(token).powi(2)).sum::<f64>().sqrt()
        };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (mut expected, mut sizes) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let order = &order[row * inputs..(row + 1) * inputs];
            let own = output(row, order);
            for zeros in (step..inputs).step_by(step).chain([inputs]) {
                let lost = output(row, &order[..zeros]);
                expected.push([dot(&own, &lost), dot(&lost, &lost)]);
                sizes.push(size(row, &order[..zeros]));
            }
        }
        let found = async {
            let weight = device.upload(rows, inputs, &weight).await?;
            let tokens = device.upload(inputs, count, &tokens).await?;
            device.prefix_sums(&weight, &order, &tokens, step).await
        };
        Self { found: found.await.unwrap(), expected, sizes, points: inputs.div_ceil(step) }
    }

    /// Fails where a sum is off by more than `tolerance`, relative to the terms of y and l: also where these are small, but not more
    /// closely than f32 adds what cancels.
    pub(in crate::device) fn check(&self, tolerance: f64) {
        assert_eq!(self.found.len(), self.expected.len());
        let rows = self.found.chunks(self.points).zip(self.expected.chunks(self.points)).zip(self.sizes.chunks(self.points));
        for ((found, expected), sizes) in rows {
            let own = sizes[self.points - 1];
            assert_eq!(found[self.points - 1][0], found[self.points - 1][1], "all is lost at the end");
            for (point, ((found, expected), lost)) in found.iter().zip(expected).zip(sizes).enumerate() {
                let off = [(found[0] - expected[0]).abs() / (own * lost), (found[1] - expected[1]).abs() / (lost * lost)];
                assert!(off[0] <= tolerance && off[1] <= tolerance, "point {point}: {found:?}, not {expected:?}, of {own} and {lost}");
            }
        }
    }
}

fn cpu() -> Device {
    block_on(Device::open(Preference::Cpu, CancelToken::default())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sweeps_are_what_loops_give(outputs in 1usize..40, inputs in 1usize..280, even: bool, share in 0f64..1.0, seed in any::<u64>()) {
        let inputs = if even { inputs.next_multiple_of(16) } else { inputs };
        block_on(Case::new(outputs, inputs, seed).check(&cpu(), share, seed ^ 1));
    }

    #[test]
    fn prefix_sums_are_what_loops_give(rows in 1usize..6, inputs in 1usize..40, count in 1usize..30, step in 1usize..7, seed in any::<u64>()) {
        block_on(Prefixes::new(&cpu(), [rows, inputs, count, step], seed)).check(1e-12);
    }

    #[test]
    fn marks_are_read_as_they_were_written(outputs in 1usize..5, columns in 1usize..70, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let zeros: Vec<bool> = (0..outputs * columns).map(|_| random.uniform() < 0.5).collect();
        let words = marks(columns, outputs, |output, column| zeros[output * columns + column]);
        prop_assert_eq!(words.len(), columns.div_ceil(MARKS) * outputs);
        prop_assert!((0..zeros.len()).all(|i| is_marked(&words, outputs, i / columns, i % columns) == zeros[i]));
    }
}

#[test]
fn the_first_of_equal_ones_go() {
    block_on(check_ties(&cpu()));
}

#[test]
fn what_does_not_fit_is_a_defect_not_a_crash() {
    let device = cpu();
    block_on(async {
        let weight = device.zeros(200, 3).await.unwrap();
        let (factor, small) = (device.zeros(200, 200).await.unwrap(), device.zeros(8, 3).await.unwrap());
        let marked = Zeros::Marked(&small);
        for columns in [0..0, 1..129, 0..129, 128..201] {
            assert!(device.sweep_columns(&weight, &factor, columns, marked).await.is_err());
        }
        assert!(device.sweep_columns(&weight, &weight, 0..128, marked).await.is_err());
        assert!(device.sweep_columns(&weight, &factor, 128..200, marked).await.is_err());
        let groups = |size| Zeros::Groups { count: 1, size, dead: &[false; 72] };
        assert!(device.sweep_columns(&weight, &factor, 128..200, groups(5)).await.is_err());
        assert!(device.sweep_columns(&weight, &factor, 128..200, groups(16)).await.is_err());
        let tokens = device.zeros(3, 2).await.unwrap();
        assert!(device.prefix_sums(&small, &[0; 23], &tokens, 1).await.is_err());
        assert!(device.prefix_sums(&small, &[3; 24], &tokens, 1).await.is_err());
        assert!(device.prefix_sums(&small, &[0; 24], &tokens, 0).await.is_err());
        let none = device.zeros(3, 0).await.unwrap();
        assert_eq!(device.prefix_sums(&small, &[0; 24], &none, 2).await.unwrap(), [[0.0; 2]; 16]);
    });
}
