//! Lines of a text file that people made: byte-order mark, CRLF and blank lines are not their fault.

/// The non-blank lines with their numbers (from 1), without line ends and without a byte-order mark.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.strip_suffix('\r').unwrap_or(line)))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// A line as `sentence<TAB>label`: cut at the last tab, where what follows it is one word; `None` where the line has another shape.
pub(super) fn labelled(line: &str) -> Option<(&str, &str)> {
    let (sentence, label) = line.rsplit_once('\t')?;
    let label = label.trim();
    let one_word = !label.is_empty() && !label.contains(char::is_whitespace);
    (one_word && !sentence.trim().is_empty()).then_some((sentence, label))
}

/// Whether a first line is the header that GLUE's files carry.
pub(super) fn is_header(line: &str) -> bool {
    labelled(line) == Some(("sentence", "label"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_blank_lines_and_foreign_line_ends() {
        let lines: Vec<_> = numbered("\u{feff}a\r\n\r\n \t \nb\n\nc").collect();
        assert_eq!(lines, [(1, "a"), (4, "b"), (6, "c")]);
    }

    #[test]
    fn a_label_is_one_word_after_the_last_tab() {
        assert_eq!(labelled("a\tb c\t1 "), Some(("a\tb c", "1")));
        assert_eq!(labelled("a\tpositive"), Some(("a", "positive")));
        assert_eq!(labelled("a\tb c"), None);
        assert_eq!(labelled("a\t"), None);
        assert_eq!(labelled("\t1"), None);
        assert_eq!(labelled("a 1"), None);
        assert!(is_header("sentence\tlabel"));
    }
}
