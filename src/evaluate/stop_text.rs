//! Strings that end a text, found while it comes in pieces.

/// Holds back what may be the start of a stop string.
#[derive(Debug, Default)]
pub(super) struct StopText {
    stops: Vec<String>,
    held: String,
}

impl StopText {
    /// A watch for any of `stops`; empty ones are ignored.
    pub(super) fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Takes the next piece; gives the text that is certain, and whether a stop string came: then the text ends before it.
    pub(super) fn push(&mut self, piece: &str) -> (String, bool) {
        self.held.push_str(piece);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            return (self.finish(), true);
        }
        let may_begin = |at: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[*at..]));
        let certain = self.held.char_indices().map(|(at, _)| at).find(may_begin).unwrap_or(self.held.len());
        let rest = self.held.split_off(certain);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What is held back, where the text ends.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut watch = StopText::new(&stops.iter().map(|&stop| stop.to_owned()).collect::<Vec<_>>());
        let mut out = Vec::new();
        for piece in pieces {
            let (text, stopped) = watch.push(piece);
            out.push(text);
            if stopped {
                return (out, true);
            }
        }
        out.push(watch.finish());
        (out, false)
    }

    #[test]
    fn text_ends_before_a_stop_string() {
        assert_eq!(run(&["\n\n"], &["a\n", "b", "\n", "\nc"]), (vec!["a".into(), "\nb".into(), String::new(), String::new()], true));
        assert_eq!(run(&["end", "b"], &["a b end"]), (vec!["a ".into()], true));
        assert_eq!(run(&["aab"], &["a", "a", "a", "b"]), (vec![String::new(), String::new(), "a".into(), String::new()], true));
    }

    #[test]
    fn what_might_have_been_one_is_given_back() {
        assert_eq!(run(&["end"], &["the e", "n"]), (vec!["the ".into(), String::new(), "en".into()], false));
        assert_eq!(
            run(&["\u{4f60}\u{597d}"], &["\u{4f60}", "\u{4f60}"]),
            (vec![String::new(), "\u{4f60}".into(), "\u{4f60}".into()], false)
        );
        assert_eq!(run(&["", ""], &["a"]), (vec!["a".into(), String::new()], false));
    }
}
