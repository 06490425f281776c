//! Outputs without whole layers, and in a narrower residual stream.

use super::super::{config, widths};
use super::*;
use crate::checkpoint::Layout;
use crate::model::Config;

#[test]
fn layers_that_stay_are_ranges_of_the_input_under_new_names() {
    let model = open(TinyBert { layers: 5, ..TinyBert::default() }.folder());
    let mut plan = Plan::dense(&model.architecture);
    plan.layers[0] = LayerPlan::removed();
    plan.layers[3] = LayerPlan::removed();
    for options in [stock(), padded(), sliced()] {
        let files = export(&model, &plan, &options).unwrap();
        let out = open(folder_of(&files));
        assert_eq!((out.config.size("num_hidden_layers").unwrap(), out.architecture.layers.len()), (3, 3));
        // A header, what comes before layer 0, layers 1 and 2, and all from layer 4 on.
        assert_eq!(files.iter().find(|file| file.name == "model.safetensors").unwrap().parts.len(), 4);
        for (new, old) in [1, 2, 4].into_iter().enumerate() {
            for name in ["attention.self.query.weight", "attention.output.LayerNorm.bias", "output.dense.bias"] {
                let at = |index: usize| format!("bert.encoder.layer.{index}.{name}");
                assert!(values(&out.checkpoint, &at(new)) == values(&model.checkpoint, &at(old)), "{name} of layer {old}");
            }
        }
        let size = output_size(&model.architecture, &model.checkpoint, &plan, &options);
        assert_eq!((size.parameters, size.bytes), (out.checkpoint.parameters(), out.checkpoint.total_bytes()));
        assert_eq!(out.architecture.linear_parameters(), plan.linear_parameters(&model.architecture));
        assert!(block_on(out.folder.text("README.md")).unwrap().contains("| 3 | removed | removed |"));
    }
    // Units of the layers that stay may go too, unequally where the output can say so.
    plan.layers[2].neurons = vec![3, 5];
    let out = exported(&model, &plan, &sliced());
    let widths: Vec<usize> = out.architecture.layers.iter().map(|layer| layer.neurons).collect();
    assert_eq!(widths, [24, 2, 24]);
    let message = check_plan(&model.architecture, &plan, &stock()).unwrap_err().to_string();
    assert!(message.contains("24 neurons in layer 1 and 2 in layer 2"), "{message}");
    assert_same_tensors(&exported(&out, &Plan::dense(&out.architecture), &sliced()).checkpoint, &out.checkpoint);
}

#[test]
fn lists_by_layer_follow_the_layers_that_stay() {
    let model = open(TinyBert { layers: 4, ..TinyBert::default() }.folder());
    let mut plan = Plan::dense(&model.architecture);
    plan.layers[1] = LayerPlan::removed();
    let written = |config: &Config| {
        let written = widths::written(&model.architecture, &plan, &stock());
        config::adapt(&model.architecture, config, &written, &stock()).unwrap()
    };
    let mut config = model.config.clone();
    config.set("layer_types", vec!["a", "b", "c", "d"]);
    config.set("max_window_layers", 2);
    let adapted = written(&config);
    assert_eq!(adapted.get("layer_types").unwrap(), &serde_json::json!(["a", "c", "d"]));
    assert_eq!(adapted.get("max_window_layers").unwrap(), 1);
    // One that no layer reaches stays so.
    config.set("max_window_layers", 28);
    assert_eq!(written(&config).get("max_window_layers").unwrap(), 28);
}

/// The job's part in a narrower residual stream, without any repair.
fn narrowed(model: &Opened, plan: &Plan, options: &OutputOptions) -> Result<Vec<OutputFile>> {
    block_on(async {
        let hidden = plan.hidden.as_deref().unwrap();
        let mut changed = Vec::new();
        for (index, (kept, layer)) in plan.layers.iter().zip(&model.architecture.layers).enumerate() {
            let host = HostLayer::read(&model.checkpoint, layer).await.unwrap();
            let host = host.keep(layer, &kept.heads, &kept.neurons).keep_hidden(hidden).converted(|own| output_dtype(options, own))?;
            changed.extend(export_layer(&model.architecture, index, plan, &host, options, &MemoryScratch).await?);
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
            plan_json: String::new(),
            report: "{}".to_owned(),
            card: Card::default(),
        };
        assemble(artifacts, &MemoryScratch).await
    })
}

#[test]
fn a_narrower_residual_stream_is_sliced_everywhere() {
    // Widths that differ from each other, so that every shape tells which side is which.
    for top in [Top::None, Top::Classifier(3), Top::MaskedLm] {
        let model = open(TinyBert { hidden: 20, heads: 5, neurons: 27, top, ..TinyBert::default() }.folder());
        let mut plan = Plan::dense(&model.architecture);
        plan.hidden = Some(vec![0, 3, 4, 5, 8, 9, 10, 11, 12, 17, 18, 19]);
        plan.layers.iter_mut().enumerate().for_each(|(index, layer)| layer.heads = vec![0, 1 + index as u32, 4]);
        for options in [stock(), sliced(), OutputOptions { dtype: OutputDtype::Bf16, ..stock() }] {
            let out = open(folder_of(&narrowed(&model, &plan, &options).unwrap()));
            assert_eq!((out.architecture.hidden, out.architecture.layers[0].head_dim, out.architecture.layers[2].heads), (12, 4, 3));
            assert_eq!((out.config.size("hidden_size").unwrap(), out.config.size("num_attention_heads").unwrap()), (12, 3));
            assert_eq!(out.architecture.linear_parameters(), plan.linear_parameters(&model.architecture));
            let size = output_size(&model.architecture, &model.checkpoint, &plan, &options);
            assert_eq!((size.parameters, size.bytes), (out.checkpoint.parameters(), out.checkpoint.total_bytes()));
        }
        let out = open(folder_of(&narrowed(&model, &plan, &stock()).unwrap()));
        let prefix = if top == Top::None { "" } else { "bert." };
        let name = format!("{prefix}embeddings.word_embeddings.weight");
        let table = block_on(model.checkpoint.matrix(&name, Layout::OutIn)).unwrap();
        let kept = plan.hidden.as_deref().unwrap();
        assert_eq!(block_on(out.checkpoint.matrix(&name, Layout::OutIn)).unwrap(), table.keep_inputs(kept));
        let name = format!("{prefix}encoder.layer.1.output.LayerNorm.weight");
        let gains = block_on(model.checkpoint.vector(&name)).unwrap();
        let expected: Vec<f32> = kept.iter().map(|&channel| gains[channel as usize]).collect();
        assert_eq!(block_on(out.checkpoint.vector(&name)).unwrap(), expected);
    }
}

#[test]
fn widths_that_a_config_cannot_say_are_refused() {
    let model = open(TinyBert { hidden: 20, heads: 5, ..TinyBert::default() }.folder());
    let mut plan = Plan::dense(&model.architecture);
    let refused = |plan: &Plan, options: &OutputOptions, words: &str| {
        let message = check_plan(&model.architecture, plan, options).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    plan.hidden = Some((0..10).collect());
    refused(&plan, &stock(), "keep 8 or 12 channels");
    refused(&plan, &sliced(), "keep 8 or 12 channels");
    plan.hidden = Some((0..12).collect());
    refused(&plan, &stock(), "fewer than 3");
    refused(&plan, &padded(), "padded");
    check_plan(&model.architecture, &plan, &sliced()).unwrap();
    let request = |structures: &[Structure]| check_request(&model.architecture, structures, None, &stock()).unwrap_err().to_string();
    assert!(request(&[Structure::Hidden]).contains("together with heads"));
    assert!(request(&[Structure::Heads]).contains("hidden together with heads"));
    check_request(&model.architecture, &[Structure::Hidden, Structure::Heads], None, &stock()).unwrap();
    let odd = with_tensor(&model, "adapter.weight", Dtype::F32, &[20, 3], encode(Dtype::F32, &[0.5; 60]).bytes);
    assert!(check_tensors(&odd.architecture, &odd.checkpoint).unwrap_err().to_string().contains("adapter.weight"));
    check_tensors(&model.architecture, &model.checkpoint).unwrap();
}
