//! Outputs whose layers are two matrices: they compute what the product of both does.

use super::*;
use crate::base::{CancelToken, Random};
use crate::checkpoint::{Entry, Layout, Matrix};
use crate::device::{Device, Preference};
use crate::forward::{Batch, Block, HostFactor, HostLinear, embed};
use crate::model::testing::{Family, TinyDecoder};
use crate::model::{Architecture, RANKS_FIELD, SINGLES_FIELD};
use crate::score::group;
use serde_json::{Value, json};

const RANK: usize = 3;
const IDS: [u32; 6] = [3, 9, 1, 7, 7, 2];

/// Values of a first factor, V^T, [inputs, RANK].
fn inner(inputs: usize, random: &mut Random) -> Vec<f32> {
    (0..inputs * RANK).map(|_| 0.3 * random.normal() as f32).collect()
}

fn matrix(values: &[f32], inputs: usize, outputs: usize, layout: Layout) -> Matrix {
    Matrix::from_f32_inputs_major(values, inputs, outputs, Dtype::F32, layout).0
}

/// A linear layer with the shape and the bias of `linear`, the first factor V^T, a random second one and single weights at one place in
/// seven if there are to be some: factored, and multiplied out.
fn low_rank(linear: &HostLinear, v: &[f32], inner: &Rc<Matrix>, singles: bool, random: &mut Random) -> (HostLinear, HostLinear) {
    let (inputs, outputs) = (linear.weight.inputs(), linear.weight.outputs());
    let u: Vec<f32> = (0..RANK * outputs).map(|_| 0.3 * random.normal() as f32).collect();
    let s: Vec<f32> =
        (0..inputs * outputs).map(|place| if singles && place % 7 == 3 { 0.5 * random.normal() as f32 } else { 0.0 }).collect();
    let product: Vec<f32> = (0..inputs * outputs)
        .map(|place| s[place] + (0..RANK).map(|rank| v[place / outputs * RANK + rank] * u[rank * outputs + place % outputs]).sum::<f32>())
        .collect();
    let singles = singles.then(|| matrix(&s, inputs, outputs, Layout::OutIn));
    let factor = Some(HostFactor { inner: inner.clone(), singles });
    let factored = HostLinear { weight: matrix(&u, RANK, outputs, Layout::OutIn), bias: linear.bias.clone(), factor };
    let dense = HostLinear { weight: matrix(&product, inputs, outputs, linear.weight.layout), ..linear.clone() };
    (factored, dense)
}

/// States above the blocks of a model, whose weights are `hosts` where they are given; in one pass, or token by token.
fn states(model: &Opened, hosts: Option<&[HostLayer]>, cached: bool) -> Vec<f32> {
    block_on(async {
        let device = Device::open(Preference::Cpu, CancelToken::default()).await.unwrap();
        let batch = Batch::continued(&IDS, 0);
        let mut x = embed(&device, &model.checkpoint, &model.architecture, std::slice::from_ref(&batch)).await.unwrap().remove(0);
        for (index, layer) in model.architecture.layers.iter().enumerate() {
            let read = HostLayer::read(&model.checkpoint, layer).await.unwrap();
            let host = hosts.map_or(&read, |hosts| &hosts[index]);
            let block = Block::upload(&device, &model.checkpoint, &model.architecture, layer, host).await.unwrap();
            x = match cached {
                true => {
                    let mut cache = block.cache(&device, IDS.len()).await.unwrap();
                    block.apply_cached(&device, &x, &batch.positions, &mut cache).await.unwrap()
                }
                false => block.apply(&device, &x, &batch).await.unwrap(),
            };
        }
        device.read(&x).await.unwrap()
    })
}

/// What of a model is factored, and how.
#[derive(Debug, Clone, Copy, Default)]
struct How {
    /// Whether layers with one input share the first factor, where all of them are factored.
    shared: bool,
    /// Whether there are single weights beside the products.
    singles: bool,
}

/// Factors the query and the second FFN matrix of layer 0, and everything in layer 1.
fn factored(model: &Opened, how: How) -> (Opened, Vec<HostLayer>) {
    let mut random = Random::new(11);
    let (mut changed, mut dense) = (Vec::new(), Vec::new());
    for (index, layer) in model.architecture.layers.iter().enumerate() {
        let mut host = block_on(HostLayer::read(&model.checkpoint, layer)).unwrap();
        let mut product = host.clone();
        let places = layer.linears().len();
        let mut known: Option<(usize, Vec<f32>, Rc<Matrix>)> = None;
        for place in 0..places {
            if index == 0 && place != 0 && place + 1 != places {
                continue;
            }
            let inputs = layer.linears()[place].inputs;
            let (number, shares) = (group(layer, place), how.shared && index > 0);
            let (_, v, own) = known.take().filter(|known| shares && known.0 == number).unwrap_or_else(|| {
                let v = inner(inputs, &mut random);
                let matrix = Rc::new(matrix(&v, inputs, RANK, Layout::OutIn));
                (number, v, matrix)
            });
            let linear = &mut *host.linears_mut()[place];
            let (factored, multiplied) = low_rank(linear, &v, &own, how.singles, &mut random);
            *linear = factored;
            *product.linears_mut()[place] = multiplied;
            known = Some((number, v, own));
        }
        changed.extend(block_on(export_factored(layer, &host, &MemoryScratch)).unwrap());
        dense.push(product);
    }
    let plan = Plan::dense(&model.architecture);
    let artifacts = Artifacts {
        folder: &model.folder,
        checkpoint: &model.checkpoint,
        architecture: &model.architecture,
        config: &model.config,
        plan: &plan,
        options: &OutputOptions { kind: OutputKind::Factored, ..stock() },
        changed,
        recipe: RECIPE.to_owned(),
        plan_json: String::new(),
        report: "{}".to_owned(),
        card: Card::default(),
    };
    let files = block_on(assemble(artifacts, &MemoryScratch)).unwrap();
    let loader = files.iter().find(|file| file.name == "modeling_coppice.py").expect("a loader");
    assert!(!loader.is_empty());
    (open(folder_of(&files)), dense)
}

fn folders() -> Vec<Opened> {
    let decoder = |family| TinyDecoder::new(family).folder();
    let encoder = TinyBert { layers: 2, ..TinyBert::default() }.folder();
    [encoder, decoder(Family::Gpt2), decoder(Family::Opt), decoder(Family::Llama), decoder(Family::Qwen2)].into_iter().map(open).collect()
}

#[test]
fn factored_layers_compute_what_their_product_does() {
    for model in folders() {
        for (shared, singles) in [(false, false), (true, false), (false, true), (true, true)] {
            let (out, dense) = factored(&model, How { shared, singles });
            let what = format!("{}, shared {shared}, singles {singles}", model.architecture.family);
            assert!(out.architecture.layers.iter().all(crate::model::Layer::is_factored), "{what}");
            for cached in [false, model.architecture.causal] {
                let (found, wanted) = (states(&out, None, cached), states(&model, Some(&dense), false));
                assert!(found.len() == wanted.len() && wanted.iter().any(|value| value.abs() > 0.1), "{what}");
                let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                // Two sums in another order.
                assert!(worst < 1e-4, "{what}: {worst}");
            }
            // A layer of rank r has r (inputs + outputs) weights, of which inputs r may be another's, and single ones; what is counted is
            // what the file holds.
            let entries = || out.checkpoint.entries().filter(|entry| entry.name.starts_with(&out.architecture.blocks));
            let norms: u64 = entries()
                .filter(|entry| entry.name.contains("norm") || entry.name.contains("ln_") || entry.name.contains("Norm"))
                .map(Entry::elements)
                .sum();
            assert_eq!(out.architecture.linear_parameters() + norms, entries().map(Entry::kept).sum::<u64>(), "{what}");
            let idle = entries().map(|entry| entry.elements() - entry.kept()).sum::<u64>();
            assert_eq!((out.architecture.idle_weights(), idle > 0), (idle, singles), "{what}");
        }
    }
}

#[test]
fn a_shared_factor_is_stored_once_and_read_once() {
    for model in folders() {
        let sizes = [false, true].map(|shared| factored(&model, How { shared, singles: false }).0.checkpoint.total_bytes());
        let layer = &model.architecture.layers[1];
        // Two of q, k and v, and the first FFN matrix where there is a gate.
        let saved = (2 + usize::from(layer.ffn_gate.is_some())) * RANK * model.architecture.hidden * 4;
        assert_eq!(sizes[0] - sizes[1], saved as u64, "{}", model.architecture.family);
        let out = factored(&model, How { shared: true, singles: true }).0;
        let host = block_on(HostLayer::read(&out.checkpoint, &out.architecture.layers[1])).unwrap();
        let shared: Vec<Option<usize>> = (0..host.linears().len()).map(|place| host.shared_with(place)).collect();
        let gate = layer.ffn_gate.as_ref().map(|_| Some(4));
        let expected: Vec<Option<usize>> = [None, Some(0), Some(0), None, None].into_iter().chain(gate).chain([None]).collect();
        assert_eq!(shared, expected, "{}", model.architecture.family);
        // Another dtype for all of them changes nothing about that.
        let host = host.converted(|_| Dtype::F16).unwrap();
        assert_eq!((0..host.linears().len()).map(|place| host.shared_with(place)).collect::<Vec<_>>(), expected);
        let bytes: u64 = out.architecture.layers[1].linears().iter().map(|linear| (linear.outputs * linear.inputs) as u64).sum();
        assert!(host.bytes() < 2 * (out.architecture.layers[1].linear_parameters(layer.kv_heads, layer.neurons) + bytes) + 1);
    }
}

#[test]
fn gradients_go_back_through_shared_factors_and_single_weights() {
    block_on(async {
        let model = open(TinyDecoder::new(Family::Llama).folder());
        let (out, dense) = factored(&model, How { shared: true, singles: true });
        let device = Device::open(Preference::Cpu, CancelToken::default()).await.unwrap();
        let (layer, batch) = (&out.architecture.layers[1], Batch::continued(&IDS, 0));
        let mut random = Random::new(3);
        let mut draw = || (0..IDS.len() * model.architecture.hidden).map(|_| random.normal() as f32).collect::<Vec<_>>();
        let (x, upstream) = (draw(), draw());
        let mut found = Vec::new();
        for (model, layer, host) in [
            (&out, layer, HostLayer::read(&out.checkpoint, layer).await.unwrap()),
            (&model, &model.architecture.layers[1], dense[1].clone()),
        ] {
            let block = Block::upload(&device, &model.checkpoint, &model.architecture, layer, &host).await.unwrap();
            let [x, upstream] =
                [&x, &upstream].map(|values| block_on(device.upload(IDS.len(), model.architecture.hidden, values)).unwrap());
            found.push(device.read(&block.backward(&device, &x, &upstream, &batch).await.unwrap().input).await.unwrap());
        }
        let worst = found[0].iter().zip(&found[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Two sums in another order, of gradients around 1.
        assert!(worst < 1e-3 && found[1].iter().any(|value| value.abs() > 0.1), "{worst}");
    });
}

#[test]
fn the_config_lists_ranks_by_the_names_of_layers() {
    let model = open(TinyDecoder::new(Family::Gpt2).folder());
    let out = factored(&model, How::default()).0;
    let ranks = out.config.get(RANKS_FIELD).and_then(Value::as_object).unwrap();
    let rank = |name: &str| ranks.get(&format!("{}{name}", model.architecture.blocks)).cloned();
    assert_eq!(
        [rank("0.attn.c_attn.q"), rank("0.attn.c_attn.k"), rank("0.attn.c_attn.v")],
        [Some(json!(RANK)), Some(Value::Null), Some(Value::Null)]
    );
    assert_eq!([rank("1.attn.c_attn.v"), rank("1.attn.c_attn")], [Some(json!(RANK)), None]);
    assert_eq!([rank("0.mlp.c_proj"), rank("0.mlp.c_fc"), rank("1.mlp.c_fc")], [Some(json!(RANK)), None, Some(json!(RANK))]);
    assert!(out.checkpoint.get(&format!("{}0.attn.c_attn.weight", out.architecture.blocks)).is_none());
    assert!(out.config.get(SINGLES_FIELD).is_none());
    let map = out.config.get("auto_map").and_then(Value::as_object).unwrap();
    assert_eq!(map.get("AutoModelForCausalLM"), Some(&json!("modeling_coppice.CoppiceGPT2LMHeadModel")));
    assert!(!map.contains_key("AutoConfig"));
}

#[test]
fn the_config_says_who_reads_a_shared_factor_and_how_many_single_weights_there_are() {
    let how = How { shared: true, singles: true };
    let model = open(TinyDecoder::new(Family::Llama).folder());
    let (out, dense) = factored(&model, how);
    let field = |name: &str| out.config.get(name).and_then(Value::as_object).unwrap();
    let at = |name: &str| format!("{}1.{name}", model.architecture.blocks);
    let rank = |name: &str| field(RANKS_FIELD).get(&at(name)).cloned();
    assert_eq!([rank("self_attn.q_proj"), rank("self_attn.k_proj")], [Some(json!(RANK)), Some(json!(at("self_attn.q_proj")))]);
    assert_eq!(
        [rank("mlp.gate_proj"), rank("mlp.up_proj"), rank("mlp.down_proj")],
        [Some(json!(RANK)), Some(json!(at("mlp.gate_proj"))), Some(json!(RANK))]
    );
    let weight = &dense[1].key.weight;
    let elements = weight.inputs() * weight.outputs();
    assert_eq!(field(SINGLES_FIELD).get(&at("self_attn.k_proj")), Some(&json!((elements + 3) / 7)));
    // One layer of three in GPT-2.
    let model = open(TinyDecoder::new(Family::Gpt2).folder());
    let out = factored(&model, how).0;
    let ranks = out.config.get(RANKS_FIELD).and_then(Value::as_object).unwrap();
    let fused = format!("{}1.attn.c_attn", model.architecture.blocks);
    assert_eq!([ranks.get(&fused), ranks.get(&format!("{fused}.q"))], [Some(&json!(RANK)), None]);
    let (hidden, width) = (model.architecture.hidden as u64, 3 * model.architecture.hidden as u64);
    let shape = |end: &str| out.checkpoint.require(&format!("{fused}.{end}.weight")).unwrap().shape.clone();
    assert_eq!([shape("v"), shape("u"), shape("s")], [vec![RANK as u64, hidden], vec![width, RANK as u64], vec![width, hidden]]);
}

#[test]
fn a_shared_factor_that_is_not_there_is_an_error_with_its_name() {
    let model = open(TinyDecoder::new(Family::Llama).folder());
    let mut out = factored(&model, How { shared: true, singles: false }).0;
    let key = format!("{}1.self_attn.k_proj", model.architecture.blocks);
    let mut ranks = out.config.get(RANKS_FIELD).and_then(Value::as_object).unwrap().clone();
    ranks.insert(key, json!("nobody"));
    out.config.set(RANKS_FIELD, ranks);
    let message = Architecture::new(&out.config, &out.checkpoint).unwrap_err().to_string();
    assert!(message.contains("\"nobody.v.weight\"") && message.contains("config.json"), "{message}");
}
