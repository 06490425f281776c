//! The tokenizer of a model folder. One file a format: `tokenizer_json`, `sentencepiece` (tokenizer.model), `byte_level`
//! (vocab.json and merges.txt), `wordpiece` (plain vocab.txt).

mod pieces;

use super::options::Options;
use super::{DecodeStream, byte_level, sentencepiece, stop_tokens, tokenizer_json, wordpiece};
use crate::base::{Error, Result};
use crate::checkpoint::Folder;
use std::borrow::Cow;
use tokenizers::{DecoderWrapper, PostProcessor, TruncationDirection};

/// Text to token ids and back, as the model's own tokenizer does it in Transformers, without padding and without a cut of its own.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocabulary: usize,
    /// The same without added tokens.
    own: usize,
    byte_fallback: bool,
    /// Whether a space at the start of a text must be doubled (`sentencepiece::build`).
    opening_space: bool,
    eos: Vec<u32>,
}

impl Tokenizer {
    /// Reads the tokenizer of a folder: `tokenizer.json` where there is one, else SentencePiece's `tokenizer.model`, else byte-level
    /// BPE from `vocab.json` and `merges.txt`, else WordPiece from `vocab.txt`.
    ///
    /// Fails with a sentence that names the missing or damaged file.
    pub async fn open(folder: &Folder) -> Result<Self> {
        let mut tokenizer = Self::read(folder).await?;
        tokenizer.eos = stop_tokens::read(folder, &tokenizer).await?;
        Ok(tokenizer)
    }

    async fn read(folder: &Folder) -> Result<Self> {
        if folder.find(tokenizer_json::FILE).is_some() {
            return Self::from_json(&folder.text(tokenizer_json::FILE).await?);
        }
        if let Some(file) = folder.find(sentencepiece::FILE) {
            let bytes = file.read(0..file.len()).await?;
            if bytes.starts_with(b"version https://git-lfs") {
                // Says what to do about a pointer.
                folder.text(sentencepiece::FILE).await?;
            }
            let (inner, opening_space) = sentencepiece::build(&bytes, &Options::read(folder).await?)?;
            return Ok(Self { opening_space, ..Self::finish(inner) });
        }
        let has = |name: &str| folder.find(name).is_some();
        if has(byte_level::VOCABULARY) && has(byte_level::MERGES) {
            let (vocabulary, merges) = (folder.text(byte_level::VOCABULARY).await?, folder.text(byte_level::MERGES).await?);
            return Ok(Self::finish(byte_level::build(&vocabulary, &merges, &Options::read(folder).await?)?));
        }
        if has(wordpiece::FILE) {
            let config = match has(wordpiece::CONFIG) {
                true => Some(folder.text(wordpiece::CONFIG).await?),
                false => None,
            };
            return Ok(Self::finish(wordpiece::build(&folder.text(wordpiece::FILE).await?, config.as_deref())?));
        }
        Err(Error::input(missing(has)))
    }

    /// From the text of a `tokenizer.json`.
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(Self::finish(tokenizer_json::build(text)?))
    }

    fn finish(inner: tokenizers::Tokenizer) -> Self {
        let ids = |added| inner.get_vocab(added).into_values().max().map_or(0, |id| id as usize + 1);
        let (vocabulary, own) = (ids(true), ids(false));
        let byte_fallback = inner.get_decoder().is_some_and(has_byte_fallback);
        Self { inner, vocabulary, own, byte_fallback, opening_space: false, eos: Vec::new() }
    }

    /// One more than the highest token id; the model's token table needs at least as many rows.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Checks the ids against the rows of the model's token table. Added tokens may lie beyond: many folders add a padding token
    /// that is never used, and one that is used is refused where it is looked up.
    pub fn check_rows(&self, rows: usize) -> Result<()> {
        if self.own <= rows {
            return Ok(());
        }
        Err(Error::input(format!(
            "The tokenizer has {} tokens, but the model's token table has only {rows} rows; take the tokenizer files from the same model as the weights.",
            self.own
        )))
    }

    /// Whether a folder has files that [`Self::open`] would read.
    pub fn is_in(folder: &Folder) -> bool {
        let has = |name: &str| folder.find(name).is_some();
        [tokenizer_json::FILE, sentencepiece::FILE, wordpiece::FILE].into_iter().any(has)
            || (has(byte_level::VOCABULARY) && has(byte_level::MERGES))
    }

    /// Number of special tokens that [`Self::encode`] puts around a sequence.
    pub fn special_tokens(&self) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
    }

    /// Token ids of `text`; with `special`, the tokens that the model expects around a sequence are added.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(self.opened(text), special).map_err(|error| refused(text, &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Token ids of `text` with special tokens, cut at `length` tokens in total; the closing special token is kept, as
    /// Transformers' truncation keeps it.
    ///
    /// Costs memory for about `length` tokens, however long the text is.
    pub fn encode_line_cut(&self, text: &str, length: usize) -> Result<Vec<u32>> {
        let special = self.special_tokens();
        if length < special {
            return Err(Error::recipe(format!(
                "A length of {length} tokens has no room for the {special} special tokens of the model; ask for a longer length."
            )));
        }
        let room = length - special;
        let mut encoding = self.encode_start(text, room)?;
        encoding.truncate(room, 0, TruncationDirection::Right);
        encoding.take_overflowing();
        let encoding = self.inner.post_process(encoding, None, true).map_err(|error| refused(text, &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Encodes so much of the text that its first `room` tokens are those of the whole text.
    fn encode_start(&self, text: &str, room: usize) -> Result<tokenizers::Encoding> {
        // Tokens beyond the cut that must be there, so that the last kept one was not shaped by where the text was broken off.
        const MARGIN: usize = 16;
        const BYTES_A_TOKEN: usize = 16;
        let mut bytes = BYTES_A_TOKEN * (room + MARGIN);
        loop {
            let start = start_of_words(text, bytes);
            let encoding = self.inner.encode_fast(self.opened(start), false).map_err(|error| refused(text, &error))?;
            if start.len() == text.len() || encoding.len() >= room + MARGIN {
                return Ok(encoding);
            }
            bytes = 2 * start.len().max(bytes);
        }
    }

    fn opened<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.opening_space && text.starts_with([' ', sentencepiece::SPACE]) {
            true => Cow::Owned(format!(" {text}")),
            false => Cow::Borrowed(text),
        }
    }

    /// Text of token ids; with `skip_special`, special tokens are left out. Ids that the tokenizer does not know are left out too.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.inner.decode(ids, skip_special).map_err(|error| {
            Error::input(format!("The tokenizer could not turn token ids into text ({error}); check that it belongs to the model."))
        })
    }

    /// Decodes ids as they come.
    pub fn decode_stream(&self, skip_special: bool) -> DecodeStream<&Self> {
        DecodeStream::new(self, skip_special)
    }

    /// The id of a token, spelled as in the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Ids after which generation stops, as the model's folder names them; empty where it names none.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// Whether an id is that of a special token, which stands for no text.
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id).is_some_and(|token| token.special)
    }

    /// The byte that a token of a byte fallback (`<0xE4>`) stands for.
    pub(super) fn byte(&self, id: u32) -> Option<u8> {
        let token = self.byte_fallback.then(|| self.inner.id_to_token(id))??;
        let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
        (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
    }
}

/// Why a folder has no tokenizer.
fn missing(has: impl Fn(&str) -> bool) -> String {
    let (vocabulary, merges) = (byte_level::VOCABULARY, byte_level::MERGES);
    if has(vocabulary) || has(merges) {
        let (there, other) = if has(vocabulary) { (vocabulary, merges) } else { (merges, vocabulary) };
        return format!("The folder has {there} but no {other}; add {other} from the same model, or tokenizer.json.");
    }
    match ["spiece.model", "sentencepiece.bpe.model", "tiktoken.model", "tekken.json"].into_iter().find(|name| has(name)) {
        Some(name) => format!(
            "The folder has a tokenizer in {name}, which Coppice does not read; save it as tokenizer.json with Transformers' save_pretrained and add that file."
        ),
        None => format!(
            "The folder has no tokenizer; add tokenizer.json, tokenizer.model, {vocabulary} with {merges}, or vocab.txt, whichever the model has."
        ),
    }
}

fn has_byte_fallback(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteFallback(_) => true,
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().any(has_byte_fallback),
        _ => false,
    }
}

/// A start of `text` of at least `bytes` bytes (or the whole text) that ends before white space, where some is near.
fn start_of_words(text: &str, bytes: usize) -> &str {
    // Longer than any word; text without spaces is broken off between characters.
    const NEAR: usize = 1024;
    let mut ends = text.char_indices().skip_while(|&(at, _)| at < bytes);
    let near: Vec<(usize, char)> = ends.by_ref().take(NEAR).collect();
    let space = near.iter().find(|(_, c)| c.is_whitespace());
    let rest = ends.next().and(near.first());
    let end = space.or(rest).map_or(text.len(), |&(at, _)| at);
    text.get(..end).unwrap_or(text)
}

fn refused(text: &str, error: &dyn std::fmt::Display) -> Error {
    let start: String = text.chars().take(40).collect();
    Error::input(format!(
        "The tokenizer refused the text that starts with {start:?} ({error}); check that the tokenizer files belong to the model."
    ))
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::demo;
