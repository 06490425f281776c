//! Outputs whose layers are two matrices: they compute what the product of both does.

use super::*;
use crate::base::{CancelToken, Random};
use crate::checkpoint::{Layout, Matrix};
use crate::device::{Device, Preference};
use crate::forward::{Batch, Block, HostLinear, embed};
use crate::model::RANKS_FIELD;
use crate::model::testing::{Family, TinyDecoder};
use serde_json::{Value, json};

const RANK: usize = 3;
const IDS: [u32; 6] = [3, 9, 1, 7, 7, 2];

/// A random linear layer of rank [`RANK`] with the shape and the bias of `linear`: factored, and multiplied out.
fn low_rank(linear: &HostLinear, random: &mut Random) -> (HostLinear, HostLinear) {
    let (inputs, outputs) = (linear.weight.inputs(), linear.weight.outputs());
    let mut draw = |count: usize| (0..count).map(|_| 0.3 * random.normal() as f32).collect::<Vec<_>>();
    // Both [inputs, outputs] of their own: V^T is [inputs, rank], U^T is [rank, outputs].
    let (v, u) = (draw(inputs * RANK), draw(RANK * outputs));
    let product: Vec<f32> = (0..inputs * outputs)
        .map(|place| (0..RANK).map(|rank| v[place / outputs * RANK + rank] * u[rank * outputs + place % outputs]).sum())
        .collect();
    let matrix = |values: &[f32], inputs, outputs, layout| Matrix::from_f32_inputs_major(values, inputs, outputs, Dtype::F32, layout).0;
    let factor = Some(matrix(&v, inputs, RANK, Layout::OutIn));
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

/// Factors the query and the second FFN matrix of layer 0, and everything in layer 1.
fn factored(model: &Opened) -> (Opened, Vec<HostLayer>) {
    let mut random = Random::new(11);
    let (mut changed, mut dense) = (Vec::new(), Vec::new());
    for (index, layer) in model.architecture.layers.iter().enumerate() {
        let mut host = block_on(HostLayer::read(&model.checkpoint, layer)).unwrap();
        let mut product = host.clone();
        let HostLayer { query, key, value, attention_output, ffn_gate, ffn_input, ffn_output } = &mut host;
        let linears = [Some(query), Some(ffn_output), Some(key), Some(value), Some(attention_output), ffn_gate.as_mut(), Some(ffn_input)];
        let HostLayer { query, key, value, attention_output, ffn_gate, ffn_input, ffn_output } = &mut product;
        let products = [Some(query), Some(ffn_output), Some(key), Some(value), Some(attention_output), ffn_gate.as_mut(), Some(ffn_input)];
        let count = if index == 0 { 2 } else { linears.len() };
        for (linear, product) in linears.into_iter().zip(products).take(count) {
            if let (Some(linear), Some(product)) = (linear, product) {
                (*linear, *product) = low_rank(linear, &mut random);
            }
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

#[test]
fn factored_layers_compute_what_their_product_does() {
    let decoder = |family| TinyDecoder::new(family).folder();
    let encoder = TinyBert { layers: 2, ..TinyBert::default() }.folder();
    let folders = [encoder, decoder(Family::Gpt2), decoder(Family::Opt), decoder(Family::Llama), decoder(Family::Qwen2)];
    for model in folders.map(open) {
        let (out, dense) = factored(&model);
        let family = model.architecture.family;
        assert!(out.architecture.layers.iter().all(crate::model::Layer::is_factored), "{family}");
        for cached in [false, model.architecture.causal] {
            let (found, wanted) = (states(&out, None, cached), states(&model, Some(&dense), false));
            assert!(found.len() == wanted.len() && wanted.iter().any(|value| value.abs() > 0.1), "{family}");
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Two sums in another order.
            assert!(worst < 1e-4, "{family}: {worst}");
        }
        // A layer of rank r has r (inputs + outputs) weights; what is counted is what the file holds.
        let layers: u64 =
            out.checkpoint.entries().filter(|entry| entry.name.starts_with(&out.architecture.blocks)).map(|entry| entry.elements()).sum();
        let norms: u64 = model
            .architecture
            .layers
            .iter()
            .map(|_| 2 * model.architecture.hidden as u64 * if family == "llama" || family == "qwen2" { 1 } else { 2 })
            .sum();
        assert_eq!(out.architecture.linear_parameters() + norms, layers, "{family}");
    }
}

#[test]
fn the_config_lists_ranks_by_the_names_of_layers() {
    let model = open(TinyDecoder::new(Family::Gpt2).folder());
    let out = factored(&model).0;
    let ranks = out.config.get(RANKS_FIELD).and_then(Value::as_object).unwrap();
    let rank = |name: &str| ranks.get(&format!("{}{name}", model.architecture.blocks)).cloned();
    assert_eq!([rank("0.attn.c_attn.q"), rank("0.attn.c_attn.k")], [Some(json!(RANK)), Some(Value::Null)]);
    assert_eq!([rank("0.mlp.c_proj"), rank("0.mlp.c_fc"), rank("1.mlp.c_fc")], [Some(json!(RANK)), None, Some(json!(RANK))]);
    assert!(out.checkpoint.get(&format!("{}0.attn.c_attn.weight", out.architecture.blocks)).is_none());
    let map = out.config.get("auto_map").and_then(Value::as_object).unwrap();
    assert_eq!(map.get("AutoModelForCausalLM"), Some(&json!("modeling_coppice.CoppiceGPT2LMHeadModel")));
    assert!(!map.contains_key("AutoConfig"));
}
