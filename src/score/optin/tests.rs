//! Against a naive implementation: the weights that read a unit are set to zero, the whole model runs, and similarity matrices and
//! divergences are computed in full, in f64.

use super::rerun::{Moved, Rerun};
use super::{ANSWERS, LAST, Optin};
use crate::base::{CancelToken, ErrorKind, Random, Run};
use crate::calibrate::{Calibration, Needs, Shelf, Shelves, Statistics, Store, dense_pass};
use crate::checkpoint::{Dtype, Folder, Layout, Matrix, MemoryScratch};
use crate::device::cpu::Cpu;
use crate::device::{Device, Preference};
use crate::forward::{Batch, Block, Decoder, HeadWeights, HostLayer, batches, embed};
use crate::model::testing::{Family, Opened, TinyBert, TinyDecoder, Top, open};
use crate::model::{Head, Unit};
use crate::score::{Criterion, LayerScores, ScoreOptions, Whole};
use pollster::block_on;
use std::cell::RefCell;
use std::rc::Rc;

fn cpu() -> Device {
    Device::Cpu(Cpu::new(CancelToken::default(), "tests"))
}

fn store() -> Store {
    let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
    Store::new(1 << 20, Shelves { memory: shelf(), disk: shelf() })
}

/// Sequences of 2 to 9 tokens below `vocabulary`.
fn sequences(vocabulary: usize, count: usize) -> Vec<Vec<u32>> {
    let mut random = Random::new(11);
    (0..count).map(|_| (0..2 + random.below(8)).map(|_| random.below(vocabulary) as u32).collect()).collect()
}

/// Gives `body` the model with its statistics.
fn with_whole<T>(
    device: &Device,
    run: &Run,
    model: &Opened,
    sequences: &[Vec<u32>],
    options: ScoreOptions,
    body: impl AsyncFnOnce(&Whole<'_>) -> T,
) -> T {
    block_on(async {
        let (calibration, store) = (Calibration::new(sequences, 14), store());
        let (checkpoint, architecture) = (&model.checkpoint, &model.architecture);
        let statistics = match options.screen < 1.0 {
            true => {
                let needs = Needs { statistics: true, ..Needs::default() };
                dense_pass(device, &Run::default(), checkpoint, architecture, &calibration, needs, &store).await.unwrap()
            }
            false => Statistics::default(),
        };
        let whole = Whole {
            affine: true,
            device,
            run,
            checkpoint,
            architecture,
            units: Unit::ALL.to_vec(),
            calibration: &calibration,
            statistics: &statistics,
            store: &store,
            ratio: 0.5,
            options: &options,
            seed: 3,
        };
        body(&whole).await
    })
}

/// The FFN's outputs of every layer and the logits (of classes by sequence, or of tokens; none where nothing is predicted), row by
/// row, of the model without one unit.
async fn run(device: &Device, model: &Opened, batch: &Batch, without: Option<(usize, Unit, usize)>) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let (checkpoint, architecture) = (&model.checkpoint, &model.architecture);
    let mut x = embed(device, checkpoint, architecture, std::slice::from_ref(batch)).await.unwrap().remove(0);
    let mut features = Vec::new();
    for (number, layer) in architecture.layers.iter().enumerate() {
        let mut host = HostLayer::read(checkpoint, layer).await.unwrap();
        if let Some((_, unit, index)) = without.filter(|without| without.0 == number) {
            let size = layer.unit_size(unit);
            let consumer = if unit == Unit::Heads { &mut host.attention_output } else { &mut host.ffn_output };
            let (rows, cols) = (consumer.weight.inputs(), consumer.weight.outputs());
            let mut values = consumer.weight.to_f32_inputs_major().unwrap();
            values[index * size * cols..(index + 1) * size * cols].fill(0.0);
            consumer.weight = Matrix::from_f32_inputs_major(&values, rows, cols, Dtype::F32, Layout::OutIn).0;
        }
        let block = Block::upload(device, checkpoint, architecture, layer, &host).await.unwrap();
        let contexts = block.contexts(device, &x, batch).await.unwrap();
        x = block.advance(device, Unit::Heads, &x, &contexts).await.unwrap();
        let output = block.project_neurons(device, &block.neurons(device, &x).await.unwrap()).await.unwrap();
        features.push(device.read(&output).await.unwrap());
        x = block.join_ffn(device, &x, &output).await.unwrap();
    }
    let logits = match &architecture.head {
        Head::Classifier { .. } => {
            let head = HeadWeights::read(device, checkpoint, architecture).await.unwrap();
            head.logits(device, &x, &batch.segments).await.unwrap()
        }
        Head::CausalLm { .. } => {
            let decoder = Decoder::read(device, checkpoint, architecture).await.unwrap();
            let tile = decoder.tile(0).await.unwrap().1;
            decoder.logits(&decoder.normalise(&x).await.unwrap(), &tile).await.unwrap()
        }
        _ => return (features, Vec::new()),
    };
    let rows = device.read(&logits).await.unwrap().chunks_exact(logits.cols()).map(<[f32]>::to_vec).collect();
    (features, rows)
}

/// Squared Frobenius distance of the similarity matrices of some rows of length 1.
fn similarity_distance(a: &[f32], b: &[f32], width: usize, rows: &[usize]) -> f64 {
    let unit = |values: &[f32]| -> Vec<Vec<f64>> {
        let row = |&row: &usize| {
            let values: Vec<f64> = values[row * width..(row + 1) * width].iter().copied().map(f64::from).collect();
            let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
            values.into_iter().map(|v| v / norm).collect()
        };
        rows.iter().map(row).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (a, b) = (unit(a), unit(b));
    (0..a.len()).flat_map(|i| (0..a.len()).map(move |j| (i, j))).map(|(i, j)| (dot(&a[i], &a[j]) - dot(&b[i], &b[j])).powi(2)).sum()
}

fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let log_softmax = |row: &[f32]| -> Vec<f64> {
        let total: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
        row.iter().map(|&v| f64::from(v) - total.ln()).collect()
    };
    let (p, q) = (log_softmax(p), log_softmax(q));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// What the naive implementation finds for one unit.
async fn naive(device: &Device, model: &Opened, sequences: &[Vec<u32>], without: (usize, Unit, usize)) -> Moved {
    let batch = batches(sequences, usize::MAX).remove(0);
    let mut sample = Random::new(3).sample(batch.tokens(), 768);
    sample.sort_unstable();
    let (dense, answers) = run(device, model, &batch, None).await;
    let (moved, other) = run(device, model, &batch, Some(without)).await;
    let depth = dense.len();
    let first = (without.0 + 1).min(depth - 1);
    let width = model.architecture.hidden;
    let rows: Vec<usize> = if model.architecture.causal { sample.clone() } else { (0..answers.len()).collect() };
    Moved {
        trajectory: (first..depth).map(|layer| similarity_distance(&dense[layer], &moved[layer], width, &sample)).sum(),
        answers: if answers.is_empty() { 0.0 } else { rows.iter().map(|&row| divergence(&answers[row], &other[row])).sum() },
    }
}

fn bert(top: Top) -> Folder {
    TinyBert { hidden: 12, heads: 3, neurons: 7, layers: 3, top, ..TinyBert::default() }.folder()
}

fn near(what: &str, actual: f64, expected: f64) {
    // Both come of f32 forward passes; a unit of a small model moves the rest by far more than their rounding.
    assert!((actual - expected).abs() <= 2e-3 * expected.abs() + 1e-9, "{what}: {actual}, naively {expected}");
}

fn check(name: &str, device: &Device, folder: Folder, count: usize) {
    let model = open(folder);
    let sequences = sequences(model.architecture.vocabulary, count);
    let options = ScoreOptions { score_sequences: count, ..ScoreOptions::default() };
    with_whole(device, &Run::default(), &model, &sequences, options, async |whole| {
        let rerun = Rerun::new(whole).await.unwrap();
        for (layer, described) in model.architecture.layers.iter().enumerate() {
            let host = whole.host(layer).await.unwrap();
            for unit in Unit::ALL {
                let units: Vec<u32> = (0..described.units(unit) as u32).rev().collect();
                let moved = rerun.moved(layer, unit, &host, &units, |_| ()).await.unwrap();
                assert_eq!(moved.len(), units.len());
                for (&index, moved) in units.iter().zip(moved) {
                    let expected = naive(device, &model, &sequences, (layer, unit, index as usize)).await;
                    let what = format!("{name}, layer {layer}, {unit:?} {index}");
                    assert!(expected.trajectory > 1e-6, "{what} moves nothing");
                    near(&what, moved.trajectory, expected.trajectory);
                    near(&what, moved.answers, expected.answers);
                }
            }
        }
    });
}

#[test]
fn a_rerun_finds_what_the_whole_model_without_the_unit_does() {
    check("classifier", &cpu(), bert(Top::Classifier(3)), 6);
    check("encoder", &cpu(), bert(Top::None), 6);
    for family in [Family::Gpt2, Family::Llama] {
        check(&format!("{family:?}"), &cpu(), TinyDecoder { neurons: 6, ..TinyDecoder::new(family) }.folder(), 6);
    }
}

#[test]
fn longer_texts_are_sampled() {
    let small = TinyBert { hidden: 8, heads: 2, neurons: 3, layers: 2, ..TinyBert::default() };
    check("sampled", &cpu(), small.folder(), 160);
}

fn scores(device: &Device, folder: Folder, options: ScoreOptions) -> Vec<LayerScores> {
    let model = open(folder);
    let sequences = sequences(model.architecture.vocabulary, 6);
    with_whole(device, &Run::default(), &model, &sequences, options, async |whole| Optin.score_all(whole).await.unwrap())
}

#[test]
fn answers_weigh_a_tenth_of_the_trajectories_and_the_last_layer_counts_half() {
    let model = open(bert(Top::Classifier(3)));
    let sequences = sequences(model.architecture.vocabulary, 6);
    let scores = scores(&cpu(), bert(Top::Classifier(3)), ScoreOptions::default());
    let mut expected: Vec<(usize, Unit, Vec<Moved>)> = Vec::new();
    for layer in 0..3 {
        for unit in Unit::ALL {
            let units = model.architecture.layers[layer].units(unit);
            let moved = (0..units).map(|index| block_on(naive(&cpu(), &model, &sequences, (layer, unit, index)))).collect();
            expected.push((layer, unit, moved));
        }
    }
    let last = |layer: usize| if layer == 2 { LAST } else { 1.0 };
    let sum = |term: &dyn Fn(usize, &Moved) -> f64| -> f64 {
        expected.iter().flat_map(|(layer, _, moved)| moved.iter().map(move |moved| term(*layer, moved))).sum()
    };
    let weight = ANSWERS * sum(&|layer, moved| last(layer) * moved.trajectory) / sum(&|_, moved| moved.answers);
    for (layer, unit, moved) in &expected {
        let values = scores[*layer][*unit as usize].as_ref().unwrap().values();
        for (index, (score, moved)) in values.iter().zip(moved).enumerate() {
            near(&format!("layer {layer}, {unit:?} {index}"), *score, last(*layer) * moved.trajectory + weight * moved.answers);
        }
    }
}

#[test]
fn both_devices_agree() {
    if std::env::var_os("COPPICE_NO_GPU").is_some() {
        println!("left out: COPPICE_NO_GPU is set");
        return;
    }
    let gpu = block_on(Device::open(Preference::Gpu, CancelToken::default())).unwrap();
    let llama = || TinyDecoder { neurons: 6, ..TinyDecoder::new(Family::Llama) }.folder();
    for folder in [|| bert(Top::Classifier(3)), llama] {
        let [cpu, gpu] = [&cpu(), &gpu].map(|device| scores(device, folder(), ScoreOptions::default()));
        for (cpu, gpu) in cpu.iter().flatten().zip(gpu.iter().flatten()) {
            for (cpu, gpu) in cpu.as_ref().unwrap().values().into_iter().zip(gpu.as_ref().unwrap().values()) {
                near("the GPU", gpu, cpu);
            }
        }
    }
}

#[test]
fn screening_scores_some_exactly_and_all_on_one_scale() {
    // Without answers, whose weight is that of the units that are scored.
    let folder = || TinyBert { hidden: 12, heads: 3, neurons: 40, layers: 2, top: Top::None, ..TinyBert::default() }.folder();
    let exact = scores(&cpu(), folder(), ScoreOptions::default());
    let screened = scores(&cpu(), folder(), ScoreOptions { screen: 0.4, ..ScoreOptions::default() });
    for (exact, screened) in exact.iter().zip(&screened) {
        let [exact, screened] = [exact, screened].map(|layer| layer[Unit::Neurons as usize].as_ref().unwrap().values());
        let same = exact.iter().zip(&screened).filter(|(a, b)| (*a / *b - 1.0).abs() < 1e-4).count();
        assert!((16..20).contains(&same), "{same} of 40 are exact");
        let mean = |values: &[f64]| values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64;
        assert!((mean(&exact) - mean(&screened)).abs() < 0.5, "{exact:?} {screened:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_figures() {
    let device = cpu();
    device.ledger().set_budget(100_000);
    let model = open(bert(Top::Classifier(3)));
    let sequences = sequences(model.architecture.vocabulary, 60);
    let refused = with_whole(&device, &Run::default(), &model, &sequences, ScoreOptions::default(), async |whole| {
        Optin.score_all(whole).await.unwrap_err()
    });
    assert_eq!(refused.kind(), ErrorKind::Budget);
    assert!(refused.to_string().contains("MiB are allowed; set method.score_sequences lower"), "{refused}");
    // Fewer sequences fit.
    let options = ScoreOptions { score_sequences: 2, ..ScoreOptions::default() };
    with_whole(&device, &Run::default(), &model, &sequences, options, async |whole| Optin.score_all(whole).await.map(drop)).unwrap();
}

#[test]
fn progress_rises_and_cancel_is_heard() {
    let (told, cancel) = (Rc::new(RefCell::new(Vec::new())), CancelToken::default());
    let (heard, stop) = (told.clone(), cancel.clone());
    let observer = Rc::new(move |progress: &crate::base::Progress| {
        heard.borrow_mut().push(progress.fraction);
        if progress.fraction > 0.5 {
            stop.cancel();
        }
    });
    let device = Device::Cpu(Cpu::new(cancel.clone(), "tests"));
    let model = open(bert(Top::Classifier(3)));
    let sequences = sequences(model.architecture.vocabulary, 6);
    let stopped = with_whole(&device, &Run::new(cancel, observer), &model, &sequences, ScoreOptions::default(), async |whole| {
        Optin.score_all(whole).await.unwrap_err()
    });
    assert_eq!(stopped.kind(), ErrorKind::Cancelled);
    let told = told.borrow();
    assert!(told.is_sorted() && told.iter().any(|&share| share > 0.1 && share < 0.5), "{told:?}");
}
