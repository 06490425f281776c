//! Against tokens of stock Transformers (tests/oracle/make_tokenizer_fixture.py).

use super::golden::file;
use super::{Tokenizer, start_of_words};
use crate::checkpoint::{Folder, MemorySource};
use serde_json::Value;
use std::rc::Rc;

const DEMO: &str = include_str!("../../../www/models/bert-sst2/tokenizer.json");
const FIXTURE: &str = include_str!("../../../tests/fixtures/tokenizer_bert_sst2.json");

/// The tokenizer of the demo BERT.
pub(crate) fn demo() -> Tokenizer {
    Tokenizer::from_json(DEMO).unwrap()
}

pub(super) fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

fn folder(files: &[(&str, &[u8])]) -> Folder {
    Folder::new(files.iter().map(|(name, bytes)| Rc::new(MemorySource::new(*name, bytes.to_vec())) as _).collect()).unwrap()
}

pub(super) fn open_bytes(files: &[(&str, &[u8])]) -> crate::base::Result<Tokenizer> {
    pollster::block_on(Tokenizer::open(&folder(files)))
}

fn open(files: &[(&str, &str)]) -> crate::base::Result<Tokenizer> {
    open_bytes(&files.iter().map(|(name, text)| (*name, text.as_bytes())).collect::<Vec<_>>())
}

fn check(tokenizer: &Tokenizer, cases: &Value, cut: usize) -> usize {
    let cases = cases.as_array().unwrap();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode(text, false).unwrap(), ids(&case["plain"]), "plain {text:?}");
        assert_eq!(tokenizer.encode(text, true).unwrap(), ids(&case["special"]), "special {text:?}");
        assert_eq!(tokenizer.encode_line_cut(text, cut).unwrap(), ids(&case["cut"]), "cut {text:?}");
        assert_eq!(tokenizer.decode(&ids(&case["plain"]), true).unwrap(), case["decoded"].as_str().unwrap(), "decoded {text:?}");
    }
    cases.len()
}

#[test]
fn hard_text_gives_the_tokens_of_transformers() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let cut = fixture["cut"].as_u64().unwrap() as usize;
    let tokenizer = open(&[("tokenizer.json", DEMO)]).unwrap();
    assert_eq!(tokenizer.vocabulary(), 14_965);
    assert_eq!(tokenizer.special_tokens(), 2);
    assert!(check(&tokenizer, &fixture["cases"], cut) > 20);
}

#[test]
fn a_plain_vocabulary_gives_the_tokens_of_transformers() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let cut = fixture["cut"].as_u64().unwrap() as usize;
    let plain = &fixture["vocab_txt"];
    let pieces: Vec<_> = plain["pieces"].as_array().unwrap().iter().map(|piece| piece.as_str().unwrap()).collect();
    let vocabulary = pieces.join("\n");
    for group in plain["configs"].as_array().unwrap() {
        let tokenizer = open(&[("vocab.txt", &vocabulary), ("tokenizer_config.json", &group["config"].to_string())]).unwrap();
        assert_eq!(tokenizer.vocabulary(), pieces.len());
        assert!(check(&tokenizer, &group["cases"], cut) > 20);
    }
}

#[test]
fn padding_and_truncation_of_the_file_are_dropped() {
    let mut json: Value = serde_json::from_str(DEMO).unwrap();
    json["truncation"] = serde_json::json!({"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"});
    json["padding"] = serde_json::json!({"strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"});
    let text = "one two three four five six";
    assert_eq!(Tokenizer::from_json(&json.to_string()).unwrap().encode(text, true).unwrap(), demo().encode(text, true).unwrap());
}

#[test]
fn a_cut_is_the_same_however_long_the_text_is() {
    let tokenizer = demo();
    let unbroken = "中文".repeat(4000);
    let zero_width = format!("{}good film", "\u{200b}".repeat(9000));
    let texts = ["the film is unbelievably good , ".repeat(500), "x".repeat(9000) + " film", unbroken, zero_width, "[SEP]".repeat(900)];
    for text in &texts {
        let whole = tokenizer.encode(text, true).unwrap();
        for length in [3, 16, 128] {
            let mut expected = whole.clone();
            if whole.len() > length {
                expected.truncate(length - 1);
                expected.push(3);
            }
            assert_eq!(tokenizer.encode_line_cut(text, length).unwrap(), expected);
        }
    }
    assert!(tokenizer.encode_line_cut("a", 1).unwrap_err().to_string().contains("no room"));
}

#[test]
fn starts_end_before_white_space() {
    assert_eq!(start_of_words("ab cd ef", 3), "ab cd");
    assert_eq!(start_of_words("ab cd ef", 2), "ab");
    assert_eq!(start_of_words("ab cd ef", 6), "ab cd ef");
    assert_eq!(start_of_words("ab", 9), "ab");
    let unbroken = "é".repeat(3000);
    assert_eq!(start_of_words(&unbroken, 99).len(), 100);
}

#[test]
fn says_which_file_is_missing_or_damaged() {
    let message = |files: &[(&str, &str)]| open(files).err().unwrap().to_string();
    assert!(message(&[("config.json", "{}")]).contains("add tokenizer.json, tokenizer.model, vocab.json with merges.txt, or vocab.txt"));
    assert!(message(&[("vocab.json", "{}")]).starts_with("The folder has vocab.json but no merges.txt;"));
    assert!(message(&[("merges.txt", "")]).starts_with("The folder has merges.txt but no vocab.json;"));
    assert!(message(&[("spiece.model", "")]).starts_with("The folder has a tokenizer in spiece.model, which"));
    assert!(message(&[("tokenizer.json", "{")]).starts_with("tokenizer.json is not a tokenizer"));
    assert!(message(&[("vocab.txt", "[UNK]")]).starts_with("vocab.txt has no line"));
}

#[test]
fn the_stop_tokens_are_those_that_the_folder_names() {
    let eos = |files: &[(&str, &str)]| {
        let mut all = vec![("tokenizer.json", DEMO)];
        all.extend(files);
        open(&all).unwrap().eos().to_vec()
    };
    let config = ("config.json", r#"{"eos_token_id":7}"#);
    let named = ("tokenizer_config.json", r#"{"eos_token":{"content":"[SEP]"}}"#);
    assert_eq!(eos(&[("generation_config.json", r#"{"eos_token_id":[5,6]}"#), config, named]), [5, 6]);
    assert_eq!(eos(&[("generation_config.json", "{}"), config, named]), [7]);
    assert_eq!(eos(&[("config.json", r#"{"eos_token_id":null}"#), named]), [3]);
    assert_eq!(eos(&[("tokenizer_config.json", r#"{"eos_token":"<nowhere>"}"#)]), [0_u32; 0]);
    let map = ("special_tokens_map.json", r#"{"eos_token":"[SEP]"}"#);
    assert_eq!(eos(&[("tokenizer_config.json", r#"{"eos_token":null}"#), map]), [3]);
    assert_eq!(eos(&[config, map]), [7]);
    assert_eq!((demo().token_id("[SEP]"), demo().token_id("<nowhere>"), demo().is_special(3)), (Some(3), None, true));
    let broken = open(&[("tokenizer.json", DEMO), ("generation_config.json", "{")]).err().unwrap().to_string();
    assert!(broken.starts_with("generation_config.json is not JSON"), "{broken}");
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let text = |name: &str| std::str::from_utf8(file("gpt2", name)).unwrap();
    let message = |vocabulary: &str, merges: &str, config: &str| {
        open(&[("vocab.json", vocabulary), ("merges.txt", merges), ("tokenizer_config.json", config)]).err().unwrap().to_string()
    };
    let (vocabulary, merges, gpt2) = (text("vocab.json"), text("merges.txt"), r#"{"tokenizer_class":"GPT2Tokenizer"}"#);
    assert!(message("[]", merges, gpt2).starts_with("vocab.json is not a JSON object of tokens and ids"));
    assert!(message(r#"{"a":0,"b":1}"#, "#version: 0.2\na b\n", gpt2).starts_with("merges.txt, line 2, needs the token ab, which"));
    assert!(message(vocabulary, "a\n", gpt2).starts_with("merges.txt, line 1, is not two tokens"));
    assert!(message(vocabulary, merges, "{}").contains("neither tokenizer_config.json nor config.json says"));
    assert!(message(vocabulary, merges, r#"{"tokenizer_class":"CLIPTokenizer"}"#).contains("asks for a CLIPTokenizer"));
    assert!(message(vocabulary, merges, r#"{"tokenizer_class":"RobertaTokenizer"}"#).contains("vocab.json has no special token </s>"));
    assert!(message(vocabulary, merges, "{").starts_with("tokenizer_config.json is not JSON"));
    let moved = r#"{"tokenizer_class":"GPT2Tokenizer","added_tokens_decoder":{"700":{"content":"<x>"}}}"#;
    assert!(message(vocabulary, merges, moved).contains("The added token <x> should have the id 700, but the vocabulary makes it 501"));
}

#[test]
fn a_damaged_sentencepiece_model_is_named() {
    let whole = file("llama", "tokenizer.model");
    let message = |bytes: &[u8]| open_bytes(&[("tokenizer.model", bytes)]).err().map(|error| error.to_string());
    assert_eq!(message(whole), None);
    // However short it is cut, it ends in an error or in a smaller vocabulary, and most often in the former.
    let refused = (0..whole.len()).step_by(7).filter_map(|end| message(&whole[..end])).filter(|said| said.contains("it ends too early"));
    assert!(refused.count() > whole.len() / 7 / 2);
    assert!(message(b"").unwrap().contains("it has no pieces"));
    assert!(message(b"IQ== 0\nIg== 1\n").unwrap().contains("as Llama 3 was published"));
    assert!(message(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").unwrap().contains("git lfs pull"));
}

#[test]
fn a_fast_tokenizer_comes_before_the_files_that_it_was_made_from() {
    let names = ["tokenizer.model", "vocab.json", "merges.txt", "config.json"];
    let from = ["llama", "gpt2", "gpt2", "gpt2"];
    let mut files: Vec<(&str, &[u8])> = names.iter().zip(from).map(|(name, folder)| (*name, file(folder, name))).collect();
    files.push(("vocab.txt", b"[UNK]\n[CLS]\n[SEP]"));
    let sizes = [501, 620, 14_965];
    assert!(Tokenizer::is_in(&folder(&files[1..])) && !Tokenizer::is_in(&folder(&files[2..4])));
    assert_eq!(open_bytes(&files[1..]).unwrap().vocabulary(), sizes[0]);
    assert_eq!(open_bytes(&files).unwrap().vocabulary(), sizes[1]);
    files.push(("tokenizer.json", DEMO.as_bytes()));
    assert_eq!(open_bytes(&files).unwrap().vocabulary(), sizes[2]);
}

#[test]
fn more_tokens_than_rows_are_refused() {
    let tokenizer = open_bytes(&["tokenizer.model", "added_tokens.json"].map(|name| (name, file("llama", name)))).unwrap();
    assert_eq!(tokenizer.vocabulary(), 621);
    assert!(tokenizer.check_rows(620).is_ok(), "an added token may have no row");
    assert!(
        tokenizer
            .check_rows(619)
            .unwrap_err()
            .to_string()
            .starts_with("The tokenizer has 620 tokens, but the model's token table has only 619 rows;")
    );
}
