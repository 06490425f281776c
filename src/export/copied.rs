//! Files that belong to a model beside its weights and go along unchanged.

use crate::checkpoint::{Folder, OutputFile};

/// Names of files that are copied where the input has them.
const NAMES: &[&str] = &[
    // Tokenizers.
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    // Generation and sentence-transformers.
    "generation_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    // Terms of use.
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "NOTICE",
    "NOTICE.txt",
];

/// Copies of those files, as ranges of the input.
pub(super) fn files(folder: &Folder) -> impl Iterator<Item = OutputFile> {
    NAMES.iter().filter_map(|name| folder.find(name)).cloned().map(OutputFile::copy)
}

/// Whether sentence-transformers reads the folder; its module folders are not among a folder's own files.
pub(super) fn has_modules(folder: &Folder) -> bool {
    folder.find("modules.json").is_some()
}
