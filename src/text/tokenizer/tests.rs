//! Against tokens of stock Transformers (tests/oracle/make_tokenizer_fixture.py).

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

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

fn folder(files: &[(&str, &str)]) -> Folder {
    Folder::new(files.iter().map(|(name, text)| Rc::new(MemorySource::new(*name, text.as_bytes().to_vec())) as _).collect()).unwrap()
}

fn open(files: &[(&str, &str)]) -> crate::base::Result<Tokenizer> {
    pollster::block_on(Tokenizer::open(&folder(files)))
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
    assert!(message(&[("config.json", "{}")]).contains("no tokenizer.json and no vocab.txt"));
    assert!(message(&[("vocab.json", "{}"), ("merges.txt", "")]).contains("merges.txt, which Coppice does not read yet"));
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
    assert_eq!((demo().token_id("[SEP]"), demo().token_id("<nowhere>"), demo().is_special(3)), (Some(3), None, true));
    let broken = open(&[("tokenizer.json", DEMO), ("generation_config.json", "{")]).err().unwrap().to_string();
    assert!(broken.starts_with("generation_config.json is not JSON"), "{broken}");
}
