//! Small tokenizers of every format against stock Transformers and SentencePiece (tests/oracle/make_tokenizers.py).

use super::Tokenizer;
use super::tests::{ids, open_bytes};
use serde_json::Value;

macro_rules! folder {
    ($name:literal, $($file:literal)*) => {
        ($name, &[$(($file, include_bytes!(concat!("../../../tests/fixtures/tokenizers/", $name, "/", $file)) as &[u8])),*])
    };
    ($name:literal like $other:literal, $($file:literal)*) => {
        ($name, &[
            ("tokenizer.model", include_bytes!(concat!("../../../tests/fixtures/tokenizers/", $other, "/tokenizer.model")) as &[u8]),
            $(($file, include_bytes!(concat!("../../../tests/fixtures/tokenizers/", $name, "/", $file)) as &[u8])),*
        ])
    };
}

type Files = &'static [(&'static str, &'static [u8])];

/// Folders, each with its golden tokens beside the tokenizer's files.
const FOLDERS: &[(&str, Files)] = &[
    folder!("gpt2", "golden.json" "config.json" "vocab.json" "merges.txt"),
    folder!("opt", "golden.json" "config.json" "vocab.json" "merges.txt" "tokenizer_config.json" "special_tokens_map.json"),
    folder!("roberta", "golden.json" "config.json" "vocab.json" "merges.txt" "tokenizer_config.json"),
    folder!("qwen2", "golden.json" "config.json" "vocab.json" "merges.txt" "tokenizer_config.json" "added_tokens.json"),
    folder!("llama", "golden.json" "tokenizer.model" "tokenizer_config.json" "added_tokens.json"),
    folder!("llama-legacy" like "llama", "golden.json" "tokenizer_config.json"),
    folder!("bpe-unknown", "golden.json" "tokenizer.model"),
    folder!("unigram", "golden.json" "tokenizer.model"),
    folder!("unigram-bytes", "golden.json" "tokenizer.model" "config.json"),
];

/// A file of a folder.
pub(super) fn file(name: &str, file: &str) -> &'static [u8] {
    let (_, files) = FOLDERS.iter().find(|(folder, _)| *folder == name).unwrap();
    files.iter().find(|(name, _)| *name == file).unwrap().1
}

/// Every folder's name and tokenizer.
pub(super) fn each_folder() -> impl Iterator<Item = (String, Tokenizer)> {
    FOLDERS.iter().map(|(name, files)| ((*name).to_owned(), open_bytes(files).unwrap()))
}

/// Hard texts.
pub(super) fn texts() -> Vec<String> {
    serde_json::from_str(include_str!("../../../tests/fixtures/tokenizers/texts.json")).unwrap()
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = tokenizer.decode_stream(false);
    let mut text: String = ids.iter().filter_map(|&id| stream.push(id).unwrap()).collect();
    text.extend(stream.finish().unwrap());
    text
}

#[test]
fn every_format_gives_the_tokens_of_the_python_libraries() {
    let texts = texts();
    let mut wrong = Vec::new();
    for (name, files) in FOLDERS {
        let tokenizer = open_bytes(files).unwrap();
        let golden: Value = serde_json::from_slice(file(name, "golden.json")).unwrap();
        let (before, after) = (ids(&golden["before"]), ids(&golden["after"]));
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), texts.len());
        for (case, text) in cases.iter().zip(&texts) {
            if case[0].is_null() {
                continue;
            }
            let expected = ids(&case[0]);
            let plain = tokenizer.encode(text, false).unwrap();
            if plain != expected {
                wrong.push(format!("{name}: {text:?}: {plain:?} for {expected:?}"));
            }
            let whole = [before.clone(), expected.clone(), after.clone()].concat();
            assert_eq!(tokenizer.encode(text, true).unwrap(), [before.clone(), plain, after.clone()].concat(), "{name}: {text:?}");
            for length in [before.len() + after.len(), 5, 9, 40] {
                let room = length - before.len() - after.len();
                let cut = [&before, &expected[..room.min(expected.len())], &after].concat();
                if tokenizer.encode_line_cut(text, length).unwrap() != cut {
                    wrong.push(format!("{name}: {text:?} at {length} of {}", whole.len()));
                }
            }
            if case[1] != false {
                let expected_text = case[1].as_str().unwrap_or(text);
                let (all, one_by_one) = (tokenizer.decode(&expected, false).unwrap(), streamed(&tokenizer, &expected));
                if all != expected_text || one_by_one != expected_text {
                    wrong.push(format!("{name}: {expected_text:?} decodes to {all:?}, streamed {one_by_one:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}
