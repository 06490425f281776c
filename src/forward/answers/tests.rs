use super::*;
use crate::base::{CancelToken, Random};
use crate::checkpoint::{Folder, Layout, folder_of};
use crate::device::cpu::Cpu;
use crate::fixture::{self, Shape};
use crate::forward::batches;
use crate::model::testing::{Opened, TinyBert, Top as Kind, open};
use pollster::block_on;

fn device() -> Device {
    Device::Cpu(Cpu::new(CancelToken::default(), "a test"))
}

/// Two sets of random states of two batches.
struct Sets {
    batches: Vec<Batch>,
    states: [Vec<Tensor>; 2],
}

impl Sets {
    fn new(device: &Device, hidden: usize) -> Self {
        let batches = batches(&[vec![3, 4, 5], vec![6, 7], vec![8, 9, 10, 11]], 6);
        let mut random = Random::new(5);
        let mut of = |batch: &Batch| {
            let values: Vec<f32> = (0..batch.tokens() * hidden).map(|_| random.normal() as f32).collect();
            block_on(device.upload(batch.tokens(), hidden, &values)).unwrap()
        };
        let states = [(); 2].map(|()| batches.iter().map(&mut of).collect());
        Self { batches, states }
    }

    /// Distances of the first set to itself and to the second.
    fn distances(&self, device: &Device, model: &Opened) -> Vec<f64> {
        let own = async |batch: usize| Ok(self.states[0][batch].clone());
        let all = async |set: usize, batch: usize| Ok(self.states[set][batch].clone());
        block_on(async {
            let answers = Answers::of(device, &model.checkpoint, &model.architecture, &self.batches, own).await?;
            answers.distances(2, all).await
        })
        .unwrap()
    }

    /// Rows of a set as they are, [tokens, hidden].
    fn rows(&self, device: &Device, set: usize, hidden: usize) -> Vec<Vec<f64>> {
        let values = self.states[set].iter().flat_map(|states| block_on(device.read(states)).unwrap());
        values.map(f64::from).collect::<Vec<_>>().chunks_exact(hidden).map(<[f64]>::to_vec).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn states_differ_by_their_cosine() {
    let (device, model) = (device(), open(TinyBert { top: Kind::None, ..TinyBert::default() }.folder()));
    let sets = Sets::new(&device, 16);
    let found = sets.distances(&device, &model);
    let (own, moved) = (sets.rows(&device, 0, 16), sets.rows(&device, 1, 16));
    let cosines = own.iter().zip(&moved).map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt());
    assert!(found[0] < 1e-12 && (found[1] - (1.0 - cosines.sum::<f64>() / 9.0)).abs() < 1e-6, "{found:?}");
}

#[test]
fn labels_differ_by_the_divergence_of_their_probabilities() {
    let (device, model) = (device(), open(TinyBert::default().folder()));
    let sets = Sets::new(&device, 16);
    let head = block_on(HeadWeights::read(&device, &model.checkpoint, &model.architecture)).unwrap();
    let logits = |set: usize| -> Vec<f32> {
        let of = |(states, batch): (&Tensor, &Batch)| {
            let logits = block_on(head.logits(&device, states, &batch.segments)).unwrap();
            block_on(device.read(&logits)).unwrap()
        };
        sets.states[set].iter().zip(&sets.batches).flat_map(of).collect()
    };
    let probabilities = |logits: Vec<f32>| -> Vec<Vec<f64>> {
        let of = |row: &[f32]| {
            let exps: Vec<f64> = row.iter().map(|&logit| f64::from(logit).exp()).collect();
            exps.iter().map(|exp| exp / exps.iter().sum::<f64>()).collect()
        };
        logits.chunks_exact(3).map(of).collect()
    };
    let (own, moved) = (probabilities(logits(0)), probabilities(logits(1)));
    let expected: f64 = own.iter().flatten().zip(moved.iter().flatten()).map(|(p, q)| p * (p / q).ln()).sum::<f64>() / 3.0;
    let found = sets.distances(&device, &model);
    assert!(found[0] == 0.0 && expected > 1e-3 && (found[1] - expected).abs() < 1e-6 * expected, "{found:?}, not {expected}");
}

/// More entries than one tile of the vocabulary holds.
const SHAPE: Shape = Shape {
    name: "wide",
    hidden: 12,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    neurons: 8,
    vocabulary: 9000,
    positions: 32,
    shard_limit: 1 << 30,
    words: (4, 4),
};

#[test]
fn tokens_differ_by_the_divergence_over_the_whole_vocabulary() {
    let folder: Folder = folder_of(&fixture::files(&SHAPE).unwrap()).unwrap();
    let (device, model) = (device(), open(folder));
    let sets = Sets::new(&device, 12);
    let decoder = block_on(Decoder::read(&device, &model.checkpoint, &model.architecture)).unwrap();
    assert_eq!(decoder.tiles(), 2);
    let Head::CausalLm { decoder: linear } = &model.architecture.head else { panic!("no decoder") };
    let weight = block_on(model.checkpoint.matrix(&linear.weight, Layout::OutIn)).unwrap().to_f32_inputs_major().unwrap();
    let gain = block_on(model.checkpoint.vector(&model.architecture.final_norm.as_ref().unwrap().gain)).unwrap();
    let log_probabilities = |row: &[f64]| -> Vec<f64> {
        let scale = (dot(row, row) / 12.0 + 1e-5).sqrt().recip();
        let logit = |token: usize| (0..12).map(|i| scale * row[i] * f64::from(gain[i] * weight[i * 9000 + token])).sum::<f64>();
        let logits: Vec<f64> = (0..9000).map(logit).collect();
        let norm = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        logits.into_iter().map(|logit| logit - norm).collect()
    };
    let (own, moved) = (sets.rows(&device, 0, 12), sets.rows(&device, 1, 12));
    let divergences = own.iter().zip(&moved).map(|(own, moved)| {
        let (p, q) = (log_probabilities(own), log_probabilities(moved));
        p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>()
    });
    let expected = divergences.sum::<f64>() / 9.0;
    let found = sets.distances(&device, &model);
    assert!(found[0] < 1e-6 && expected > 1e-4 && (found[1] - expected).abs() < 1e-3 * expected, "{found:?}, not {expected}");
}
