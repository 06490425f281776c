//! `tokenizer.json`, the format of the `tokenizers` library.

use crate::base::{Error, Result};

/// The file's name.
pub(super) const FILE: &str = "tokenizer.json";

/// A tokenizer from the file's text. Padding and truncation that the file may carry are dropped: sequences are cut where the
/// recipe says, and never padded.
pub(super) fn build(text: &str) -> Result<tokenizers::Tokenizer> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let damaged = |error: tokenizers::Error| {
        Error::input(format!(
            "{FILE} is not a tokenizer that can be read ({error}); copy it again from the model, or save it with a current Transformers."
        ))
    };
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(text.as_bytes()).map_err(damaged)?;
    tokenizer.with_truncation(None).map_err(damaged)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
