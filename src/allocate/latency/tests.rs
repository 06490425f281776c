use super::*;
use crate::allocate::tests::{Bench, least_of_all, scores};
use crate::model::Unit;
use crate::score::ScoreOptions;
use pollster::block_on;

/// Attention is cheap to narrow at first; an FFN takes the same time up to half of its width.
fn table() -> LatencyTable {
    LatencyTable::new(8, vec![(1, 2.0), (2, 2.2), (4, 5.0)], vec![(1, 3.0), (12, 3.0), (24, 9.0)])
}

fn time(widths: &[[usize; 2]]) -> f64 {
    let table = table();
    widths.iter().map(|&[heads, neurons]| table.seconds(Unit::Heads, heads) + table.seconds(Unit::Neurons, neurons)).sum()
}

#[test]
fn a_table_gives_the_plan_that_loses_the_least_within_its_time() {
    let bench = Bench::new();
    let architecture = &bench.model.architecture;
    for seed in 0..12 {
        let (scores, ratio) = (scores(architecture, seed), 0.05 + 0.045 * seed as f64);
        let found = search(&bench.request(&Unit::ALL, ratio), &scores, table()).unwrap();
        let widths: Vec<[usize; 2]> = found.plan.layers.iter().map(|layer| [layer.heads.len(), layer.neurons.len()]).collect();
        // The dense model takes 3 * 14.
        assert!(time(&widths) <= (1.0 - ratio) * 42.0 + 1e-9);
        assert!((found.time.unwrap() - (1.0 - time(&widths) / 42.0)).abs() < 1e-12);
        let gone = |unit: Unit| {
            let layers = found.plan.layers.iter().zip(&scores);
            let of = layers.map(move |(kept, scores)| {
                let values = scores[unit as usize].as_ref().unwrap().values();
                values
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| !kept.kept(unit).contains(&(*index as u32)))
                    .map(|(_, value)| value)
                    .sum::<f64>()
            });
            of.sum::<f64>()
        };
        let lost = gone(Unit::Heads) + gone(Unit::Neurons);
        let least = least_of_all(architecture, &scores, time, 0.0..=(1.0 - ratio) * 42.0).unwrap();
        assert!((lost - least).abs() <= 1e-9 * least, "{lost} is not {least}");
    }
}

#[test]
fn a_time_out_of_reach_is_refused_with_what_is_not() {
    let bench = Bench::new();
    let scores = scores(&bench.model.architecture, 0);
    // One head and one neuron take 5 of 14.
    let message = search(&bench.request(&Unit::ALL, 0.7), &scores, table()).unwrap_err().to_string();
    assert!(message.contains("0.7 ") && message.contains("0.643"), "{message}");
}

#[test]
fn a_measured_table_holds_times() {
    let bench = Bench::new();
    let options = ScoreOptions::default();
    let table = block_on(measure::measure(&bench.whole(&Unit::ALL, &options))).unwrap();
    assert_eq!(table.tokens, bench.calibration.batches[0].tokens());
    let counts = |points: &[(usize, f64)]| points.iter().map(|(count, _)| *count).collect::<Vec<_>>();
    assert_eq!((counts(&table.heads), counts(&table.neurons)), (vec![1, 2, 3, 4], vec![1, 3, 6, 12, 18, 24]));
    assert!(table.heads.iter().chain(&table.neurons).all(|(_, seconds)| seconds.is_finite() && *seconds > 0.0), "{table:?}");
}
