//! Mask gradients against differences of the loss under real masks, for every family and on both devices.

use super::{LossTargets, MaskGradients, mask_gradients};
use crate::base::{CancelToken, ErrorKind, Random, Run};
use crate::calibrate::store::tests::shelves;
use crate::calibrate::{Calibration, Store};
use crate::checkpoint::{Dtype, Folder, Layout, Matrix};
use crate::device::cpu::Cpu;
use crate::device::{Device, Preference};
use crate::forward::{Block, HostLayer, HostLinear, Loss, Targets, embed};
use crate::model::Unit;
use crate::model::testing::{Family, Opened, TinyBert, TinyDecoder, Top, open};
use pollster::block_on;

fn cpu() -> Device {
    Device::Cpu(Cpu::new(CancelToken::default(), "tests"))
}

/// A store that keeps so many bytes on the device, and what is over in memory.
fn store(device: u64) -> Store {
    Store::new(device, shelves(u64::MAX, 0))
}

/// Sequences of 2 to 9 tokens below `vocabulary`, in batches of a few.
fn sequences(vocabulary: usize) -> Calibration {
    let mut random = Random::new(11);
    let sequences: Vec<Vec<u32>> = (0..6).map(|_| (0..2 + random.below(8)).map(|_| random.below(vocabulary) as u32).collect()).collect();
    Calibration::new(&sequences, 14)
}

const LABELS: [usize; 6] = [2, 0, 1, 1, 2, 0];

fn gradients(device: &Device, model: &Opened, calibration: &Calibration, targets: LossTargets, store: &Store) -> MaskGradients {
    let run = Run::default();
    block_on(mask_gradients(device, &run, &model.checkpoint, &model.architecture, calibration, targets, store)).unwrap()
}

/// Losses of all sequences where the mask of one unit is `mask`: its channels are scaled before their consumer.
fn losses(
    device: &Device,
    model: &Opened,
    calibration: &Calibration,
    labels: Option<&[usize]>,
    masked: (usize, Unit, usize),
    mask: f32,
) -> Vec<f64> {
    let (at, unit, index) = masked;
    block_on(async {
        let mut states = embed(device, &model.checkpoint, &model.architecture, &calibration.batches).await.unwrap();
        for (number, layer) in model.architecture.layers.iter().enumerate() {
            let mut host = HostLayer::read(&model.checkpoint, layer).await.unwrap();
            if number == at {
                let size = layer.unit_size(unit);
                let consumer = match unit {
                    Unit::Heads => &mut host.attention_output,
                    Unit::Neurons => &mut host.ffn_output,
                };
                scale_inputs(consumer, index * size..(index + 1) * size, mask);
            }
            let block = Block::upload(device, &model.checkpoint, &model.architecture, layer, &host).await.unwrap();
            for (x, batch) in states.iter_mut().zip(&calibration.batches) {
                *x = block.apply(device, x, batch).await.unwrap();
            }
        }
        let loss = Loss::read(device, &model.checkpoint, &model.architecture).await.unwrap();
        loss.descend(device, &states, &calibration.batches, Targets::Observed(labels)).await.unwrap().losses
    })
}

fn scale_inputs(linear: &mut HostLinear, inputs: std::ops::Range<usize>, factor: f32) {
    let (rows, cols) = (linear.weight.inputs(), linear.weight.outputs());
    let mut values = linear.weight.to_f32_inputs_major().unwrap();
    values[inputs.start * cols..inputs.end * cols].iter_mut().for_each(|value| *value *= factor);
    linear.weight = Matrix::from_f32_inputs_major(&values, rows, cols, Dtype::F32, Layout::OutIn).0;
}

/// Compares the mask gradients of every sequence with differences at masks around 1.
fn check(name: &str, device: &Device, folder: Folder, labels: Option<&[usize]>) {
    let model = open(folder);
    let calibration = Calibration { labels: labels.map(<[usize]>::to_vec), ..sequences(model.architecture.vocabulary) };
    let found = gradients(device, &model, &calibration, LossTargets::Observed, &store(u64::MAX));
    let (mut compared, mut all) = (0, 0);
    for (at, layer) in model.architecture.layers.iter().enumerate() {
        for unit in Unit::ALL {
            let rows: Vec<&[f32]> = found.rows(at, unit).collect();
            assert_eq!((rows.len(), rows[0].len()), (6, layer.units(unit)), "{name}");
            for index in 0..layer.units(unit) {
                // Exact up to the fourth power of the step. Losses of a few nats have errors of some 1e-6 in f32.
                let differences = |step: f32| -> Vec<f64> {
                    let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0]
                        .map(|steps| losses(device, &model, &calibration, labels, (at, unit, index), 1.0 + steps * step));
                    (0..6).map(|s| (8.0 * (c[s] - b[s]) - (d[s] - a[s])) / (12.0 * f64::from(step))).collect()
                };
                let (wide, narrow) = (differences(0.06), differences(0.02));
                for (sequence, row) in rows.iter().enumerate() {
                    let (actual, expected) = (f64::from(row[index]), wide[sequence]);
                    let allowed = 2e-4 + 2e-3 * expected.abs();
                    all += 1;
                    // Where the two steps disagree there is a kink of ReLU between.
                    if (narrow[sequence] - expected).abs() > allowed {
                        continue;
                    }
                    let near = (actual - expected).abs() <= allowed;
                    assert!(near, "{name}, layer {at}, {unit:?} {index}, sequence {sequence}: {actual}, by differences {expected}");
                    compared += usize::from(expected.abs() > 2e-3);
                }
            }
        }
    }
    assert!(2 * compared > all, "{name}: only {compared} of {all} gradients are smooth and large enough to say anything");
}

fn bert() -> Folder {
    TinyBert { hidden: 8, heads: 2, neurons: 6, layers: 2, ..TinyBert::default() }.folder()
}

#[test]
fn masks_of_an_encoder_change_its_loss_by_their_gradients() {
    check("labels", &cpu(), bert(), Some(&LABELS));
    check("own predictions", &cpu(), bert(), None);
}

#[test]
fn masks_of_every_family_of_decoders_change_the_loss_by_their_gradients() {
    for family in [Family::Gpt2, Family::Opt, Family::Llama, Family::Qwen2] {
        let model = TinyDecoder { neurons: 6, ..TinyDecoder::new(family) };
        check(&format!("{family:?}"), &cpu(), model.folder(), None);
    }
}

/// Of the root mean square of a matrix: sums of a few hundred products in f32, over two layers.
fn agree(name: &str, a: &MaskGradients, b: &MaskGradients) {
    for layer in 0..2 {
        for unit in Unit::ALL {
            let [a, b] = [a, b].map(|gradients| gradients.rows(layer, unit).flatten().map(|&v| f64::from(v)).collect::<Vec<_>>());
            let size = (b.iter().map(|v| v * v).sum::<f64>() / b.len() as f64).sqrt();
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() <= 2e-4 * size, "{name}: {a} and {b}");
            }
        }
    }
}

#[test]
fn both_devices_and_any_batches_and_tiers_agree() {
    let gpu = match std::env::var_os("COPPICE_NO_GPU") {
        Some(_) => None,
        None => Some(block_on(Device::open(Preference::Gpu, CancelToken::default())).unwrap()),
    };
    let wide = TinyDecoder { vocabulary: 8300, ..TinyDecoder::new(Family::Gpt2) };
    let folders = [bert(), TinyDecoder::new(Family::Llama).folder(), TinyDecoder::new(Family::Opt).folder(), wide.folder()];
    for (which, folder) in folders.into_iter().enumerate() {
        let model = open(folder);
        let calibration = sequences(model.architecture.vocabulary);
        let observed = LossTargets::Observed;
        let expected = gradients(&cpu(), &model, &calibration, observed, &store(u64::MAX));
        // States in scratch, sequences one by one, and one after another without a break.
        agree("scratch", &gradients(&cpu(), &model, &calibration, observed, &store(0)), &expected);
        let all: Vec<Vec<u32>> = calibration
            .batches
            .iter()
            .flat_map(|batch| batch.segments.ranges().map(|rows| batch.ids[rows].to_vec()).collect::<Vec<_>>())
            .collect();
        for tokens in [1, 1000] {
            agree("batches", &gradients(&cpu(), &model, &Calibration::new(&all, tokens), observed, &store(u64::MAX)), &expected);
        }
        if let Some(gpu) = &gpu {
            agree(&format!("devices, model {which}"), &gradients(gpu, &model, &calibration, observed, &store(u64::MAX)), &expected);
        }
    }
}

#[test]
fn drawn_targets_are_seeded_and_average_to_nothing() {
    for folder in [bert(), TinyDecoder::new(Family::Llama).folder()] {
        let model = open(folder);
        let calibration = sequences(model.architecture.vocabulary);
        let draw = |seed: u64| gradients(&cpu(), &model, &calibration, LossTargets::Drawn { seed }, &store(u64::MAX));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3).losses, draw(4).losses);
        // The expectation of the score is 0: means over draws shrink with the root of their number.
        const DRAWS: u64 = 200;
        let (mut sum, mut squares) = (0.0, 0.0);
        for seed in 0..DRAWS {
            let value = f64::from(draw(seed).rows(0, Unit::Neurons).next().unwrap()[1]);
            sum += value;
            squares += value * value;
        }
        let standard_error = squares.sqrt() / DRAWS as f64;
        assert!(squares > 0.0 && sum.abs() / DRAWS as f64 <= 4.0 * standard_error, "mean {}, error {standard_error}", sum / DRAWS as f64);
    }
}

#[test]
fn drawn_squares_average_to_the_curvature_of_the_divergence() {
    let (device, model, unit) = (cpu(), open(bert()), (1, Unit::Neurons, 2));
    let calibration = sequences(model.architecture.vocabulary);
    // Losses of every class give all probabilities, at mask 1 and beside it.
    let by_class =
        |mask: f32| -> Vec<Vec<f64>> { (0..3).map(|class| losses(&device, &model, &calibration, Some(&[class; 6]), unit, mask)).collect() };
    const H: f32 = 0.1;
    let (dense, up, down) = (by_class(1.0), by_class(1.0 + H), by_class(1.0 - H));
    let divergence = |masked: &[Vec<f64>]| -> f64 {
        (0..3).flat_map(|class| (0..6).map(move |s| (class, s))).map(|(c, s)| (-dense[c][s]).exp() * (masked[c][s] - dense[c][s])).sum()
    };
    let expected = (divergence(&up) + divergence(&down)) / f64::from(H).powi(2);
    // Exactly, over all classes.
    let mut exact = 0.0;
    for (class, losses) in dense.iter().enumerate() {
        let labelled = Calibration { labels: Some(vec![class; 6]), ..calibration.clone() };
        let found = gradients(&device, &model, &labelled, LossTargets::Observed, &store(u64::MAX));
        exact += found.rows(unit.0, unit.1).zip(losses).map(|(row, loss)| (-loss).exp() * f64::from(row[unit.2]).powi(2)).sum::<f64>();
    }
    assert!((exact - expected).abs() <= 0.01 * expected, "{exact} over all classes, {expected} by differences");
    // And by draws.
    const DRAWS: u64 = 300;
    let draws: Vec<f64> = (0..DRAWS)
        .map(|seed| {
            let found = gradients(&device, &model, &calibration, LossTargets::Drawn { seed }, &store(u64::MAX));
            found.sums(unit.0, unit.1, |_, gradient| gradient * gradient)[unit.2]
        })
        .collect();
    let mean = draws.iter().sum::<f64>() / DRAWS as f64;
    let error = (draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (DRAWS * DRAWS) as f64).sqrt();
    assert!((mean - exact).abs() <= 4.0 * error && error < 0.2 * exact, "{mean} with an error of {error}, {exact} over all classes");
}

#[test]
fn a_model_without_a_head_and_a_wrong_label_are_refused() {
    let refuse = |folder: Folder, labels: Option<&[usize]>| {
        let model = open(folder);
        let calibration = Calibration { labels: labels.map(<[usize]>::to_vec), ..sequences(model.architecture.vocabulary) };
        let (run, targets) = (Run::default(), LossTargets::Observed);
        block_on(mask_gradients(&cpu(), &run, &model.checkpoint, &model.architecture, &calibration, targets, &store(u64::MAX))).unwrap_err()
    };
    for top in [Top::None, Top::MaskedLm] {
        let error = refuse(TinyBert { top, ..TinyBert::default() }.folder(), None);
        assert_eq!(error.kind(), ErrorKind::Recipe);
        assert!(error.to_string().contains("neither a classifier nor a next-token head"), "{error}");
    }
    assert!(refuse(bert(), Some(&[0, 1, 2, 3, 0, 0])).to_string().contains("label 3"));
}
