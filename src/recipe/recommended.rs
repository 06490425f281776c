//! What to try first on a model: the label-free recipe that did best on development data (docs/RESULTS.md).

use super::{RepairRecipe, Structured};
use crate::model::Architecture;
use serde::Serialize;

/// A recipe for a family, as far as it does not depend on the person's texts and output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommended {
    /// Criterion, allocation and repair.
    pub method: Structured,
    /// Calibration sequences that the figures were made with; fewer do, at a price.
    pub sequences: usize,
    /// Most tokens in each.
    pub length: usize,
}

/// The recommended recipe of a model. Encoders read short sentences, and have too few tokens for what an error-aware repair fits;
/// decoders have enough of them, and drift more.
pub fn recommended(architecture: &Architecture) -> Recommended {
    let (sequences, length) = if architecture.causal { (512, 256) } else { (2048, 128) };
    let repair = RepairRecipe { error_aware: architecture.causal, ..RepairRecipe::default() };
    let method = Structured { criterion: "osscar".to_owned(), repair, ..Structured::default() };
    Recommended { method, sequences, length: length.min(architecture.positions) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{TinyBert, open};
    use crate::recipe::{Method, Recipe};
    use serde_json::json;

    #[test]
    fn it_is_a_legal_recipe() {
        let found = recommended(&open(TinyBert::default().folder()).architecture);
        let mut method = serde_json::to_value(&found.method).unwrap();
        method["kind"] = json!("structured");
        let calibration = json!({ "sequences": found.sequences, "length": found.length });
        let recipe = Recipe::from_value(json!({ "version": 1, "calibration": calibration, "method": method })).unwrap();
        assert_eq!(recipe.method, Method::Structured(found.method));
    }
}
