//! What a row is known by: a digest of everything that decides about it.

use crate::base::Result;
use crate::checkpoint::Checkpoint;
use crate::job::{Inputs, Model, text_of};
use crate::recipe::Recipe;

/// FNV-1a of 128 bits (Fowler, Noll and Vo). It tells inputs apart that nobody chose to collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(u128);

impl Digest {
    pub(super) fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// Adds a part, with its length, so that parts cannot run into each other.
    pub(super) fn part(self, bytes: &[u8]) -> Self {
        self.bytes(&(bytes.len() as u64).to_le_bytes()).bytes(bytes)
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        Self(bytes.iter().fold(self.0, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
    }

    fn hex(self) -> String {
        format!("{:032x}", self.0)
    }
}

/// Bytes of every tensor that are looked at: two models of one shape hardly agree in all of them.
const SAMPLE: u64 = 64;

/// The model: its config, and every tensor's name, type, shape and first bytes.
pub(super) async fn of_model(model: &Model) -> Result<Digest> {
    let digest = Digest::new().part(model.folder.text("config.json").await?.as_bytes());
    of_tensors(digest, &model.checkpoint).await
}

async fn of_tensors(mut digest: Digest, checkpoint: &Checkpoint) -> Result<Digest> {
    let mut entries: Vec<_> = checkpoint.entries().collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        digest = digest.part(entry.name.as_bytes()).part(entry.dtype.name().as_bytes());
        digest = entry.shape.iter().fold(digest, |digest, length| digest.bytes(&length.to_le_bytes()));
        let end = entry.range.end.min(entry.range.start + SAMPLE);
        digest = digest.part(&entry.source.read(entry.range.start..end).await?);
    }
    Ok(digest)
}

/// Texts by their contents.
pub(super) fn of_texts(inputs: &Inputs) -> Digest {
    let part = |digest: Digest, text: &Option<String>| match text {
        Some(text) => digest.part(text.as_bytes()),
        None => digest.bytes(&[0xff]),
    };
    [&inputs.calibration, &inputs.evaluation, &inputs.plan].into_iter().fold(Digest::new(), part)
}

/// A recipe on a model over texts, by this version of Coppice. Where the texts lie does not count.
pub(super) fn of_row(model: Digest, texts: Digest, recipe: &Recipe) -> Result<String> {
    let mut recipe = recipe.clone();
    recipe.calibration.source = None;
    if let Some(evaluation) = &mut recipe.evaluation {
        evaluation.source = None;
    }
    let (model, texts) = (model.hex(), texts.hex());
    let parts = [env!("CARGO_PKG_VERSION"), &model, &texts, &text_of(&recipe)?];
    Ok(parts.iter().fold(Digest::new(), |digest, part| digest.part(part.as_bytes())).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_hash() {
        // FNV-1a of "a" and "foobar", 128 bits, from the authors' test vectors.
        assert_eq!(Digest::new().bytes(b"a").hex(), "d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(Digest::new().bytes(b"foobar").hex(), "343e1662793c64bf6f0d3597ba446f18");
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let of = |calibration: Option<&str>, evaluation: Option<&str>| {
            of_texts(&Inputs { calibration: calibration.map(str::to_owned), evaluation: evaluation.map(str::to_owned), plan: None })
        };
        let all = [of(Some("ab"), None), of(Some("a"), Some("b")), of(None, Some("ab")), of(Some("ab"), Some("")), of(None, None)];
        for (index, one) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other != one));
        }
    }

    #[test]
    fn places_of_texts_do_not_count_and_settings_do() {
        let key = |text: &str| of_row(Digest::new(), Digest::new(), &Recipe::parse(text).unwrap()).unwrap();
        let with = |source: &str, ratio: f64| {
            key(&format!(
                r#"{{"version": 1, "calibration": {{"source": "{source}"}}, "method": {{"kind": "structured", "ratio": {ratio}}}}}"#
            ))
        };
        assert_eq!(with("a.txt", 0.5), with("b/a.txt", 0.5));
        assert_ne!(with("a.txt", 0.5), with("a.txt", 0.4));
        // Defaults are filled in before.
        assert_eq!(
            with("a.txt", 0.5),
            key(r#"{"version": 1, "calibration": {"seed": 0}, "method": {"ratio": 0.5, "criterion": "flap", "kind": "structured"}}"#)
        );
    }
}
