//! Outputs of small random models, read back.

use super::*;
use crate::allocate::{LayerPlan, Plan, channels};
use crate::base::Result;
use crate::checkpoint::{Checkpoint, Data, Dtype, MemoryScratch, MemorySource, OutputFile, OutputTensor, encode, lay_out};
use crate::fixture;
use crate::forward::HostLayer;
use crate::model::testing::{Opened, TinyBert, Top, folder_of, open};
use crate::model::{LAYERS_FIELD, Structure};
use pollster::block_on;
use std::rc::Rc;

mod factored;
mod structures;

const RECIPE: &str = "{\n  \"version\": 1\n}";

fn stock() -> OutputOptions {
    OutputOptions::default()
}

fn padded() -> OutputOptions {
    OutputOptions { pad: true, ..stock() }
}

fn sliced() -> OutputOptions {
    OutputOptions { kind: OutputKind::Sliced, ..stock() }
}

/// Unequal in heads and neurons; layer 1 loses nothing but neurons, layer 2 nothing at all.
fn uneven(model: &Opened) -> Plan {
    let mut plan = Plan::dense(&model.architecture);
    plan.layers[0] = LayerPlan { heads: vec![1, 3], neurons: (0..24).step_by(3).collect() };
    plan.layers[1].neurons.retain(|neuron| neuron % 4 != 1);
    plan
}

/// The same number of neurons in every layer, other ones in each.
fn even(model: &Opened) -> Plan {
    let mut plan = Plan::dense(&model.architecture);
    for (index, layer) in plan.layers.iter_mut().enumerate() {
        layer.neurons = (0..10).map(|i| 2 * i + index as u32).collect();
    }
    plan
}

/// The job's part, without any repair.
async fn pruned(model: &Opened, index: usize, kept: &LayerPlan, options: &OutputOptions) -> HostLayer {
    let layer = &model.architecture.layers[index];
    let mut host = HostLayer::read(&model.checkpoint, layer).await.unwrap();
    let heads = channels(&kept.heads, layer.head_dim);
    for linear in [&mut host.query, &mut host.key, &mut host.value] {
        *linear = linear.keep_outputs(&heads);
    }
    host.attention_output = host.attention_output.keep_inputs(&heads);
    host.ffn_input = host.ffn_input.keep_outputs(&kept.neurons);
    host.ffn_output = host.ffn_output.keep_inputs(&kept.neurons);
    let linears = [&mut host.query, &mut host.key, &mut host.value, &mut host.attention_output, &mut host.ffn_input, &mut host.ffn_output];
    for linear in linears {
        for matrix in [Some(&mut linear.weight), linear.bias.as_mut()].into_iter().flatten() {
            let dtype = output_dtype(options, matrix.dtype);
            matrix.bytes = encode(dtype, &crate::checkpoint::decode(matrix.dtype, &matrix.bytes).unwrap()).bytes;
            matrix.dtype = dtype;
        }
    }
    host
}

fn export(model: &Opened, plan: &Plan, options: &OutputOptions) -> Result<Vec<OutputFile>> {
    block_on(async {
        let scratch = MemoryScratch;
        let mut changed = Vec::new();
        for (index, kept) in plan.layers.iter().enumerate() {
            let host = pruned(model, index, kept, options).await;
            changed.extend(export_layer(&model.architecture, index, plan, &host, options, &scratch).await?);
        }
        let artifacts = Artifacts {
            folder: &model.folder,
            checkpoint: &model.checkpoint,
            architecture: &model.architecture,
            config: &model.config,
            plan,
            options,
            changed,
            recipe: RECIPE.to_owned(),
            plan_json: serde_json::to_string(plan).unwrap(),
            report: "{}".to_owned(),
            card: Card { model: "tiny".to_owned(), ratio_realised: plan.ratio(&model.architecture), ..Card::default() },
        };
        assemble(artifacts, &scratch).await
    })
}

fn exported(model: &Opened, plan: &Plan, options: &OutputOptions) -> Opened {
    open(folder_of(&export(model, plan, options).unwrap()))
}

fn values(checkpoint: &Checkpoint, name: &str) -> (Dtype, Vec<u64>, Vec<u8>) {
    let entry = checkpoint.require(name).unwrap();
    (entry.dtype, entry.shape.clone(), block_on(entry.bytes()).unwrap())
}

fn assert_same_tensors(a: &Checkpoint, b: &Checkpoint) {
    let names = |checkpoint: &Checkpoint| checkpoint.entries().map(|entry| entry.name.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(a), names(b));
    for entry in a.entries() {
        assert!(values(a, &entry.name) == values(b, &entry.name), "{} differs", entry.name);
    }
}

#[test]
fn nothing_removed_gives_every_tensor_back() {
    for top in [Top::None, Top::Classifier(3), Top::MaskedLm] {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let model = open(TinyBert { top, dtype, ..TinyBert::default() }.folder());
            let plan = Plan::dense(&model.architecture);
            for options in [stock(), padded(), sliced()] {
                let files = export(&model, &plan, &options).unwrap();
                let weights = files.iter().find(|file| file.name == "model.safetensors").unwrap();
                // A header and one untouched range of the input.
                assert_eq!(weights.parts.len(), 2);
                let out = open(folder_of(&files));
                assert_same_tensors(&model.checkpoint, &out.checkpoint);
                assert_eq!(out.checkpoint.metadata()["format"], "pt");
                assert_eq!(out.checkpoint.metadata()["coppice_recipe"], "{\"version\":1}");
                if options.kind == OutputKind::Stock {
                    assert_eq!(out.config, model.config);
                }
            }
        }
    }
}

#[test]
fn a_padded_output_sliced_again_is_the_sliced_output() {
    let model = open(TinyBert::default().folder());
    let plan = uneven(&model);
    let (wide, narrow) = (exported(&model, &plan, &padded()), exported(&model, &plan, &sliced()));
    assert_eq!(wide.config, model.config);
    assert_eq!((narrow.architecture.layers[0].heads, narrow.architecture.layers[0].neurons), (2, 8));
    assert_eq!((narrow.architecture.layers[1].heads, narrow.architecture.layers[1].neurons), (4, 18));
    // Heads lie where they were, neurons at the front.
    let mut again = plan.clone();
    for layer in &mut again.layers {
        layer.neurons = (0..layer.neurons.len() as u32).collect();
    }
    assert_same_tensors(&exported(&wide, &again, &sliced()).checkpoint, &narrow.checkpoint);
    // What was cut away is zero, in producers and consumers.
    let layer = &wide.architecture.layers[0];
    let host = block_on(HostLayer::read(&wide.checkpoint, layer)).unwrap();
    let gone = channels(&[0, 2], layer.head_dim);
    let zero = |linear: &crate::forward::HostLinear| {
        let bias = linear.bias.as_ref().is_none_or(|bias| bias.bytes.iter().all(|&byte| byte == 0));
        bias && linear.weight.bytes.iter().all(|&byte| byte == 0)
    };
    for producer in [&host.query, &host.key, &host.value] {
        assert!(zero(&producer.keep_outputs(&gone)) && !zero(&producer.keep_outputs(&[4])));
    }
    assert!(host.attention_output.keep_inputs(&gone).weight.bytes.iter().all(|&byte| byte == 0));
    assert!(host.ffn_output.keep_inputs(&(8..24).collect::<Vec<_>>()).weight.bytes.iter().all(|&byte| byte == 0));
}

#[test]
fn equal_neuron_counts_shrink_a_stock_config() {
    let model = open(TinyBert { dtype: Dtype::F16, ..TinyBert::default() }.folder());
    let plan = even(&model);
    let files = export(&model, &plan, &stock()).unwrap();
    let out = open(folder_of(&files));
    let mut expected = model.config.clone();
    expected.set("intermediate_size", 10);
    assert_eq!(block_on(out.folder.text("config.json")).unwrap(), expected.to_text());
    assert_same_tensors(&out.checkpoint, &exported(&model, &plan, &padded()).checkpoint);
    // Attention stays a range of the input.
    let size = output_size(&model.architecture, &model.checkpoint, &plan, &stock());
    assert_eq!((size.parameters, size.bytes), (out.checkpoint.parameters(), out.checkpoint.total_bytes()));
    let name = "bert.encoder.layer.1.attention.self.query.weight";
    assert!(values(&model.checkpoint, name) == values(&out.checkpoint, name));
}

#[test]
fn a_sliced_output_is_pruned_again_and_can_become_stock() {
    let model = open(TinyBert::default().folder());
    let narrow = exported(&model, &uneven(&model), &sliced());
    assert!(narrow.folder.find("modeling_coppice.py").is_some());
    assert_eq!(narrow.config.get("auto_map").unwrap()["AutoModel"], "modeling_coppice.CoppiceBertModel");
    assert!(
        check_request(&narrow.architecture, &[Structure::Neurons], None, &stock()).unwrap_err().to_string().contains("2 heads in layer 0")
    );
    // Nothing more is removed; padding alone makes it stock.
    let wide = exported(&narrow, &Plan::dense(&narrow.architecture), &padded());
    assert_eq!(wide.config, model.config);
    assert!(wide.folder.find("modeling_coppice.py").is_none());
    assert_eq!(wide.architecture.layers, model.architecture.layers);
    // One more head goes.
    let mut plan = Plan::dense(&narrow.architecture);
    plan.layers[0].heads = vec![1];
    let again = exported(&narrow, &plan, &sliced());
    assert_eq!(again.config.get(LAYERS_FIELD).unwrap()[0]["heads"], 1);
    assert_eq!(again.architecture.layers[0].query.outputs, model.architecture.layers[0].head_dim);
}

#[test]
fn dtypes_are_converted_tensor_by_tensor() {
    let model = open(TinyBert { vocabulary: 70_000, ..TinyBert::default() }.folder());
    let plan = uneven(&model);
    let half = OutputOptions { dtype: OutputDtype::F16, ..sliced() };
    let files = export(&model, &plan, &half).unwrap();
    let out = open(folder_of(&files));
    assert!(out.checkpoint.entries().all(|entry| entry.dtype == Dtype::F16));
    assert_eq!(out.config.text("torch_dtype"), Some("float16"));
    // The token table is longer than a piece.
    let table = "bert.embeddings.word_embeddings.weight";
    let dense = block_on(model.checkpoint.require(table).unwrap().bytes()).unwrap();
    let expected = encode(Dtype::F16, &crate::checkpoint::decode(Dtype::F32, &dense).unwrap()).bytes;
    assert!(values(&out.checkpoint, table).2 == expected);
    let size = output_size(&model.architecture, &model.checkpoint, &plan, &half);
    assert_eq!((size.parameters, size.bytes), (out.checkpoint.parameters(), out.checkpoint.total_bytes()));
    let same = exported(&out, &Plan::dense(&out.architecture), &OutputOptions { dtype: OutputDtype::F16, ..sliced() });
    assert_same_tensors(&same.checkpoint, &out.checkpoint);
}

#[test]
fn files_go_along_and_the_card_says_how_to_load() {
    let model = open(TinyBert::default().folder());
    for (options, code) in [(padded(), false), (sliced(), true)] {
        let out = exported(&model, &uneven(&model), &options);
        for name in ["vocab.txt", "tokenizer_config.json"] {
            assert_eq!(block_on(out.folder.text(name)).unwrap(), block_on(model.folder.text(name)).unwrap());
        }
        assert_eq!(block_on(out.folder.text("recipe.json")).unwrap(), RECIPE);
        assert!(out.folder.find("plan.json").is_some() && out.folder.find("report.json").is_some());
        let card = block_on(out.folder.text("README.md")).unwrap();
        assert!(card.starts_with("---\nlibrary_name: transformers\npipeline_tag: text-classification\ntags:\n"), "{card}");
        assert_eq!(card.contains("trust_remote_code=True"), code);
        assert!(card.contains("AutoModelForSequenceClassification.from_pretrained("));
        assert!(card.contains("| 0 | 2 of 4 | 8 of 24 |") && card.contains(RECIPE));
        assert_eq!(card.contains("as zeros"), !code);
    }
    let card = block_on(exported(&model, &even(&model), &padded()).folder.text("README.md")).unwrap();
    assert!(!card.contains("as zeros"), "nothing needed padding");
}

#[test]
fn what_cannot_be_said_is_refused_with_what_would_work() {
    let model = open(TinyBert::default().folder());
    let architecture = &model.architecture;
    let says = |result: Result<()>, expected: &[&str]| {
        let message = result.unwrap_err().to_string();
        assert!(expected.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(message.matches('.').count() - message.matches(".json").count(), 1, "{message}");
    };
    let ways = ["neurons only", "output kind \"sliced\"", "\"pad\": true"];
    says(check_request(architecture, &[Structure::Heads, Structure::Neurons], None, &stock()), &ways);
    says(check_request(architecture, &[], None, &OutputOptions { pad: true, ..sliced() }), &["pad", "stock"]);
    says(check_plan(architecture, &uneven(&model), &stock()), &["2 heads in layer 0", "fewer than 4", "sliced"]);
    let mut plan = uneven(&model);
    plan.layers[0].heads = vec![0, 1, 2, 3];
    says(check_plan(architecture, &plan, &stock()), &["8 neurons in layer 0 and 18 in layer 1", "intermediate_size", "\"pad\": true"]);
    plan.layers.pop();
    says(check_plan(architecture, &plan, &sliced()), &["2 layers and the model 3"]);
    for options in [stock(), padded(), sliced()] {
        check_request(architecture, &[Structure::Neurons], None, &options).unwrap();
        check_plan(architecture, &even(&model), &options).unwrap();
    }
    check_request(architecture, &[Structure::Heads], None, &padded()).unwrap();
    const BOTH: [Structure; 2] = [Structure::Heads, Structure::Neurons];
    // Widths of their own: neurons can be padded, and so can heads where the config cannot lower them.
    let own = Some("global");
    says(check_request(architecture, &BOTH, own, &stock()), &ways);
    says(
        check_request(architecture, &[Structure::Neurons], own, &stock()),
        &["\"global\"", "intermediate_size", "\"uniform\"", "\"pad\": true"],
    );
    check_request(architecture, &BOTH, own, &padded()).unwrap();
    check_request(architecture, &BOTH, own, &sliced()).unwrap();
    let llama = open(folder_of(&fixture::files(fixture::shape("tiny-llama").unwrap()).unwrap())).architecture;
    says(check_request(&llama, &[Structure::Heads], own, &padded()), &["\"global\"", "key/value heads", "\"uniform\"", "\"sliced\""]);
    says(check_request(&llama, &[Structure::Neurons], own, &stock()), &["intermediate_size", "\"pad\": true"]);
    check_request(&llama, &[Structure::Neurons], own, &padded()).unwrap();
    check_request(&llama, &BOTH, own, &sliced()).unwrap();
    let error = serde_json::from_str::<OutputOptions>("{\"kind\":\"stock\",\"padd\":true}").unwrap_err();
    assert!(error.to_string().contains("padd"));
}

/// The model with one tensor more, or another one in its place.
fn with_tensor(model: &Opened, name: &str, dtype: Dtype, shape: &[u64], bytes: Vec<u8>) -> Opened {
    let kept = model.checkpoint.entries().filter(|entry| entry.name != name).map(|entry| OutputTensor {
        name: entry.name.clone(),
        dtype: entry.dtype,
        shape: entry.shape.clone(),
        data: Data::Kept(entry.clone()),
    });
    let data = Data::Changed(Rc::new(MemorySource::new(name, bytes)));
    let tensors = kept.chain([OutputTensor { name: name.to_owned(), dtype, shape: shape.to_vec(), data }]).collect();
    let mut files = lay_out(tensors, model.checkpoint.metadata(), u64::MAX).unwrap();
    files.push(OutputFile::text("config.json", model.config.to_text()));
    open(folder_of(&files))
}

#[test]
fn tensors_that_nobody_knows_go_along() {
    let model = open(TinyBert::default().folder());
    let ids: Vec<u8> = (0..32i64).flat_map(i64::to_le_bytes).collect();
    let model = with_tensor(&model, "bert.embeddings.position_ids", Dtype::I64, &[1, 32], ids.clone());
    let model = with_tensor(&model, "extra.scale", Dtype::F32, &[1, 1, 2], encode(Dtype::F32, &[0.5, 3.0]).bytes);
    for (dtype, kept) in [(OutputDtype::Same, Dtype::F32), (OutputDtype::Bf16, Dtype::BF16)] {
        let out = exported(&model, &uneven(&model), &OutputOptions { dtype, ..padded() });
        assert!(values(&out.checkpoint, "bert.embeddings.position_ids") == (Dtype::I64, vec![1, 32], ids.clone()));
        assert!(values(&out.checkpoint, "extra.scale") == (kept, vec![1, 1, 2], encode(kept, &[0.5, 3.0]).bytes));
    }
}

#[test]
fn an_overflow_is_refused_and_not_written() {
    let name = "classifier.bias";
    let model = with_tensor(&open(TinyBert::default().folder()), name, Dtype::F32, &[3], encode(Dtype::F32, &[1e6, 0.0, 1.0]).bytes);
    let half = OutputOptions { dtype: OutputDtype::F16, ..stock() };
    let error = export(&model, &Plan::dense(&model.architecture), &half).unwrap_err().to_string();
    assert!(error.contains(name) && error.contains("F16") && error.contains("bf16"), "{error}");
}

#[test]
fn a_tensor_that_should_have_shrunk_is_a_defect() {
    let model = open(TinyBert::default().folder());
    let (plan, options) = (even(&model), stock());
    let artifacts = Artifacts {
        folder: &model.folder,
        checkpoint: &model.checkpoint,
        architecture: &model.architecture,
        config: &model.config,
        plan: &plan,
        options: &options,
        changed: Vec::new(),
        recipe: String::new(),
        plan_json: String::new(),
        report: String::new(),
        card: Card::default(),
    };
    let error = block_on(assemble(artifacts, &MemoryScratch)).unwrap_err().to_string();
    assert!(error.contains("defect") && error.contains("intermediate.dense"), "{error}");
}
