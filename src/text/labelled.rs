//! Labelled sentences, for accuracy.

use super::lines;
use crate::base::{Error, Result};

/// One labelled sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub sentence: String,
    /// Index of the class.
    pub label: usize,
}

/// Labelled sentences in the order of their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledSet {
    /// The examples, at least one.
    pub examples: Vec<Example>,
}

impl LabelledSet {
    /// Reads `sentence<TAB>label` lines. A label is the index of a class, or one of the model's label names (`names`, in the
    /// order of the classes; matched without regard to case where no name matches exactly). Blank lines and GLUE's header line
    /// are skipped; with `limit`, reading stops after so many examples. Where `names` is empty, any index is taken.
    ///
    /// Errors name the line.
    pub fn parse(text: &str, names: &[String], limit: Option<usize>) -> Result<Self> {
        if limit == Some(0) {
            return Err(Error::recipe("A limit of 0 examples leaves nothing to evaluate; ask for at least 1."));
        }
        let mut examples = Vec::new();
        for (number, line) in lines::numbered(text) {
            if examples.is_empty() && lines::is_header(line) {
                continue;
            }
            let Some((sentence, label)) = lines::labelled(line) else {
                return Err(Error::input(format!(
                    "Line {number} of the labelled data is not `sentence<TAB>label`; put one tab and one label behind the sentence."
                )));
            };
            let label = class(label, names).map_err(|what| Error::input(format!("Line {number} of the labelled data {what}.")))?;
            examples.push(Example { sentence: sentence.to_owned(), label });
            if limit.is_some_and(|limit| examples.len() >= limit) {
                break;
            }
        }
        if examples.is_empty() {
            return Err(Error::input("The labelled data has no `sentence<TAB>label` line; give a file with at least one."));
        }
        Ok(Self { examples })
    }
}

/// The class of each label, given with its line, by index or name (see [`LabelledSet::parse`]).
///
/// # Errors
/// A label is none of the model's; the message gives it, and its line.
pub fn classes(labels: &[(usize, String)], names: &[String]) -> Result<Vec<usize>> {
    let of = |(number, label): &(usize, String)| {
        class(label, names).map_err(|what| Error::input(format!("Line {number} of the calibration text {what}.")))
    };
    labels.iter().map(of).collect()
}

/// The class that a label means, or what is wrong with it.
fn class(label: &str, names: &[String]) -> std::result::Result<usize, String> {
    if let Ok(index) = label.parse::<usize>() {
        if names.is_empty() || index < names.len() {
            return Ok(index);
        }
        return Err(format!(
            "has the label \"{label}\", but the model's classes are 0 to {}; give the data of this model's task",
            names.len() - 1
        ));
    }
    let exact = names.iter().position(|name| name == label);
    let found = exact.or_else(|| names.iter().position(|name| name.eq_ignore_ascii_case(label)));
    found.ok_or_else(|| match names {
        [] => format!("has the label \"{label}\", and the model gives its classes no names; use whole numbers from 0"),
        _ => {
            format!(
                "has the label \"{label}\", which is none of the model's ({}); use those names or whole numbers from 0",
                names.join(", ")
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["negative".into(), "positive".into()]
    }

    fn labels(text: &str, limit: Option<usize>) -> Vec<(String, usize)> {
        LabelledSet::parse(text, &names(), limit).unwrap().examples.into_iter().map(|e| (e.sentence, e.label)).collect()
    }

    fn message(text: &str) -> String {
        LabelledSet::parse(text, &names(), None).unwrap_err().to_string()
    }

    #[test]
    fn reads_numbers_names_and_foreign_files() {
        let text = "\u{feff}sentence\tlabel\r\na film\t1\r\n\r\nb\tc\tNegative\r\nd \tpositive";
        assert_eq!(labels(text, None), [("a film".into(), 1), ("b\tc".into(), 0), ("d ".into(), 1)]);
        assert_eq!(labels(text, Some(2)).len(), 2);
        assert_eq!(LabelledSet::parse("a\t7", &[], None).unwrap().examples[0].label, 7);
    }

    #[test]
    fn the_demo_sentences_are_all_read() {
        let dev = labels(include_str!("../../www/data/sst2-dev.tsv"), None);
        assert_eq!((dev.len(), dev.iter().filter(|(_, label)| *label == 1).count()), (872, 444));
    }

    #[test]
    fn labels_of_a_calibration_text_are_understood() {
        assert_eq!(classes(&[(1, "1".into()), (2, "Negative".into())], &names()).unwrap(), [1, 0]);
        let message = classes(&[(1, "1".into()), (7, "2".into())], &names()).unwrap_err().to_string();
        assert!(message.starts_with("Line 7 of the calibration text has the label \"2\", but"), "{message}");
    }

    #[test]
    fn what_lies_behind_the_limit_is_not_read() {
        assert_eq!(labels("a\t1\nbroken", Some(1)).len(), 1);
    }

    #[test]
    fn errors_name_the_line() {
        assert!(message("a\t1\n\nno label here").starts_with("Line 3 of the labelled data is not"));
        assert!(message("a\t2").contains("Line 1 of the labelled data has the label \"2\", but the model's classes are 0 to 1"));
        assert!(message("a\t0.5").contains("has the label \"0.5\", which is none of the model's (negative, positive)"));
        assert!(message("a\t-1").contains("label \"-1\""));
        assert!(message("\n \n").contains("no `sentence<TAB>label` line"));
        assert!(LabelledSet::parse("a\tx", &[], None).unwrap_err().to_string().contains("gives its classes no names"));
        assert!(LabelledSet::parse("a\t1", &[], Some(0)).is_err());
    }
}
