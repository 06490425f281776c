//! BERT's plain `vocab.txt`: one piece a line, its id the line's index. What surrounds the pieces comes from tokenizer_config.json,
//! with the defaults of Transformers' `BertTokenizer`.

use crate::base::{Error, Result};
use serde::Deserialize;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer, decoders};

/// The vocabulary's file name.
pub(super) const FILE: &str = "vocab.txt";
/// The options' file name.
pub(super) const CONFIG: &str = "tokenizer_config.json";

/// Classes whose vocab.txt is plain WordPiece, spelled with or without `Fast`.
const CLASSES: [&str; 4] = ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"];

/// A special token as tokenizer_config.json spells it: its text, or an object with it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Special {
    Text(String),
    Object { content: String },
}

/// The options that change which tokens come out; all others are left alone.
#[derive(Default, Deserialize)]
struct Options {
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
    unk_token: Option<Special>,
    cls_token: Option<Special>,
    sep_token: Option<Special>,
    pad_token: Option<Special>,
    mask_token: Option<Special>,
}

/// A tokenizer from the text of vocab.txt and of tokenizer_config.json, where there is one.
pub(super) fn build(vocabulary: &str, config: Option<&str>) -> Result<Tokenizer> {
    let options = match config {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Error::input(format!("{CONFIG} cannot be read ({error}); copy it again from the model.")))?,
        None => Options::default(),
    };
    if let Some(class) = &options.tokenizer_class
        && !CLASSES.contains(&class.trim_end_matches("Fast"))
    {
        return Err(Error::input(format!(
            "{CONFIG} asks for a {class}, which is more than the WordPiece of {FILE}; save tokenizer.json with Transformers' save_pretrained and add that file."
        )));
    }
    let broken =
        |error: tokenizers::Error| Error::input(format!("{FILE} does not make a tokenizer ({error}); copy it again from the model."));
    let ids = WordPiece::read_bytes(vocabulary.strip_prefix('\u{feff}').unwrap_or(vocabulary).as_bytes()).map_err(broken)?;
    let special = |given: Option<Special>, default: &str| -> Result<(String, u32)> {
        let token = content(given, default);
        match ids.get(&token) {
            Some(&id) => Ok((token, id)),
            None => Err(Error::input(format!(
                "{FILE} has no line for the special token {token}; check that {FILE} and {CONFIG} belong to the same BERT model."
            ))),
        }
    };
    let (unknown, _) = special(options.unk_token, "[UNK]")?;
    let cls = special(options.cls_token, "[CLS]")?;
    let sep = special(options.sep_token, "[SEP]")?;
    // Padding and mask tokens that have no line would be added behind the vocabulary, where the model has no row for them.
    let optional = [content(options.pad_token, "[PAD]"), content(options.mask_token, "[MASK]")];
    let added: Vec<_> = [unknown.clone(), cls.0.clone(), sep.0.clone()]
        .into_iter()
        .chain(optional.into_iter().filter(|token| ids.contains_key(token)))
        .map(|token| AddedToken::from(token, true))
        .collect();

    let model = WordPiece::builder().vocab(ids).unk_token(unknown).build().map_err(broken)?;
    let mut tokenizer = Tokenizer::new(model);
    let normalizer = BertNormalizer::new(
        true,
        options.tokenize_chinese_chars.unwrap_or(true),
        options.strip_accents,
        options.do_lower_case.unwrap_or(true),
    );
    tokenizer.with_normalizer(Some(normalizer)).map_err(broken)?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(BertProcessing::new(sep, cls)));
    tokenizer.with_decoder(Some(decoders::wordpiece::WordPiece::default()));
    tokenizer.add_special_tokens(added).map_err(broken)?;
    Ok(tokenizer)
}

fn content(given: Option<Special>, default: &str) -> String {
    match given {
        Some(Special::Text(content) | Special::Object { content }) => content,
        None => default.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: &str = "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\nun\r\n##able\r\nÉ\r\ne\r\n中\r\n";

    fn encoded(config: Option<&str>, text: &str) -> Vec<u32> {
        build(PIECES, config).unwrap().encode_fast(text, true).unwrap().get_ids().to_vec()
    }

    #[test]
    fn surrounds_pieces_as_bert_does() {
        assert_eq!(encoded(None, "Unable x中[MASK]"), [2, 5, 6, 1, 9, 4, 3]);
    }

    #[test]
    fn options_decide_case_accents_and_chinese_characters() {
        assert_eq!(encoded(None, "É"), [2, 8, 3]);
        assert_eq!(encoded(Some(r#"{"do_lower_case":false}"#), "É"), [2, 7, 3]);
        assert_eq!(encoded(Some(r#"{"do_lower_case":true,"strip_accents":false}"#), "É"), [2, 1, 3]);
        assert_eq!(encoded(Some(r#"{"tokenize_chinese_chars":false}"#), "中中"), [2, 1, 3]);
        assert_eq!(encoded(None, "中中"), [2, 9, 9, 3]);
    }

    #[test]
    fn special_tokens_may_be_text_or_objects() {
        let config = r#"{"cls_token":{"content":"[MASK]","lstrip":false},"sep_token":"[PAD]","tokenizer_class":"BertTokenizerFast"}"#;
        assert_eq!(encoded(Some(config), "un"), [4, 5, 0]);
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |pieces: &str, config: Option<&str>| build(pieces, config).unwrap_err().to_string();
        assert!(message("[UNK]\n[CLS]\n", None).contains("no line for the special token [SEP]"));
        assert!(message(PIECES, Some(r#"{"tokenizer_class":"BertJapaneseTokenizer"}"#)).contains("BertJapaneseTokenizer"));
        assert!(message(PIECES, Some("{")).starts_with("tokenizer_config.json cannot be read"));
    }
}
