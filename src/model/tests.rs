//! Configs that cannot be right or cannot be computed: a sentence each. Models that can be are judged by tests/oracle/families.py.

use super::{Architecture, Config, Head, rotary};
use crate::checkpoint::{Checkpoint, Data, Dtype, MemorySource, OutputTensor, encode, lay_out};
use crate::model::testing::folder_of;
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A checkpoint of one tensor that no family has.
fn strange() -> Checkpoint {
    let source = Rc::new(MemorySource::new("x", encode(Dtype::F32, &[0.0]).bytes));
    let tensor = OutputTensor { name: "x".to_owned(), dtype: Dtype::F32, shape: vec![1], data: Data::Changed(source) };
    let files = lay_out(vec![tensor], &BTreeMap::new(), u64::MAX).unwrap();
    block_on(Checkpoint::open(&folder_of(&files))).unwrap()
}

fn said(fields: &Value) -> String {
    let config = Config::parse(&fields.to_string()).unwrap();
    Architecture::new(&config, &strange()).unwrap_err().to_string()
}

/// Merges `fields` over `base`.
fn with(base: &Value, fields: Value) -> Value {
    let mut merged = base.clone();
    merged.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    merged
}

/// A plausible config of each family, in which nothing but the tensors is missing.
fn plausible(family: &str) -> Value {
    let rotary = json!({"hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 3, "num_hidden_layers": 2,
        "intermediate_size": 20, "vocab_size": 9, "max_position_embeddings": 64});
    let encoder = json!({"hidden_size": 48, "num_attention_heads": 6, "num_hidden_layers": 2, "intermediate_size": 20, "vocab_size": 9,
        "max_position_embeddings": 64});
    let own = match family {
        "gpt2" => json!({"n_embd": 48, "n_head": 6, "n_layer": 2, "vocab_size": 9}),
        "llama" | "qwen2" => rotary,
        "opt" => with(&encoder, json!({"ffn_dim": 20})),
        "distilbert" => json!({"dim": 48, "n_heads": 6, "n_layers": 2, "hidden_dim": 20, "vocab_size": 9}),
        _ => encoder,
    };
    with(&own, json!({"model_type": family}))
}

#[test]
fn each_family_misses_its_first_tensor() {
    for (family, tensor) in [
        ("bert", "encoder.layer.0.attention.self.query.weight"),
        ("distilbert", "transformer.layer.0.attention.q_lin.weight"),
        ("gpt2", "h.0.attn.c_attn.weight"),
        ("llama", "layers.0.self_attn.q_proj.weight"),
        ("opt", "decoder.layers.0.self_attn.q_proj.weight"),
        ("qwen2", "layers.0.self_attn.q_proj.weight"),
        ("roberta", "encoder.layer.0.attention.self.query.weight"),
    ] {
        let message = said(&plausible(family));
        assert!(message.contains(tensor), "{family}: {message}");
    }
    let message = said(&json!({"model_type": "mamba"}));
    assert!(message.contains("\"mamba\"") && message.contains("qwen2, roberta."), "{message}");
}

#[test]
fn heads_that_do_not_divide_are_refused() {
    for (family, hidden, heads) in [
        ("bert", "hidden_size", "num_attention_heads"),
        ("distilbert", "dim", "n_heads"),
        ("gpt2", "n_embd", "n_head"),
        ("llama", "hidden_size", "num_attention_heads"),
        ("opt", "hidden_size", "num_attention_heads"),
        ("qwen2", "hidden_size", "num_attention_heads"),
        ("roberta", "hidden_size", "num_attention_heads"),
    ] {
        let message = said(&with(&plausible(family), json!({hidden: 50})));
        assert!(message.contains(&format!("{hidden} 50, which {heads} 6 does not divide")), "{family}: {message}");
    }
    for family in ["llama", "qwen2"] {
        let message = said(&with(&plausible(family), json!({"num_key_value_heads": 4})));
        assert!(message.contains("num_attention_heads 6, which num_key_value_heads 4 does not divide"), "{message}");
    }
    // A width of its own frees Qwen2's heads; Transformers' Llama insists all the same.
    let own = json!({"hidden_size": 50, "head_dim": 16});
    assert!(said(&with(&plausible("llama"), own.clone())).contains("does not divide"));
    assert!(said(&with(&plausible("qwen2"), own)).contains("q_proj"));
}

#[test]
fn what_is_not_computed_is_refused() {
    for (family, fields, word) in [
        ("opt", json!({"do_layer_norm_before": false}), "do_layer_norm_before"),
        ("opt", json!({"word_embed_proj_dim": 24}), "word_embed_proj_dim 24 and hidden_size 48"),
        ("opt", json!({"layer_norm_elementwise_affine": false}), "layer_norm_elementwise_affine"),
        ("roberta", json!({"is_decoder": true}), "is_decoder"),
        ("roberta", json!({"position_embedding_type": "relative_key"}), "relative_key"),
        ("qwen2", json!({"use_sliding_window": true, "sliding_window": 16, "max_window_layers": 1}), "sliding window of 16 tokens"),
        ("qwen2", json!({"sliding_window": 16, "layer_types": ["full_attention", "sliding_attention"]}), "sliding window of 16 tokens"),
        // Windows that nothing slides in.
        ("qwen2", json!({"use_sliding_window": false, "sliding_window": 16, "max_window_layers": 1}), "q_proj"),
        ("qwen2", json!({"use_sliding_window": true, "sliding_window": 16, "max_window_layers": 2}), "q_proj"),
        ("qwen2", json!({"use_sliding_window": true, "sliding_window": 64, "max_window_layers": 0}), "q_proj"),
        ("qwen2", json!({"use_sliding_window": true, "sliding_window": null, "max_window_layers": 0}), "q_proj"),
    ] {
        let message = said(&with(&plausible(family), fields));
        assert!(message.contains(word), "{family}: {message}");
    }
}

#[test]
fn rotary_scaling_is_read_in_both_spellings() {
    let frequencies = |fields: Value| {
        let config = Config::parse(&fields.to_string()).unwrap();
        rotary::describe(&config, 8).map(|rotary| rotary.frequencies).map_err(|error| error.to_string())
    };
    let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64});
    let old = frequencies(json!({"rope_theta": 500.0, "rope_scaling": llama3})).unwrap();
    let new = frequencies(json!({"rope_parameters": with(&llama3, json!({"rope_theta": 500.0}))})).unwrap();
    assert_eq!(old, new);
    // Wavelengths: 6.3 stays, 29.7 is between 64 / 4 and 64 / 1, 140 and 664 are stretched.
    let plain: Vec<f32> = (0..4).map(|pair| 500f64.powf(-f64::from(pair) / 4.0) as f32).collect();
    let smooth = (64.0 / (std::f32::consts::TAU / plain[1]) - 1.0) / 3.0;
    let expected = [1.0, (1.0 - smooth) * plain[1] / 8.0 + smooth * plain[1], plain[2] / 8.0, plain[3] / 8.0];
    for (found, wanted) in new.iter().zip(expected) {
        assert!((found / wanted - 1.0).abs() < 1e-5, "{found} {wanted}");
    }
    let linear = frequencies(json!({"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}})).unwrap();
    assert!(linear.iter().zip(&plain).all(|(found, plain)| (found * 2.0 / plain - 1.0).abs() < 1e-6));
    assert_eq!(frequencies(json!({"rope_theta": 500.0, "rope_scaling": null})).unwrap(), plain);

    for kind in ["yarn", "dynamic", "longrope", "mrope"] {
        for fields in
            [json!({"rope_scaling": {"type": kind, "factor": 2.0}}), json!({"rope_parameters": {"rope_type": kind, "factor": 2.0}})]
        {
            assert!(frequencies(fields).unwrap_err().contains(&format!("rotary scaling \"{kind}\"")));
        }
    }
    for (kind, missing) in [("linear", "factor"), ("llama3", "low_freq_factor")] {
        let mut scaling = with(&llama3, json!({"rope_type": kind}));
        scaling.as_object_mut().unwrap().remove(missing);
        assert!(frequencies(json!({"rope_scaling": scaling})).unwrap_err().contains(missing));
    }
    assert!(frequencies(json!({"rope_parameters": {"partial_rotary_factor": 0.5}})).unwrap_err().contains("partial_rotary_factor"));
}

#[test]
fn fields_of_another_type_are_refused() {
    for (fields, words) in [
        (json!({"rope_scaling": 3}), "rope_scaling = 3, which is not a JSON object"),
        (json!({"rope_parameters": [1]}), "rope_parameters = [1], which is not a JSON object"),
        (json!({"rope_parameters": {"rope_theta": "1e4"}}), "rope_theta = \"1e4\", which is not a number"),
        (json!({"rope_parameters": {"rope_type": 1}}), "rope_type = 1, which is not a text"),
        (json!({"hidden_act": 3}), "hidden_act = 3, which is not a text"),
        (json!({"tie_word_embeddings": "yes"}), "tie_word_embeddings = \"yes\", which is not a truth value"),
        (json!({"attention_bias": 1}), "attention_bias = 1, which is not a truth value"),
        (json!({"mlp_bias": 0}), "mlp_bias = 0, which is not a truth value"),
        (json!({"bos_token_id": "a"}), "bos_token_id = \"a\", which is not a token id"),
        (json!({"bos_token_id": 1.5}), "bos_token_id = 1.5, which is not a token id"),
        (json!({"eos_token_id": [1, "x"]}), "which is not a token id"),
        (json!({"rms_norm_eps": -1e-6}), "rms_norm_eps = -0.000001, which is not a finite number of at least 0"),
        (json!({"rms_norm_eps": 1e300}), "which is not a finite number of at least 0"),
        (json!({"rms_norm_eps": "a"}), "rms_norm_eps = \"a\", which is not a number"),
        (json!({"bos_token_id": 9}), "bos_token_id 9 and vocab_size 9"),
    ] {
        let message = headed(fields, 9).unwrap_err();
        assert!(message.starts_with("config.json has ") && message.contains(words), "{message}");
    }
    for fields in [
        json!({"rope_scaling": null, "rope_parameters": {}, "eos_token_id": [1, 2], "bos_token_id": 8, "rms_norm_eps": 0}),
        json!({"bos_token_id": null, "eos_token_id": -1, "tie_word_embeddings": null, "hidden_act": null}),
    ] {
        let found = headed(fields.clone(), 9).unwrap();
        assert_eq!(found.bos, fields["bos_token_id"].as_u64().map(|id| id as u32));
    }
}

#[test]
fn architectures_without_a_name_are_as_none() {
    for names in [json!([]), json!("LlamaModel"), json!(null), json!([3])] {
        let found = headed(json!({"architectures": names}), 9).unwrap();
        assert_eq!((found.class.as_str(), decoder(&found)), ("LlamaForCausalLM", Some("lm_head.weight")));
    }
    assert_eq!(decoder(&headed(json!({"architectures": ["LlamaModel"]}), 9).unwrap()), None);
}

/// A Llama of one block, with this config beside its sizes, and a head of so many rows.
fn headed(fields: Value, rows: usize) -> Result<Architecture, String> {
    let tensor = |name: &str, shape: &[u64], start: usize| {
        let values: Vec<f32> = (start..).map(|i| i as f32).take(shape.iter().product::<u64>() as usize).collect();
        let source = Rc::new(MemorySource::new(name, encode(Dtype::F32, &values).bytes));
        OutputTensor { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec(), data: Data::Changed(source) }
    };
    let mut tensors = vec![tensor("model.norm.weight", &[4], 0), tensor("model.embed_tokens.weight", &[9, 4], 0)];
    tensors.extend(["input_layernorm", "post_attention_layernorm"].map(|at| tensor(&format!("model.layers.0.{at}.weight"), &[4], 0)));
    let linears =
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
    tensors.extend(linears.map(|at| tensor(&format!("model.layers.0.{at}.weight"), &[4, 4], 0)));
    if rows > 0 {
        tensors.push(tensor("lm_head.weight", &[rows as u64, 4], 7));
    }
    let files = lay_out(tensors, &BTreeMap::new(), u64::MAX).unwrap();
    let checkpoint = block_on(Checkpoint::open(&folder_of(&files))).unwrap();
    let base = json!({"model_type": "llama", "hidden_size": 4, "intermediate_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1,
        "vocab_size": 9});
    Architecture::new(&Config::parse(&with(&base, fields).to_string()).unwrap(), &checkpoint).map_err(|error| error.to_string())
}

fn decoder(architecture: &Architecture) -> Option<&str> {
    match &architecture.head {
        Head::CausalLm { decoder } => Some(&decoder.weight),
        _ => None,
    }
}

#[test]
fn a_head_of_its_own_is_used_whatever_the_config_says_of_ties() {
    for tied in [true, false] {
        let found = headed(json!({"tie_word_embeddings": tied, "architectures": ["LlamaForCausalLM"]}), 9).unwrap();
        assert_eq!(decoder(&found), Some("lm_head.weight"), "{tied}");
        let message = headed(json!({"tie_word_embeddings": tied}), 10).unwrap_err();
        assert!(message.starts_with("Tensor lm_head.weight") && message.contains("has shape [10, 4]"), "{message}");
    }
    let tied = headed(json!({"tie_word_embeddings": true, "architectures": ["LlamaForCausalLM"]}), 0).unwrap();
    assert_eq!(decoder(&tied), Some("model.embed_tokens.weight"));
    assert!(headed(json!({"architectures": ["LlamaForCausalLM"]}), 0).unwrap_err().contains("lm_head.weight"));
}
