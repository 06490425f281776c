//! Text of token ids that come one at a time, as generation gives them.

use super::Tokenizer;
use crate::base::Result;
use std::ops::Deref;

/// What stands for bytes that are no UTF-8.
const REPLACEMENT: char = '\u{fffd}';

/// Turns ids into text one by one, so that the pieces together are the text of all of them.
///
/// A character that is spread over several tokens is held back until its last byte is there, and spaces between words are put
/// where the whole sequence has them. Only where byte tokens (`<0xE4>`) are no UTF-8 does it differ from [`Tokenizer::decode`]:
/// that replaces every byte of the run, this one only those that fit no character, since the others were already shown.
pub struct DecodeStream<T> {
    /// Borrowed or shared.
    tokenizer: T,
    skip_special: bool,
    /// The last token that gave text by itself and those after it: a token's text depends on whether one comes before it.
    ids: Vec<u32>,
    /// What has been given of the text of `ids`.
    given: String,
    /// Byte tokens that do not make a character yet.
    bytes: Vec<u8>,
}

impl<T: Deref<Target = Tokenizer>> DecodeStream<T> {
    /// A stream from the start of a text; with `skip_special`, special tokens give no text.
    pub fn new(tokenizer: T, skip_special: bool) -> Self {
        Self { tokenizer, skip_special, ids: Vec::new(), given: String::new(), bytes: Vec::new() }
    }

    /// Takes the next id, and gives the text that is now certain; `None` where there is none yet. Ids that the tokenizer does
    /// not know give no text.
    pub fn push(&mut self, id: u32) -> Result<Option<String>> {
        if self.skip_special && self.tokenizer.is_special(id) {
            return Ok(None);
        }
        let new = match self.tokenizer.byte(id) {
            Some(byte) => self.push_byte(id, byte)?,
            None => replaced(&std::mem::take(&mut self.bytes)) + &self.push_piece(id)?,
        };
        Ok((!new.is_empty()).then_some(new))
    }

    /// What is still held back, where the sequence ends here: an unfinished character is replaced.
    pub fn finish(self) -> Result<Option<String>> {
        let rest = self.held()? + &replaced(&self.bytes);
        Ok((!rest.is_empty()).then_some(rest))
    }

    /// The text of pieces that is held back.
    fn held(&self) -> Result<String> {
        let text = self.tokenizer.decode(&self.ids, self.skip_special)?;
        Ok(text.strip_prefix(&self.given).unwrap_or_default().to_owned())
    }

    fn push_byte(&mut self, id: u32, byte: u8) -> Result<String> {
        let mut new = self.held()?;
        let first = self.ids.is_empty();
        self.ids.push(id);
        self.restart(id)?;
        if first && self.given.is_empty() {
            // A space that the decoder strips from the start of a text.
            return Ok(new);
        }
        self.bytes.push(byte);
        // Bytes that can no longer become a character are replaced one by one.
        while let Err(error) = std::str::from_utf8(&self.bytes) {
            if error.error_len().is_none() {
                return Ok(new);
            }
            self.bytes.remove(0);
            new.push(REPLACEMENT);
        }
        new.push_str(&replaced(&std::mem::take(&mut self.bytes)));
        Ok(new)
    }

    fn push_piece(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let text = self.tokenizer.decode(&self.ids, self.skip_special)?;
        let Some(new) = text.strip_prefix(&self.given) else {
            // A decoder that changes what came before: the token's own text is the best there is.
            let own = self.tokenizer.decode(&[id], self.skip_special)?;
            self.restart(id)?;
            return Ok(own);
        };
        // The text before an unfinished character is certain already.
        let certain = new.strip_suffix(REPLACEMENT).unwrap_or(new);
        let new_text = certain.to_owned();
        if certain.len() < new.len() {
            self.given.push_str(&new_text);
        } else if !new_text.is_empty() {
            self.restart(id)?;
        }
        Ok(new_text)
    }

    /// Keeps no more than the last token, if that has text where it comes first.
    fn restart(&mut self, id: u32) -> Result<()> {
        let alone = self.tokenizer.decode(&[id], self.skip_special)?;
        if !alone.is_empty() {
            self.ids = vec![id];
            self.given = alone;
        } else {
            self.given = self.tokenizer.decode(&self.ids, self.skip_special)?;
        }
        Ok(())
    }
}

/// The characters of `bytes`, or one replacement for each of them.
fn replaced(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|_| REPLACEMENT).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte fallback and a leading space to strip, as in Llama; `�` is a piece like others.
    const LLAMA: &str = r#"{"version":"1.0","truncation":null,"padding":null,"normalizer":null,"pre_tokenizer":null,"post_processor":null,
        "added_tokens":[{"id":0,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
        "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
            {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
        "model":{"type":"BPE","unk_token":null,"byte_fallback":true,"merges":[],"vocab":{"</s>":0,"▁a":1,"b":2,"▁":3,
            "<0xE4>":4,"<0xBD>":5,"<0xA0>":6,"<0x41>":7,"<0x20>":8,"�":9,"▁▁":10}}}"#;

    fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
        let mut stream = tokenizer.decode_stream(true);
        let mut pieces: Vec<String> = ids.iter().filter_map(|&id| stream.push(id).unwrap()).collect();
        pieces.extend(stream.finish().unwrap());
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        pieces
    }

    #[test]
    fn pieces_together_are_the_text_of_all_ids() {
        let tokenizer = Tokenizer::from_json(LLAMA).unwrap();
        for ids in [
            &[1, 1, 2][..],
            &[3, 1, 2],
            &[10, 2, 10, 1],
            &[1, 0, 1],
            &[0, 1, 0, 0, 1, 2, 0],
            &[4, 5, 6, 1, 4, 5, 6, 4, 5, 6, 2],
            &[8, 1, 8, 8, 2],
            &[9, 9, 4, 5, 6, 9],
            &[1, 99, 2],
            &[3],
            &[],
        ] {
            assert_eq!(streamed(&tokenizer, ids).concat(), tokenizer.decode(ids, true).unwrap(), "{ids:?}");
        }
        let mut random = crate::base::Random::new(3);
        let gpt2 = Tokenizer::from_json(include_str!("../../www/models/gpt2-stories/tokenizer.json")).unwrap();
        for _ in 0..50 {
            // Any bytes at all, of which few are UTF-8.
            let ids: Vec<u32> = (0..40).map(|_| random.below(300) as u32).collect();
            assert_eq!(streamed(&gpt2, &ids).concat(), gpt2.decode(&ids, true).unwrap(), "{ids:?}");
        }
    }

    #[test]
    fn characters_wait_for_their_last_byte() {
        let tokenizer = Tokenizer::from_json(LLAMA).unwrap();
        assert_eq!(streamed(&tokenizer, &[1, 4, 5, 6, 7, 1]), ["a", "\u{4f60}", "A", " a"]);
        assert_eq!(streamed(&tokenizer, &[4, 5, 7]), ["\u{fffd}\u{fffd}A"]);
        assert_eq!(streamed(&tokenizer, &[4, 5, 6, 5, 2]), ["\u{4f60}", "\u{fffd}", "b"]);
        assert_eq!(streamed(&tokenizer, &[2, 4, 5]), ["b", "\u{fffd}\u{fffd}"]);
        assert_eq!(streamed(&tokenizer, &[4, 4, 5, 6]), ["\u{fffd}", "\u{4f60}"]);
    }

    #[test]
    fn emoji_of_a_byte_level_tokenizer_come_whole() {
        let tokenizer = Tokenizer::from_json(include_str!("../../www/models/gpt2-stories/tokenizer.json")).unwrap();
        let text = "Once \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} upon \u{4f60}\u{597d}\n\n\t a \u{fffd}!";
        let ids = tokenizer.encode(text, false).unwrap();
        let pieces = streamed(&tokenizer, &ids);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.len() > 8 && pieces.iter().any(|piece| piece == "\u{1f468}"), "{pieces:?}");
    }
}
