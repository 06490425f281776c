//! Long texts, encoded piece by piece: megabytes of text neither keep the event loop waiting nor take memory for all of it.
//!
//! Pieces overlap, and are joined where both have the same tokens at the same places on both sides of a seam, best at white space,
//! where pre-tokenizers divide. What becomes of a text there depends on no more: the regular expressions and merges of BPE look
//! forward from where a word starts, and the best path of a unigram model through a place is made of the best ones on both sides
//! of it. Where there is no such seam (a thousand spaces, a word of that length), the piece is made longer.

use super::{Tokenizer, refused};
use crate::base::{CancelToken, Pacer, Result};
use std::ops::Range;

/// Bytes of a piece: encoded within about 50 ms.
const PIECE: usize = 32 << 10;
/// Bytes that two pieces share: some hundred tokens.
const OVERLAP: usize = 1 << 10;
/// Tokens that must be alike on either side of a seam.
const ALIKE: usize = 8;

/// A token, and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    id: u32,
    start: usize,
    end: usize,
}

/// A part of a text with its tokens, of which those before `from` are the last piece's.
struct Piece {
    range: Range<usize>,
    tokens: Vec<Placed>,
    from: usize,
}

impl Tokenizer {
    /// The first `limit` token ids of a text of any length, without special tokens around it: those that [`Self::encode`] gives.
    ///
    /// # Errors
    /// The tokenizer refuses the text, or the run is cancelled.
    pub async fn encode_long(&self, text: &str, limit: Option<usize>, cancel: &CancelToken) -> Result<Vec<u32>> {
        self.encode_pieces(text, limit.unwrap_or(usize::MAX), cancel, PIECE, OVERLAP).await
    }

    async fn encode_pieces(&self, text: &str, limit: usize, cancel: &CancelToken, length: usize, overlap: usize) -> Result<Vec<u32>> {
        let mut pacer = Pacer::default();
        let mut ids: Vec<u32> = Vec::new();
        let mut left = self.piece(text, 0, length)?;
        while left.range.end < text.len() && ids.len() < limit {
            pacer.pace(cancel).await?;
            let right = self.piece(text, left.range.end - overlap, length)?;
            if let Some((end, start)) = seam(text, &left, &right) {
                ids.extend(left.tokens[left.from..end].iter().map(|token| token.id));
                left = Piece { from: start, ..right };
                continue;
            }
            let longer = self.piece(text, left.range.start, 2 * left.range.len())?;
            if left.from > 0 && left.tokens.get(..left.from + ALIKE) != longer.tokens.get(..left.from + ALIKE) {
                // What comes later changes what was certain: no tokenizer that we know of.
                ids = self.encode(text, false)?;
                ids.truncate(limit);
                return Ok(ids);
            }
            left = Piece { from: left.from, ..longer };
        }
        ids.extend(left.tokens[left.from..].iter().map(|token| token.id));
        ids.truncate(limit);
        Ok(ids)
    }

    /// About `length` bytes of a text from about `start`, encoded.
    fn piece(&self, text: &str, start: usize, length: usize) -> Result<Piece> {
        let start = text.floor_char_boundary(start);
        let end = text.ceil_char_boundary(start + length);
        let part = &text[start..end];
        let opened = if start == 0 { self.opened(part) } else { part.into() };
        let added = opened.len() - part.len();
        let encoding = self.inner.encode(opened, false).map_err(|error| refused(part, &error))?;
        let place = |offset: usize| start + offset.saturating_sub(added);
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        let tokens = tokens.map(|(&id, &(from, to))| Placed { id, start: place(from), end: place(to) }).collect();
        Ok(Piece { range: start..end, tokens, from: 0 })
    }
}

/// Where the tokens of `left` end and those of `right` go on.
fn seam(text: &str, left: &Piece, right: &Piece) -> Option<(usize, usize)> {
    let shared = right.range.start..left.range.end;
    let middle = shared.start.midpoint(shared.end);
    let end_of = |tokens: &[Placed], place: usize| tokens.iter().position(|token| token.start >= place).unwrap_or(tokens.len());
    let first = end_of(&left.tokens, shared.start).max(left.from);
    let (ours, theirs) = (&left.tokens[first..], &right.tokens[..end_of(&right.tokens, shared.end)]);
    let mut places: Vec<usize> = (ALIKE..(ours.len() + 1).saturating_sub(ALIKE)).collect();
    places.sort_by_key(|&place| (!is_at_space(text, ours[place].start), ours[place].start.abs_diff(middle)));
    places.into_iter().find_map(|place| {
        let around = &ours[place - ALIKE..place + ALIKE];
        // In a run of the same tokens nothing tells one place from the next, and a token's place may be off by a character.
        (only(ours, around)? == place - ALIKE).then_some(())?;
        let found = only(theirs, around)?;
        (theirs[found..found + 2 * ALIKE] == *around).then_some((first + place, found + ALIKE))
    })
}

/// The only place among `tokens` that has the ids of `some`.
fn only(tokens: &[Placed], some: &[Placed]) -> Option<usize> {
    let is = |own: &[Placed]| own.iter().zip(some).all(|(own, other)| own.id == other.id);
    let mut found = tokens.windows(some.len()).enumerate().filter(|(_, own)| is(own)).map(|(at, _)| at);
    found.next().filter(|_| found.next().is_none())
}

/// Whether white space begins or ends at a place; some tokenizers leave it out of a token's place.
fn is_at_space(text: &str, place: usize) -> bool {
    text.split_at_checked(place)
        .is_some_and(|(before, after)| before.ends_with(char::is_whitespace) || after.starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::super::golden::{each_folder, texts};
    use super::super::tests::demo;
    use super::*;
    use crate::base::Random;
    use pollster::block_on;

    /// Many seams, few of them at white space.
    const SHORT: (usize, usize) = (400, 160);

    fn whole_and_pieces(name: &str, tokenizer: &Tokenizer, text: &str) {
        let whole = tokenizer.encode(text, false).unwrap();
        for limit in [usize::MAX, whole.len() / 2, 0] {
            let pieces = block_on(tokenizer.encode_pieces(text, limit, &CancelToken::default(), SHORT.0, SHORT.1)).unwrap();
            let differ = pieces.iter().zip(&whole).position(|(a, b)| a != b);
            assert!(pieces == whole[..limit.min(whole.len())], "{name}: {} of {}, {differ:?}, {text:?}", pieces.len(), whole.len());
        }
    }

    fn stories(family: &str) -> Tokenizer {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models").join(format!("{family}-stories"));
        block_on(Tokenizer::open(&crate::checkpoint::Folder::open(&folder).unwrap())).unwrap()
    }

    fn every_tokenizer() -> Vec<(String, Tokenizer)> {
        let own = [("bert", demo()), ("gpt2-stories", stories("gpt2")), ("llama-stories", stories("llama"))];
        own.into_iter().map(|(name, tokenizer)| (name.to_owned(), tokenizer)).chain(each_folder()).collect()
    }

    /// Hard texts after each other, with runs of one character or two between some.
    fn mixed(random: &mut Random, texts: &[String]) -> String {
        const RUNS: [&str; 12] = [" ", "\n", "a", "7", "ab", "=", "中", "\u{1f600}", "\u{301}", "\u{200d}", "\u{5d0}", "<s>"];
        let mut text = String::new();
        for _ in 0..40 {
            match random.below(5) {
                0 => text.push_str(&RUNS[random.below(RUNS.len())].repeat(random.below(120))),
                _ => text.push_str(&texts[random.below(texts.len())]),
            }
            text.push_str(["", " ", "\n", ". "][random.below(4)]);
        }
        text
    }

    #[test]
    fn pieces_give_the_tokens_of_the_whole_text() {
        let texts = texts();
        let mut random = Random::new(11);
        let mixtures: Vec<String> = (0..20).map(|_| mixed(&mut random, &texts)).collect();
        let runs = [
            " ".repeat(9000),
            "a".repeat(5000) + " b " + &"xy".repeat(3000),
            "中文".repeat(2500),
            "12345".repeat(1500),
            "\u{301}".repeat(4000),
        ];
        for (name, tokenizer) in every_tokenizer() {
            for text in mixtures.iter().chain(&runs).chain(&texts) {
                whole_and_pieces(&name, &tokenizer, text);
            }
        }
    }

    #[test]
    fn a_cancelled_run_stops_between_pieces() {
        let cancel = CancelToken::default();
        cancel.cancel();
        let text = "a good film ".repeat(2 * PIECE / 12);
        assert!(block_on(demo().encode_long(&text, None, &cancel)).is_err());
        let few = block_on(demo().encode_long(&text, Some(5), &CancelToken::default())).unwrap();
        assert_eq!(few, demo().encode("a good film a good", false).unwrap());
    }
}
