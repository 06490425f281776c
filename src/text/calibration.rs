//! Calibration sequences from a person's own text. Encoders: one line, one sequence. (Decoders' token streams are a sibling of
//! [`calibration_lines`].)

use super::{Tokenizer, lines};
use crate::base::{Error, Random, Result};
use serde::{Deserialize, Serialize};

/// The recipe's `calibration` part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationOptions {
    /// Path of the text, relative to the recipe; the page is handed the text itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Most sequences to use.
    pub sequences: usize,
    /// Most tokens in a sequence, special tokens counted.
    pub length: usize,
    /// Seed of the draw.
    pub seed: u64,
}

impl Default for CalibrationOptions {
    fn default() -> Self {
        Self { source: None, sequences: 128, length: 128, seed: 0 }
    }
}

/// Two special tokens and one of text.
const SHORTEST: usize = 3;

impl CalibrationOptions {
    /// Checks the numbers against the model's longest sequence, before anything is read.
    pub fn check(&self, max_positions: usize) -> Result<()> {
        if self.sequences == 0 {
            return Err(Error::recipe("calibration.sequences is 0; ask for at least 1 sequence."));
        }
        if self.length < SHORTEST {
            return Err(Error::recipe(format!("calibration.length is {}; a sequence needs at least {SHORTEST} tokens.", self.length)));
        }
        if self.length > max_positions {
            return Err(Error::recipe(format!(
                "calibration.length is {}, but the model has only {max_positions} positions; ask for at most {max_positions}.",
                self.length
            )));
        }
        Ok(())
    }
}

/// What was used of the calibration text, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CalibrationUsed {
    /// Non-blank lines that the text has; windows, where it is one stream.
    pub lines: usize,
    /// Sequences that were drawn.
    pub sequences: usize,
    /// Tokens in them, special tokens counted.
    pub tokens: usize,
    /// Tokens in the longest of them.
    pub longest: usize,
}

impl CalibrationUsed {
    /// Mean tokens of a sequence.
    pub fn mean_length(&self) -> f64 {
        self.tokens as f64 / self.sequences.max(1) as f64
    }
}

/// Token sequences to calibrate with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calibration {
    /// Token ids, one vector a sequence, in the order in which they were drawn; never empty.
    pub sequences: Vec<Vec<u32>>,
    /// The label of each sequence, as it is written, with the number of its line, where every line of the text has one.
    pub labels: Option<Vec<(usize, String)>>,
    /// Where they came from.
    pub used: CalibrationUsed,
}

/// Draws lines of `text` as calibration sequences of an encoder: with special tokens, cut at `options.length`.
///
/// Blank lines do not count. Where every non-blank line is `sentence<TAB>label`, the labels are kept beside the sequences. Lines of which the
/// tokenizer leaves nothing (control characters) are passed over. `max_positions` is the model's longest sequence, `names` are those of its
/// classes.
///
/// # Errors
/// The options or the text are not right: where only some lines have labels, those would become text.
pub fn calibration_lines(
    text: &str,
    tokenizer: &Tokenizer,
    options: &CalibrationOptions,
    max_positions: usize,
    names: &[String],
) -> Result<Calibration> {
    options.check(max_positions)?;
    let (lines, line_labels) = sentences_and_labels(text);
    if line_labels.is_none() {
        check_unlabelled(text, names)?;
    }
    if lines.is_empty() {
        return Err(Error::input("The calibration text is empty; give a text file with one sentence a line."));
    }
    let mut sequences = Vec::with_capacity(options.sequences.min(lines.len()));
    let mut labels = line_labels.as_ref().map(|_| Vec::new());
    // All lines in drawn order: its start is the draw, the rest stands in for lines that give no token.
    let mut drawn = Random::new(options.seed).sample(lines.len(), lines.len()).into_iter();
    while sequences.len() < options.sequences
        && let Some(index) = drawn.next()
    {
        let Some(line) = lines.get(index) else { continue };
        let sequence = tokenizer.encode_line_cut(line, options.length)?;
        if sequence.len() > tokenizer.special_tokens() {
            sequences.push(sequence);
            if let (Some(labels), Some(label)) = (&mut labels, line_labels.as_ref().and_then(|labels| labels.get(index))) {
                labels.push((label.0, label.1.to_owned()));
            }
        }
    }
    if sequences.is_empty() {
        return Err(Error::input("The calibration text has no line with a token in it; give a text file with one sentence a line."));
    }
    let used = CalibrationUsed {
        lines: lines.len(),
        sequences: sequences.len(),
        tokens: sequences.iter().map(Vec::len).sum(),
        longest: sequences.iter().map(Vec::len).max().unwrap_or(0),
    };
    Ok(Calibration { sequences, labels, used })
}

/// The non-blank lines; without their labels, where all of them carry one.
pub fn sentences(text: &str) -> Vec<&str> {
    sentences_and_labels(text).0
}

/// Labels with the numbers of their lines.
type Labels<'a> = Vec<(usize, &'a str)>;

/// The non-blank lines, and the labels of all of them where all of them carry one.
fn sentences_and_labels(text: &str) -> (Vec<&str>, Option<Labels<'_>>) {
    let labelled = |(number, line)| lines::labelled(line).map(|(sentence, label)| (sentence, (number, label)));
    match below_header(text).1.map(labelled).collect::<Option<Vec<_>>>() {
        Some(labelled) => {
            let (sentences, labels) = labelled.into_iter().unzip();
            (sentences, Some(labels))
        }
        None => (lines::numbered(text).map(|(_, line)| line).collect(), None),
    }
}

/// Whether the text has GLUE's header, and the non-blank lines below it with their numbers.
fn below_header(text: &str) -> (bool, impl Iterator<Item = (usize, &str)>) {
    let header = lines::numbered(text).next().is_some_and(|(_, line)| lines::is_header(line));
    (header, lines::numbered(text).skip(usize::from(header)))
}

/// Numbers below this may be classes of a model that does not say how many it has.
const CLASSES: usize = 10;

/// Refuses a text of which only some lines have a label, where those are labels beyond doubt: its header says so, or at least half of its
/// lines end in a tab and a class, by number or by name. Plain text may have tabs, and numbers behind them.
fn check_unlabelled(text: &str, names: &[String]) -> Result<()> {
    let is_class = |label: &str| {
        let numbered = label.parse::<usize>().is_ok_and(|index| index < names.len().max(CLASSES));
        numbered || names.iter().any(|name| name.eq_ignore_ascii_case(label))
    };
    let (header, lines) = below_header(text);
    let (mut count, mut classes, mut labelled, mut bare) = (0, 0, None, None);
    for (number, line) in lines {
        count += 1;
        match lines::labelled(line) {
            Some((_, label)) if header || is_class(label) => {
                classes += 1;
                labelled.get_or_insert(number);
            }
            Some(_) => {}
            None => drop(bare.get_or_insert(number)),
        }
    }
    match (labelled, bare) {
        (Some(labelled), Some(bare)) if header || 2 * classes >= count => Err(Error::input(format!(
            "Only some lines of the calibration text have a label: line {bare} has no label, line {labelled} has one; put a tab and a label behind \
             every sentence, or behind none."
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tokenizer::demo;

    fn drawn(text: &str, options: &CalibrationOptions) -> Calibration {
        calibration_lines(text, &demo(), options, 512, &names()).unwrap()
    }

    fn message(text: &str, options: &CalibrationOptions) -> String {
        calibration_lines(text, &demo(), options, 512, &names()).unwrap_err().to_string()
    }

    fn names() -> Vec<String> {
        vec!["negative".into(), "positive".into()]
    }

    #[test]
    fn draws_distinct_lines_by_seed() {
        let words = ["good", "bad", "dull", "fine", "great", "awful", "fun", "sad"];
        let text = words.join("\n\n");
        let options = CalibrationOptions { sequences: 5, ..Default::default() };
        let calibration = drawn(&text, &options);
        assert_eq!(calibration.used, CalibrationUsed { lines: 8, sequences: 5, tokens: 15, longest: 3 });
        let expected: Vec<_> = Random::new(0).sample(8, 5).into_iter().map(|i| demo().encode(words[i], true).unwrap()).collect();
        assert_eq!(calibration.sequences, expected);
        assert_ne!(calibration, drawn(&text, &CalibrationOptions { seed: 1, ..options.clone() }));
        assert_eq!(drawn(&text, &CalibrationOptions { sequences: 99, ..options }).used.sequences, 8);
    }

    #[test]
    fn labels_are_dropped_only_where_every_line_has_one() {
        let options = CalibrationOptions::default();
        let plain = drawn("a good film\na bad film", &options).sequences;
        assert_eq!(drawn("\u{feff}sentence\tlabel\r\na good film\t1\r\na bad film\tnegative\r\n", &options).sequences, plain);
    }

    #[test]
    fn labels_on_some_lines_only_are_refused() {
        let options = CalibrationOptions::default();
        for (text, labelled, bare) in [
            ("a good film\t1\na bad film", 1, 2),
            ("\na bad film\n\na good film\tPositive\nfine\t 0", 4, 2),
            ("sentence\tlabel\na good film\tx\nbad\ndull\nfun", 2, 3),
        ] {
            let message = message(text, &options);
            assert!(
                message.contains(&format!("line {bare} has no label, line {labelled} has one;")) && message.ends_with('.'),
                "{message}"
            );
        }
        // Text with tabs in it stays what it is.
        for text in [
            "a good\tfilm\na bad film",
            "chapter two\t17\na bad film",
            "a good film\t1\na bad film\na dull film",
            "a\tb c\na\t1\nfun\tfilm",
        ] {
            let expected: Vec<_> = text.lines().map(|line| demo().encode(line, true).unwrap()).collect();
            let found = drawn(text, &options);
            assert!(found.labels.is_none() && expected.iter().all(|line| found.sequences.contains(line)), "{text:?}");
        }
    }

    #[test]
    fn labels_stay_with_their_sequences() {
        let words = ["good", "\u{200b}", "bad", "dull", "fine"];
        let text: String = words.iter().enumerate().map(|(label, word)| format!("{word}\t{label}\n")).collect();
        let calibration = drawn(&text, &CalibrationOptions { seed: 3, ..Default::default() });
        let labels = calibration.labels.unwrap();
        assert_eq!((labels.len(), calibration.sequences.len()), (4, 4));
        assert!(!labels.is_sorted(), "the draw keeps the order, so that the test shows nothing");
        for ((line, label), sequence) in labels.iter().zip(&calibration.sequences) {
            let word = label.parse::<usize>().unwrap();
            assert_eq!((*line, sequence), (word + 1, &demo().encode(words[word], true).unwrap()));
        }
    }

    #[test]
    fn long_lines_are_cut_with_the_closing_token_kept() {
        let calibration = drawn(&"film ".repeat(300), &CalibrationOptions { length: 7, ..Default::default() });
        let film = demo().encode("film", false).unwrap()[0];
        assert_eq!(calibration.sequences, [[2, film, film, film, film, film, 3]]);
        assert_eq!(calibration.used.longest, 7);
    }

    #[test]
    fn a_line_without_tokens_is_replaced_by_another() {
        let options = CalibrationOptions { sequences: 2, ..Default::default() };
        let calibration = drawn("\u{200b}\ngood\n\u{7}\nbad\n\u{200b}", &options);
        assert_eq!((calibration.used.lines, calibration.used.sequences, calibration.used.tokens), (5, 2, 6));
    }

    #[test]
    fn says_what_is_wrong() {
        let options = CalibrationOptions::default();
        assert!(message("", &options).contains("text is empty"));
        assert!(message(" \n\t\r\n", &options).contains("text is empty"));
        assert!(message("\u{200b}\n\u{7}", &options).contains("no line with a token"));
        assert!(message("a", &CalibrationOptions { sequences: 0, ..options.clone() }).contains("sequences is 0"));
        assert!(message("a", &CalibrationOptions { length: 2, ..options.clone() }).contains("length is 2"));
        assert!(message("a", &CalibrationOptions { length: 513, ..options }).contains("only 512 positions"));
    }

    #[test]
    fn the_recipe_part_has_defaults_and_knows_its_fields() {
        let read = |text: &str| serde_json::from_str::<CalibrationOptions>(text);
        assert_eq!(read("{}").unwrap(), CalibrationOptions::default());
        assert_eq!(read(r#"{"source":"a.txt","length":64}"#).unwrap().length, 64);
        assert!(read(r#"{"sequence":3}"#).unwrap_err().to_string().contains("sequence"));
    }
}
