//! Byte-level BPE from `vocab.json` and `merges.txt`: GPT-2 and OPT, RoBERTa, Qwen2. The two files do not say how text is split
//! and surrounded; that is the family's, named by tokenizer_config.json or config.json.

use super::options::{Options, surround};
use crate::base::{Error, Result};
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, Merges};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

/// The vocabulary's file name.
pub(super) const VOCABULARY: &str = "vocab.json";
/// The file name of the merges.
pub(super) const MERGES: &str = "merges.txt";

/// Qwen2's way to split text: contractions in any case, single digits, line ends apart from other space.
const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Who reads the vocabulary how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Gpt2,
    Roberta,
    Qwen2,
}

impl Family {
    fn of(options: &Options) -> Result<Self> {
        let by_class = match options.class.as_deref() {
            Some("GPT2Tokenizer") => Some(Self::Gpt2),
            Some("RobertaTokenizer") => Some(Self::Roberta),
            Some("Qwen2Tokenizer") => Some(Self::Qwen2),
            Some("PreTrainedTokenizer" | "TokenizersBackend") | None => None,
            Some(class) => return Err(unknown(&format!("tokenizer_config.json asks for a {class}"))),
        };
        match (by_class, options.model_type.as_deref()) {
            (Some(family), _) => Ok(family),
            (None, Some("gpt2" | "opt")) => Ok(Self::Gpt2),
            (None, Some("roberta")) => Ok(Self::Roberta),
            (None, Some("qwen2" | "qwen3")) => Ok(Self::Qwen2),
            (None, Some(other)) => Err(unknown(&format!("config.json has the model_type {other}"))),
            (None, None) => Err(unknown("neither tokenizer_config.json nor config.json says which family it is of")),
        }
    }

    /// Special tokens that count as such even where no file names them.
    fn defaults(self) -> &'static [&'static str] {
        match self {
            Self::Gpt2 | Self::Qwen2 => &["<|endoftext|>"],
            Self::Roberta => &["<s>", "</s>", "<unk>", "<pad>", "<mask>"],
        }
    }
}

fn unknown(why: &str) -> Error {
    Error::input(format!(
        "How {VOCABULARY} and {MERGES} split text is known for GPT-2, OPT, RoBERTa and Qwen2, but {why}; save tokenizer.json with Transformers' save_pretrained and add that file."
    ))
}

/// A tokenizer from the texts of vocab.json and merges.txt.
pub(super) fn build(vocabulary: &str, merges: &str, options: &Options) -> Result<Tokenizer> {
    let family = Family::of(options)?;
    let vocabulary: HashMap<String, u32> =
        serde_json::from_str(vocabulary.strip_prefix('\u{feff}').unwrap_or(vocabulary)).map_err(|error| {
            Error::input(format!("{VOCABULARY} is not a JSON object of tokens and ids ({error}); copy it again from the model."))
        })?;
    let merges = read_merges(merges, &vocabulary)?;
    let broken = |error: tokenizers::Error| {
        Error::input(format!("{VOCABULARY} and {MERGES} do not make a tokenizer ({error}); copy both again from the model."))
    };

    let model = BPE::builder().vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges);
    let mut tokenizer = Tokenizer::new(model.build().map_err(broken)?);
    let prefix_space = options.flag("add_prefix_space").unwrap_or(false);
    let bytes = ByteLevel::new(prefix_space, true, family != Family::Qwen2);
    if family == Family::Qwen2 {
        tokenizer.with_normalizer(Some(NFC)).map_err(broken)?;
        let split = Split::new(SplitPattern::Regex(QWEN2_SPLIT.into()), SplitDelimiterBehavior::Isolated, false).map_err(broken)?;
        tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(bytes)])));
    } else {
        tokenizer.with_pre_tokenizer(Some(bytes));
    }
    tokenizer.with_decoder(Some(ByteLevel::default()));
    options.add_tokens(&mut tokenizer, family.defaults(), false)?;
    around(&mut tokenizer, family, prefix_space, options)?;
    Ok(tokenizer)
}

/// Puts the family's tokens around a sequence.
fn around(tokenizer: &mut Tokenizer, family: Family, prefix_space: bool, options: &Options) -> Result<()> {
    if family == Family::Roberta {
        let id = |role: &str, default: &str| {
            let token = options.token(role).unwrap_or_else(|| default.into());
            match tokenizer.token_to_id(&token) {
                Some(id) => Ok((token, id)),
                None => Err(Error::input(format!(
                    "{VOCABULARY} has no special token {token}; check that {VOCABULARY} and tokenizer_config.json belong to the same model."
                ))),
            }
        };
        let processor = RobertaProcessing::new(id("sep_token", "</s>")?, id("cls_token", "<s>")?);
        tokenizer.with_post_processor(Some(processor.trim_offsets(true).add_prefix_space(prefix_space)));
        return Ok(());
    }
    // OPT was trained with one token before every sequence, by a class that adds none of its own.
    let opt = options.model_type.as_deref() == Some("opt");
    let default = if opt { "</s>" } else { "<|endoftext|>" };
    let token = |role: &str| options.token(role).unwrap_or_else(|| default.into());
    let bos = options.flag("add_bos_token").unwrap_or(opt).then(|| token("bos_token"));
    let eos = options.flag("add_eos_token").unwrap_or(false).then(|| token("eos_token"));
    surround(tokenizer, bos.as_deref(), eos.as_deref())
}

/// The merges, each of which must join two known tokens to a known token.
fn read_merges(text: &str, vocabulary: &HashMap<String, u32>) -> Result<Merges> {
    let mut merges = Vec::new();
    for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        if line.starts_with("#version") || line.is_empty() {
            continue;
        }
        let Some((left, right)) = line.split_once(' ').filter(|(_, right)| !right.contains(' ')) else {
            return Err(Error::input(format!(
                "{MERGES}, line {}, is not two tokens with a space between them; copy it again from the model.",
                index + 1
            )));
        };
        let joined = format!("{left}{right}");
        if let Some(missing) = [left, right, &joined].into_iter().find(|token| !vocabulary.contains_key(*token)) {
            return Err(Error::input(format!(
                "{MERGES}, line {}, needs the token {missing}, which {VOCABULARY} does not have; take both files from the same model.",
                index + 1
            )));
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}
