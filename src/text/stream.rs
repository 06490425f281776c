//! Text as one stream of tokens, cut into windows: what decoders are calibrated and measured on.

use super::{Calibration, CalibrationOptions, CalibrationUsed, Tokenizer};
use crate::base::{CancelToken, Error, Random, Result};

/// Windows of `length` tokens of a stream. Where there is a `bos`, each begins with it and holds `length - 1` tokens of the
/// stream. An incomplete last window is dropped.
pub fn windows(stream: &[u32], length: usize, bos: Option<u32>) -> Vec<Vec<u32>> {
    let taken = length.saturating_sub(usize::from(bos.is_some())).max(1);
    stream.chunks_exact(taken).map(|chunk| bos.into_iter().chain(chunk.iter().copied()).collect()).collect()
}

/// Draws windows of `text` as calibration sequences of a decoder. All of the text is encoded, since the windows are drawn from all of it.
pub async fn calibration_windows(
    text: &str,
    tokenizer: &Tokenizer,
    options: &CalibrationOptions,
    max_positions: usize,
    bos: Option<u32>,
    cancel: &CancelToken,
) -> Result<Calibration> {
    options.check(max_positions)?;
    let stream = tokenizer.encode_long(text, None, cancel).await?;
    let all = windows(&stream, options.length, bos);
    if all.is_empty() {
        return Err(Error::input(format!(
            "The calibration text has only {} tokens, fewer than one window of calibration.length {}; give more text or shorter windows.",
            stream.len(),
            options.length
        )));
    }
    let drawn = Random::new(options.seed).sample(all.len(), options.sequences);
    let sequences: Vec<Vec<u32>> = drawn.iter().map(|&index| all[index].clone()).collect();
    let used = CalibrationUsed {
        lines: all.len(),
        sequences: sequences.len(),
        tokens: sequences.iter().map(Vec::len).sum(),
        longest: options.length,
    };
    Ok(Calibration { sequences, labels: None, used })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_with_bos_and_drop_the_rest() {
        let stream: Vec<u32> = (10..20).collect();
        assert_eq!(windows(&stream, 4, None), [[10, 11, 12, 13], [14, 15, 16, 17]]);
        assert_eq!(windows(&stream, 4, Some(1)), [[1, 10, 11, 12], [1, 13, 14, 15], [1, 16, 17, 18]]);
        assert!(windows(&stream, 12, None).is_empty());
    }
}
