use super::*;
use crate::base::{CancelToken, ErrorKind, Random};
use crate::checkpoint::{Data, Dtype, Folder, MemorySource, OutputFile, OutputTensor, encode, folder_of, lay_out};
use crate::device::Preference;
use crate::evaluate::last_states;
use crate::fixture;
use crate::forward::{Decoder, batches};
use crate::model::testing::{TinyBert, open};
use pollster::block_on;
use serde_json::json;
use std::collections::BTreeMap;

fn cpu() -> Device {
    block_on(Device::open(Preference::Cpu, CancelToken::default())).unwrap()
}

/// The devices of this machine: the CPU, and the GPU unless the environment says that there is none to test.
fn devices() -> Vec<Device> {
    if std::env::var_os("COPPICE_NO_GPU").is_some() {
        println!("the GPU is left out: COPPICE_NO_GPU is set");
        return vec![cpu()];
    }
    vec![cpu(), block_on(Device::open(Preference::Gpu, CancelToken::default())).expect("an adapter (or set COPPICE_NO_GPU)")]
}

/// Rotary positions, grouped queries, an untied head.
fn llama() -> Folder {
    folder_of(&fixture::files(fixture::shape("tiny-llama").unwrap()).unwrap()).unwrap()
}

/// Learned positions, fused projections with biases, a tied head, layers of different widths.
fn gpt2() -> Folder {
    const HIDDEN: usize = 20;
    const WIDTHS: [(usize, usize); 3] = [(4, 30), (1, 7), (3, 12)];
    let mut random = Random::new(5);
    let mut tensors = Vec::new();
    let mut put = |name: &str, shape: &[usize], mean: f64, deviation: f64| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| (mean + deviation * random.normal()) as f32).collect();
        let source = Rc::new(MemorySource::new(name, encode(Dtype::F32, &values).bytes));
        let shape = shape.iter().map(|&n| n as u64).collect();
        tensors.push(OutputTensor { name: name.to_owned(), dtype: Dtype::F32, shape, data: Data::Changed(source) });
    };
    put("wte.weight", &[60, HIDDEN], 0.0, 1.0);
    put("wpe.weight", &[40, HIDDEN], 0.0, 0.5);
    for (index, (heads, neurons)) in WIDTHS.into_iter().enumerate() {
        let width = 5 * heads;
        for (name, inputs, outputs) in [
            ("attn.c_attn", HIDDEN, 3 * width),
            ("attn.c_proj", width, HIDDEN),
            ("mlp.c_fc", HIDDEN, neurons),
            ("mlp.c_proj", neurons, HIDDEN),
        ] {
            put(&format!("h.{index}.{name}.weight"), &[inputs, outputs], 0.0, 0.3);
            put(&format!("h.{index}.{name}.bias"), &[outputs], 0.0, 0.2);
        }
        for norm in ["ln_1", "ln_2"] {
            put(&format!("h.{index}.{norm}.weight"), &[HIDDEN], 1.0, 0.1);
            put(&format!("h.{index}.{norm}.bias"), &[HIDDEN], 0.0, 0.1);
        }
    }
    put("ln_f.weight", &[HIDDEN], 1.0, 0.1);
    put("ln_f.bias", &[HIDDEN], 0.0, 0.1);
    let config = json!({
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 60, "n_embd": HIDDEN, "n_head": 4, "n_layer": 3,
        "n_inner": 30, "n_positions": 40,
        "coppice_layers": WIDTHS.iter().map(|(heads, neurons)| json!({ "heads": heads, "neurons": neurons })).collect::<Vec<_>>(),
    });
    let mut files = lay_out(tensors, &BTreeMap::from([("format".to_owned(), "pt".to_owned())]), u64::MAX).unwrap();
    files.push(OutputFile::text("config.json", config.to_string()));
    folder_of(&files).unwrap()
}

async fn start(device: &Device, prompt: &str, options: &GenerateOptions) -> Result<Generator> {
    start_in(device, llama(), prompt, options).await
}

async fn start_in(device: &Device, folder: Folder, prompt: &str, options: &GenerateOptions) -> Result<Generator> {
    let tokenizer = Tokenizer::open(&folder).await?;
    let model = open(folder);
    Generator::new(device, &Run::default(), model.checkpoint, model.architecture, tokenizer, prompt, options).await
}

/// Everything that is generated.
fn all(device: &Device, prompt: &str, options: &GenerateOptions) -> (Vec<Token>, Ending) {
    block_on(async {
        let mut generator = start(device, prompt, options).await.unwrap();
        let mut tokens = Vec::new();
        while let Some(token) = generator.next(device).await.unwrap() {
            tokens.push(token);
        }
        (tokens, generator.ending().unwrap())
    })
}

fn ids(tokens: &[Token]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

fn text(tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text.as_str()).collect()
}

const PROMPT: &str = "bada gelo";

fn options(max_tokens: usize) -> GenerateOptions {
    GenerateOptions { max_tokens, ..GenerateOptions::default() }
}

#[test]
fn a_cache_gives_what_recomputation_gives() {
    for device in devices() {
        for folder in [gpt2(), llama()] {
            let model = open(folder);
            let (checkpoint, architecture) = (&model.checkpoint, &model.architecture);
            let mut random = Random::new(9);
            let sequence: Vec<u32> = (0..31).map(|_| random.below(architecture.vocabulary) as u32).collect();
            block_on(async {
                let resident = Resident::upload(&device, checkpoint, architecture, |_| {}).await.unwrap();
                let mut caches = resident.caches(&device, 33).await.unwrap();
                let mut done = 0;
                for part in [7, 1, 1, 12, 1, 9] {
                    let state =
                        resident.advance(&device, checkpoint, architecture, &sequence[done..done + part], &mut caches).await.unwrap();
                    let cached = resident.logits(&device, &state).await.unwrap();
                    done += part;
                    let expected = recomputed(&device, checkpoint, architecture, &sequence[..done]).await;
                    let size = (expected.iter().map(|v| v * v).sum::<f32>() / expected.len() as f32).sqrt();
                    assert_eq!(cached.len(), architecture.vocabulary);
                    for (cached, expected) in cached.iter().zip(&expected) {
                        // Sums in another order, over three layers in f32.
                        assert!((cached - expected).abs() <= 2e-5 * size, "{cached} is not {expected} after {done} tokens");
                    }
                }
            });
        }
    }
}

/// Logits after a sequence, without a cache.
async fn recomputed(device: &Device, checkpoint: &Checkpoint, architecture: &Architecture, sequence: &[u32]) -> Vec<f32> {
    let batches = batches(&[sequence.to_vec()], 1000);
    let states = last_states(device, &Run::default(), Phase::Open, checkpoint, architecture, &batches).await.unwrap();
    let decoder = Decoder::read(device, checkpoint, architecture).await.unwrap();
    let last = device.select(&states[0], Some(&[sequence.len() as u32 - 1]), None).await.unwrap();
    let last = decoder.normalise(&last).await.unwrap();
    device.read(&decoder.logits(&last, &decoder.tile(0).await.unwrap().1).await.unwrap()).await.unwrap()
}

#[test]
fn texts_end_for_the_reason_that_is_given() {
    let device = cpu();
    let (tokens, ending) = all(&device, PROMPT, &options(12));
    assert_eq!((tokens.len(), ending), (12, Ending::MaxTokens));
    let whole = text(&tokens);
    // A token that comes later for the first time.
    let at = (3..12).find(|&at| !ids(&tokens)[..at].contains(&tokens[at].id)).expect("a token of its own");
    let (stopped, ending) = all(&device, PROMPT, &GenerateOptions { stop_tokens: vec![tokens[at].id], ..options(12) });
    assert_eq!((ids(&stopped), ending), (ids(&tokens[..=at]), Ending::StopToken));
    assert_eq!(text(&stopped), text(&tokens[..at]));
    // A string across tokens.
    let characters: Vec<char> = whole.chars().collect();
    let stop: String = characters[characters.len() / 2..][..3].iter().collect();
    let (stopped, ending) = all(&device, PROMPT, &GenerateOptions { stop: vec!["never".into(), stop.clone()], ..options(12) });
    assert_eq!((text(&stopped).as_str(), ending), (whole.split(&stop).next().unwrap(), Ending::StopText));
    // 128 positions.
    let (tokens, ending) = all(&device, PROMPT, &options(1000));
    let generator = block_on(start(&device, PROMPT, &options(1))).unwrap();
    assert_eq!((generator.prompt_tokens() + tokens.len(), ending), (128, Ending::ContextFull));
}

#[test]
fn two_texts_in_turn_are_those_of_each_alone() {
    for device in devices() {
        let drawn = GenerateOptions { temperature: 1.0, top_k: 50, top_p: 0.95, seed: 7, ..options(10) };
        let alone = [all(&device, PROMPT, &options(10)).0, all(&device, "", &drawn).0].map(|tokens| ids(&tokens));
        let other = all(&device, "", &GenerateOptions { seed: 8, ..drawn.clone() }).0;
        assert_ne!(alone[1], ids(&other));
        block_on(async {
            let mut pair = [start(&device, PROMPT, &options(10)).await.unwrap(), start(&device, "", &drawn).await.unwrap()];
            let mut found = [Vec::new(), Vec::new()];
            for _ in 0..10 {
                for (generator, found) in pair.iter_mut().zip(&mut found) {
                    found.extend(generator.next(&device).await.unwrap().map(|token| token.id));
                }
            }
            assert_eq!(found, alone);
            for (generator, found) in pair.iter_mut().zip(&found) {
                assert!(!found.is_empty() && generator.ending().is_some());
                assert!(generator.next(&device).await.unwrap().is_none());
            }
        });
    }
}

#[test]
fn a_cancel_is_heard_at_the_next_token() {
    let mut device = cpu();
    let cancel = CancelToken::default();
    device.watch(cancel.clone());
    block_on(async {
        let mut generator = start(&device, PROMPT, &options(10)).await.unwrap();
        generator.next(&device).await.unwrap();
        cancel.cancel();
        assert_eq!(generator.next(&device).await.unwrap_err().kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn what_cannot_be_generated_is_refused_with_a_sentence() {
    let device = cpu();
    let refused = |folder: Folder, prompt: &str, options: GenerateOptions| match block_on(start_in(&device, folder, prompt, &options)) {
        Ok(_) => unreachable!("a generator for {options:?}"),
        Err(error) => error.to_string(),
    };
    assert!(refused(llama(), PROMPT, options(0)).contains("max_tokens"));
    assert!(refused(llama(), PROMPT, GenerateOptions { top_p: 2.0, ..options(5) }).contains("top-p"));
    assert!(refused(llama(), &"bada ".repeat(200), options(5)).contains("128 positions"));
    assert!(refused(TinyBert::default().folder(), "word1", options(5)).contains("BertForSequenceClassification"));
    device.ledger().set_budget(100_000);
    let message = refused(llama(), PROMPT, options(20));
    // Three layers of 17,664 weights each and a head of 24,576, 4 bytes each.
    assert!(message.contains("0.3 MiB of weights") && message.contains("may use 0.1 MiB"), "{message}");
}

#[test]
fn the_footprint_is_what_the_ledger_counts() {
    for device in devices() {
        let before = device.ledger().live();
        let generator = block_on(start(&device, PROMPT, &options(20))).unwrap();
        let Footprint { weights, cache } = generator.footprint();
        let (said, counted) = (weights + cache, device.ledger().live() - before);
        // Norms, and on the GPU buffers in steps of 256 bytes and an eighth, are on top.
        assert!(counted >= said && counted <= said + said / 5 + 50_000, "{said} bytes were said, {counted} are counted");
        drop(generator);
        assert_eq!(device.ledger().live(), before);
    }
}
