use super::probe::Task;
use super::*;
use crate::allocate::tests::{Bench, scores};
use crate::allocate::{channels, select};
use crate::base::Result;
use crate::calibrate::dense_pass;
use crate::forward::{Answers, Block, embed};
use crate::model::Unit;
use crate::score::{LayerScores, ScoreOptions, Whole};
use pollster::block_on;

async fn bench() -> Result<Bench> {
    let mut bench = Bench::new();
    let needs = Sensitivity.needs();
    let model = &bench.model;
    bench.statistics =
        dense_pass(&bench.device, &bench.run, &model.checkpoint, &model.architecture, &bench.calibration, needs, &bench.store).await?;
    Ok(bench)
}

/// The distance when removed channels of one consumer have their means in their places, which is what the compensated bias gives, or
/// zeros, where biases stay.
async fn expected(bench: &Bench, scores: &[LayerScores], task: Task, affine: bool) -> Result<f64> {
    let (device, model, batches) = (&bench.device, &bench.model, &bench.calibration.batches);
    let options = ScoreOptions::default();
    let whole = bench.whole(&Unit::ALL, &options);
    let mut dense = embed(device, &model.checkpoint, &model.architecture, batches).await?;
    let mut moved = dense.clone();
    for (index, layer) in model.architecture.layers.iter().enumerate() {
        let block = Block::upload(device, &model.checkpoint, &model.architecture, layer, &whole.host(index).await?).await?;
        let size = layer.unit_size(task.unit);
        let kept = channels(&select(scores[index][task.unit as usize].as_ref().unwrap(), task.keep, index, task.unit).0, size);
        let sums = bench.statistics.site(index, task.unit).unwrap().sums();
        for (number, batch) in batches.iter().enumerate() {
            for unit in Unit::ALL {
                let mut inputs = block.consumed(device, unit, &moved[number], batch).await?;
                if (task.layer, task.unit) == (index, unit) {
                    let mut values = device.read(&inputs).await?;
                    for (place, value) in values.iter_mut().enumerate() {
                        let channel = place % inputs.cols();
                        if !kept.contains(&(channel as u32)) {
                            *value = if affine { (sums.sums[channel] / sums.count) as f32 } else { 0.0 };
                        }
                    }
                    inputs = device.upload(inputs.rows(), inputs.cols(), &values).await?;
                }
                moved[number] = block.advance(device, unit, &moved[number], &inputs).await?;
            }
            dense[number] = block.apply(device, &dense[number], batch).await?;
        }
    }
    let answers = Answers::of(device, &model.checkpoint, &model.architecture, batches, async |batch| Ok(dense[batch].clone())).await?;
    Ok(answers.distances(1, async |_, batch| Ok(moved[batch].clone())).await?[0])
}

#[test]
fn probes_are_what_one_pruned_sublayer_does_to_the_answers() {
    block_on(async {
        let bench = bench().await.unwrap();
        let scores = scores(&bench.model.architecture, 2);
        let options = ScoreOptions::default();
        let tasks = tasks(&bench.request(&Unit::ALL, 0.5));
        // A quarter of 4 heads and of 24 neurons, and three quarters.
        let kept: Vec<usize> = tasks.iter().map(|task| task.keep).collect();
        assert_eq!(kept, [3, 1, 18, 6].repeat(3));
        for affine in [true, false] {
            let whole = Whole { affine, ..bench.whole(&Unit::ALL, &options) };
            let found = probe(&whole, &scores, &tasks).await.unwrap();
            assert_eq!(found.len(), tasks.len());
            for (probe, &task) in found.iter().zip(&tasks) {
                let right = expected(&bench, &scores, task, affine).await.unwrap();
                assert_eq!((probe.layer, probe.unit, probe.kept), (task.layer, task.unit, task.keep));
                // f32 sums in another order.
                assert!(right > 1e-6 && (probe.distance - right).abs() < 1e-3 * right + 1e-7, "{probe:?} is not {right}");
            }
        }
    });
}

#[test]
fn parameters_go_where_they_cost_least() {
    block_on(async {
        let bench = bench().await.unwrap();
        let scores = scores(&bench.model.architecture, 2);
        let options = ScoreOptions::default();
        let whole = bench.whole(&Unit::ALL, &options);
        let planning = Planning { request: bench.request(&Unit::ALL, 0.4), whole: &whole, scores: &scores };
        let found = Sensitivity.plan(&planning).await.unwrap();
        assert!((found.plan.ratio(&bench.model.architecture) - 0.4).abs() <= 0.005);
        let probes = found.probes.unwrap();
        // What the next neuron of each layer would cost, and what the last one did: none is worth exchanging for another.
        let (mut last, mut next) = (0f64, f64::INFINITY);
        for (layer, kept) in found.plan.layers.iter().enumerate() {
            let points: Vec<_> = probes.iter().filter(|p| (p.layer, p.unit) == (layer, Unit::Neurons)).map(Probe::point).collect();
            let growth = Growth::fit(&points);
            let gone = (24 - kept.neurons.len()) as f64;
            last = if gone > 0.0 { last.max(growth.slope((gone - 0.5) / 24.0)) } else { last };
            next = if kept.neurons.len() > within_probes(&planning.request).least(24) {
                next.min(growth.slope((gone + 0.5) / 24.0))
            } else {
                next
            };
        }
        assert!(last <= next && next.is_finite(), "a neuron that cost {last} went, and one at {next} stayed");
    });
}
