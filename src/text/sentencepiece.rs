//! SentencePiece's `tokenizer.model`, as Llama 2 and TinyLlama have it: BPE or unigram pieces, with byte fallback or an unknown
//! token. Text gives the ids of the `sentencepiece` library; special tokens are found in it as Transformers finds them.
//!
//! The `tokenizers` library differs from SentencePiece in rare text that no Llama is concerned by: accents that a charsmap composes,
//! `<0x41>` spelled out for a unigram model, text around user-defined symbols (tests/oracle/make_tokenizers.py lists them).

use super::options::{Options, surround};
use crate::base::{Error, Result};
use proto::{Kind, Model};
use std::collections::HashMap;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::utils::Sequence as Normalizers;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled, Prepend};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{AddedToken, Tokenizer};

mod proto;

/// The file's name.
pub(super) const FILE: &str = "tokenizer.model";

/// SentencePiece's stand-in for a space.
pub(super) const SPACE: char = '\u{2581}';

/// A tokenizer from the file's bytes, and whether a text that starts with a space must be given one more: the library's
/// pre-tokenizer takes such a space for the one that it would put there itself.
pub(super) fn build(bytes: &[u8], options: &Options) -> Result<(Tokenizer, bool)> {
    if bytes.starts_with(b"IQ== 0\n") {
        return Err(refused("is a list of byte strings, as Llama 3 was published, and no SentencePiece model"));
    }
    let model = Model::parse(bytes).map_err(|what| {
        Error::input(format!("{FILE} is not a whole SentencePiece model: {what}; copy it again from the model, or add tokenizer.json."))
    })?;
    if model.space_as_suffix || !model.escape_whitespaces {
        return Err(refused("writes spaces in a way that Coppice does not read"));
    }
    let broken =
        |error: tokenizers::Error| Error::input(format!("{FILE} does not make a tokenizer ({error}); copy it again from the model."));
    let mut tokenizer = match model.model_type {
        1 => Tokenizer::new(unigram(&model)?),
        2 => Tokenizer::new(bpe(&model)?),
        _ => return Err(refused("is of words or of characters")),
    };

    let prefix = options.flag("add_prefix_space").unwrap_or(model.add_dummy_prefix);
    // Llama's newer tokenizers put a space at the start of a text only, others before each piece of it between special tokens.
    let every = prefix && (model.remove_extra_whitespaces || options.flag("legacy").unwrap_or(false));
    let normalizers = normalizers(&model, every).map_err(broken)?;
    if !normalizers.is_empty() {
        tokenizer.with_normalizer(Some(Normalizers::new(normalizers))).map_err(broken)?;
    }
    let scheme = if prefix && !every { PrependScheme::First } else { PrependScheme::Never };
    tokenizer.with_pre_tokenizer(Some(Metaspace::new(SPACE, scheme, false)));
    tokenizer.with_decoder(Some(Decoders::new(decoders(&model, prefix).map_err(broken)?)));

    let own = model.pieces.iter().filter(|piece| matches!(piece.kind, Kind::Control | Kind::Unknown | Kind::UserDefined));
    let own = own.map(|piece| AddedToken::from(&piece.text, piece.kind != Kind::UserDefined).normalized(false));
    tokenizer.add_tokens(own).map_err(broken)?;
    options.add_tokens(&mut tokenizer, &[], true)?;

    let piece = |id: i32| Some(model.pieces.get(usize::try_from(id).ok()?)?.text.clone());
    let token = |role: &str, id: i32| {
        options.token(role).or_else(|| piece(id)).ok_or_else(|| {
            Error::input(format!("tokenizer_config.json asks for a {role} around sequences, but there is none; name it there."))
        })
    };
    let bos = options.flag("add_bos_token").unwrap_or(is_llama(options)).then(|| token("bos_token", model.bos)).transpose()?;
    let eos = options.flag("add_eos_token").unwrap_or(false).then(|| token("eos_token", model.eos)).transpose()?;
    surround(&mut tokenizer, bos.as_deref(), eos.as_deref())?;
    Ok((tokenizer, scheme == PrependScheme::First))
}

fn refused(what: &str) -> Error {
    Error::input(format!("{FILE} {what}; save tokenizer.json with Transformers' save_pretrained and add that file."))
}

/// Whether sequences begin with `<s>` where no file says so, as in all Llamas.
fn is_llama(options: &Options) -> bool {
    match options.class.as_deref() {
        Some("LlamaTokenizer") => true,
        Some("PreTrainedTokenizer" | "TokenizersBackend") | None => matches!(options.model_type.as_deref(), Some("llama" | "mistral")),
        Some(_) => false,
    }
}

fn unknown_piece(model: &Model) -> Option<usize> {
    model.pieces.iter().position(|piece| piece.kind == Kind::Unknown)
}

fn unigram(model: &Model) -> Result<Unigram> {
    let vocabulary = model.pieces.iter().map(|piece| (piece.text.clone(), f64::from(piece.score))).collect();
    Unigram::from(vocabulary, unknown_piece(model), model.byte_fallback)
        .map_err(|error| Error::input(format!("{FILE} does not make a unigram tokenizer ({error}); copy it again from the model.")))
}

fn bpe(model: &Model) -> Result<BPE> {
    let vocabulary: Vocab = (0..).zip(&model.pieces).map(|(id, piece)| (piece.text.clone(), id)).collect();
    if vocabulary.len() != model.pieces.len() {
        return Err(Error::input(format!("{FILE} has the same piece twice; copy it again from the model.")));
    }
    let mut builder = BPE::builder().vocab_and_merges(vocabulary, merges(model)).fuse_unk(true).byte_fallback(model.byte_fallback);
    if let Some(unknown) = unknown_piece(model).and_then(|id| model.pieces.get(id)) {
        builder = builder.unk_token(unknown.text.clone());
    }
    builder.build().map_err(|error| Error::input(format!("{FILE} does not make a BPE tokenizer ({error}); copy it again from the model.")))
}

/// The file has no merges: any two neighbours that make a piece are joined, those of the best score first. So every way to cut a
/// piece in two pieces is a merge, in the order of the joined pieces' scores.
fn merges(model: &Model) -> Merges {
    let mut pieces: Vec<_> = model.pieces.iter().filter(|piece| piece.kind == Kind::Normal).collect();
    let known: HashMap<&str, ()> = pieces.iter().map(|piece| (piece.text.as_str(), ())).collect();
    pieces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let cuts = pieces.iter().flat_map(|piece| piece.text.char_indices().skip(1).map(|(at, _)| piece.text.split_at(at)));
    cuts.filter(|(left, right)| known.contains_key(left) && known.contains_key(right))
        .map(|(left, right)| (left.to_owned(), right.to_owned()))
        .collect()
}

fn normalizers(model: &Model, prefix: bool) -> tokenizers::Result<Vec<NormalizerWrapper>> {
    let mut all = Vec::new();
    if !model.charsmap.is_empty() {
        all.push(NormalizerWrapper::Precompiled(Precompiled::from(&model.charsmap)?));
    }
    let regex = |pattern: &str, content: &str| Replace::new(ReplacePattern::Regex(pattern.into()), content);
    if model.remove_extra_whitespaces {
        all.push(NormalizerWrapper::Replace(regex("^ +| +$", "")?));
        all.push(NormalizerWrapper::Replace(regex(" {2,}", " ")?));
    }
    if prefix {
        all.push(NormalizerWrapper::Prepend(Prepend::new(SPACE.to_string())));
    }
    Ok(all)
}

fn decoders(model: &Model, prefix: bool) -> tokenizers::Result<Vec<DecoderWrapper>> {
    let mut all = vec![DecoderWrapper::Replace(Replace::new(ReplacePattern::String(SPACE.to_string()), " ")?)];
    if model.byte_fallback {
        all.push(DecoderWrapper::ByteFallback(ByteFallback::new()));
    }
    all.push(DecoderWrapper::Fuse(Fuse::new()));
    let leading = if model.remove_extra_whitespaces { usize::MAX } else { usize::from(prefix) };
    if leading > 0 {
        all.push(DecoderWrapper::Strip(Strip::new(' ', leading, 0)));
    }
    Ok(all)
}
