use super::*;
use crate::base::CancelToken;
use crate::device::{Device, Preference};
use crate::score::weights::{Group, weight_criterion};
use pollster::block_on;
use proptest::prelude::*;

fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut random = crate::base::Random::new(seed);
    (0..count).map(|_| random.uniform() as f32 - 0.5).collect()
}

fn target(zeros: usize, pattern_name: &str, group: Group) -> Target {
    Target { zeros, rows: None, pattern: pattern(pattern_name).unwrap(), group }
}

fn magnitudes(weight: &[f32], inputs: usize) -> RowScores<'_> {
    weight_criterion("magnitude").unwrap().scores(WeightSite { weight, inputs, squares: &[], roots: &[] })
}

/// Curves of the CPU device; `tokens` are [inputs, count].
fn curves(weight: &[f32], inputs: usize, scores: &RowScores<'_>, tokens: &[f32]) -> PrefixCurves {
    block_on(async {
        let device = Device::open(Preference::Cpu, CancelToken::default()).await.unwrap();
        let tokens = device.upload(inputs, tokens.len() / inputs, tokens).await.unwrap();
        PrefixCurves::new(&device, weight, inputs, scores, &tokens).await.unwrap()
    })
}

proptest! {
    #[test]
    fn exactly_the_smallest_go(outputs in 1usize..12, inputs in 1usize..40, share in 0f64..=1.0, levels in 1u32..9, group in 0usize..3, seed in any::<u64>()) {
        // Few levels, so that there are ties.
        let weight: Vec<f32> = values(outputs * inputs, seed).iter().map(|v| (v * levels as f32).round()).collect();
        let zeros = (share * weight.len() as f64) as usize;
        let group = [Group::Row, Group::Matrix, Group::Columns(7)][group];
        let mask = pick(&magnitudes(&weight, inputs), outputs, inputs, &target(zeros, "unstructured", group));
        prop_assert_eq!(mask.count(), zeros);
        // The places that are compared with each other: sorted by score, then index, the first of them go.
        let sets: Vec<Vec<usize>> = match group {
            Group::Row => (0..outputs).map(|o| (o * inputs..(o + 1) * inputs).collect()).collect(),
            Group::Matrix => vec![(0..weight.len()).collect()],
            Group::Columns(width) => (0..inputs.div_ceil(width)).map(|b| (0..weight.len()).filter(|i| i % inputs / width == b).collect()).collect(),
        };
        for mut set in sets {
            let gone = set.iter().filter(|&&i| mask.zeros()[i]).count();
            set.sort_by(|&a, &b| weight[a].abs().total_cmp(&weight[b].abs()).then(a.cmp(&b)));
            prop_assert!(set.iter().enumerate().all(|(place, &i)| mask.zeros()[i] == (place < gone)));
        }
    }

    #[test]
    fn groups_of_four_have_two_zeros(outputs in 1usize..6, groups in 1usize..6, seed in any::<u64>()) {
        let weight = values(outputs * groups * 4, seed);
        let mask = pick(&magnitudes(&weight, groups * 4), outputs, groups * 4, &target(0, "2:4", Group::Row));
        for (weights, zeros) in weight.chunks(4).zip(mask.zeros().chunks(4)) {
            prop_assert_eq!(zeros.iter().filter(|zero| **zero).count(), 2);
            let size = |zero: bool| weights.iter().zip(zeros).filter(move |(_, z)| **z == zero).map(|(w, _)| w.abs());
            prop_assert!(size(true).fold(0.0, f32::max) <= size(false).fold(f32::INFINITY, f32::min));
        }
    }

    #[test]
    fn curves_are_what_products_give(rows in 1usize..5, inputs in 1usize..20, count in 1usize..9, seed in any::<u64>()) {
        let weight = values(rows * inputs, seed);
        let tokens = values(inputs * count, seed ^ 1);
        let scores = magnitudes(&weight, inputs);
        let curves = curves(&weight, inputs, &scores, &tokens);
        let tokens: Vec<f64> = tokens.into_iter().map(f64::from).collect();
        for zeros in 0..=inputs {
            let counts = vec![zeros; rows];
            let mask = pick(&scores, rows, inputs, &Target { rows: Some(counts.clone()), ..target(zeros * rows, "unstructured", Group::Row) });
            let left = mask.applied(&weight);
            let output = |weight: &[f32], row: usize, token: usize| -> f64 {
                (0..inputs).map(|i| f64::from(weight[row * inputs + i]) * tokens[i * count + token]).sum()
            };
            let mut error = 0.0;
            for row in 0..rows {
                let both = |a: &[f32], b: &[f32]| (0..count).map(|t| output(a, row, t) * output(b, row, t)).sum::<f64>();
                let (dot, square) = curves.at(row, zeros);
                prop_assert!((dot - both(&weight, &left)).abs() < 1e-12 && (square - both(&left, &left)).abs() < 1e-12);
                prop_assert!((curves.own(row) - both(&weight, &weight)).abs() < 1e-12);
                error += both(&weight, &weight) - 2.0 * dot + square;
            }
            prop_assert!((curves.error(&counts) - error).abs() < 1e-12);
        }
    }

    #[test]
    fn budgets_of_rows_add_up(rows in 1usize..8, inputs in 1usize..24, share in 0f64..=0.95, seed in any::<u64>()) {
        let weight = values(rows * inputs, seed);
        let scores = magnitudes(&weight, inputs);
        let curves = curves(&weight, inputs, &scores, &values(inputs * 8, seed ^ 1));
        let zeros = (share * weight.len() as f64) as usize;
        let problem = Rows { scores: &scores, outputs: rows, inputs, zeros, curves: Some(&curves), equalise: 0.0 };
        let even = curves.error(&even_rows(zeros, rows, inputs));
        for budget in ROW_BUDGETS {
            let found = budget.rows(&problem).unwrap();
            prop_assert_eq!(found.iter().sum::<usize>(), zeros, "{}", budget.name());
            prop_assert!(found.iter().all(|&count| count <= inputs));
            // One price for all rows is best where every row is at a corner of its hull, and off by a stretch at most.
            if budget.name() == "curves" {
                let stretch = (0..rows).flat_map(|row| curves.errors(row).map(|(_, error)| error).collect::<Vec<_>>()).fold(0.0, f64::max);
                prop_assert!(curves.error(&found) <= even + stretch, "{} {even}", curves.error(&found));
            }
        }
    }
}

#[test]
fn adaptive_rows_lose_one_share() {
    // Shares 1/10, 3/10, 6/10, 1; and 1/4, 2/4, 3/4, 1.
    let weight = [4.0, 1.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0];
    let scores = magnitudes(&weight, 4);
    let rows = |zeros| {
        let problem = Rows { scores: &scores, outputs: 2, inputs: 4, zeros, curves: None, equalise: 0.0 };
        row_budget("adaptive").unwrap().rows(&problem).unwrap()
    };
    assert_eq!([rows(1), rows(2), rows(3), rows(5)], [[1, 0], [1, 1], [2, 1], [3, 2]]);
}

#[test]
fn shares_of_blocks_have_the_ratio_for_their_mean() {
    let options = LayerOptions { range: None, outlier: 5.0 };
    let weights = [100, 300, 100];
    for budget in LAYER_BUDGETS {
        for ratio in [0.1, 0.5, 0.8, 0.97] {
            let shares = block_shares(*budget, &[1.0, 3.0, 2.0], &weights, ratio, options);
            let realised = shares.iter().zip(weights).map(|(share, count)| share * count as f64).sum::<f64>() / 500.0;
            assert!((realised - ratio).abs() < 1e-9, "{} {ratio} {shares:?}", budget.name());
            assert!(shares.iter().all(|share| (0.0..=0.99).contains(share)), "{} {shares:?}", budget.name());
        }
    }
    // Many outliers protect; a large exponent, a light tail, does the opposite. The ranges are the published ones.
    let owl = block_shares(layer_budget("owl", "allocation").unwrap(), &[1.0, 3.0, 2.0], &[1, 1, 1], 0.5, options);
    assert!(owl.iter().zip([0.58, 0.42, 0.5]).all(|(a, b)| (a - b).abs() < 1e-9), "{owl:?}");
    let alpha = block_shares(layer_budget("alpha", "allocation").unwrap(), &[1.0, 3.0, 2.0], &[1, 1, 1], 0.5, options);
    assert!(alpha.iter().zip([0.35, 0.65, 0.5]).all(|(a, b)| (a - b).abs() < 1e-9), "{alpha:?}");
}

#[test]
fn between_points_of_a_curve_there_are_straight_lines() {
    // Steps of three, and a last one of two.
    let inputs = 767;
    let weight = values(inputs, 1);
    let tokens = values(inputs * 4, 2);
    let scores = magnitudes(&weight, inputs);
    let curves = curves(&weight, inputs, &scores, &tokens);
    let tokens: Vec<f64> = tokens.into_iter().map(f64::from).collect();
    let exact = |zeros: usize| {
        let mask = pick(&scores, 1, inputs, &Target { rows: Some(vec![zeros]), ..target(zeros, "unstructured", Group::Row) });
        let outputs = |weight: &[f32]| -> Vec<f64> {
            (0..4).map(|token| (0..inputs).map(|i| f64::from(weight[i]) * tokens[i * 4 + token]).sum()).collect()
        };
        let (own, left) = (outputs(&weight), outputs(&mask.applied(&weight)));
        (own.iter().zip(&left).map(|(a, b)| a * b).sum::<f64>(), left.iter().map(|b| b * b).sum::<f64>())
    };
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9;
    for zeros in [0, 3, 300, 765, 767] {
        assert!(near(curves.at(0, zeros), exact(zeros)), "{zeros}");
    }
    let mean = |share: f64, a: (f64, f64), b: (f64, f64)| (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1));
    assert!(near(curves.at(0, 301), mean(1.0 / 3.0, exact(300), exact(303))));
    assert!(near(curves.at(0, 766), mean(0.5, exact(765), exact(767))));
}

#[test]
fn rows_that_go_to_the_device_in_pieces_are_walked_alike() {
    // So many tokens that two rows of these go at once, and the last alone.
    let (rows, inputs, count) = (5, 3, 1 << 20);
    let (weight, tokens) = (values(rows * inputs, 3), values(inputs * count, 4));
    let scores = magnitudes(&weight, inputs);
    let all = curves(&weight, inputs, &scores, &tokens);
    assert_eq!(all.rows(), rows);
    for (row, weight) in weight.chunks(inputs).enumerate() {
        let one = curves(weight, inputs, &magnitudes(weight, inputs), &tokens);
        for zeros in 0..=inputs {
            let (a, b) = (all.at(row, zeros), one.at(0, zeros));
            assert!((a.0 - b.0).abs() < 1e-9 * one.own(0) && (a.1 - b.1).abs() < 1e-9 * one.own(0), "{row} {zeros}");
        }
    }
}
