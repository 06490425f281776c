//! Text in: the tokenizer, calibration sequences, labelled evaluation sets.
//!
//! Everything here works on text that is already in memory; only the tokenizer's own files are read from the model folder.

mod byte_level;
mod calibration;
mod decode_stream;
mod json_file;
mod labelled;
mod lines;
mod options;
mod sentencepiece;
mod stop_tokens;
mod stream;
mod tokenizer;
mod tokenizer_json;
mod wordpiece;

pub use calibration::{Calibration, CalibrationOptions, CalibrationUsed, calibration_lines, sentences};
pub use decode_stream::DecodeStream;
pub use labelled::{Example, LabelledSet, classes};
pub use stream::{calibration_windows, windows};
pub use tokenizer::Tokenizer;
