//! Names of tensors where layers are removed: those that stay are counted anew.

use crate::allocate::Plan;
use crate::model::Architecture;

/// Where the layers of the input go.
pub(super) struct Names<'a> {
    /// What names of layers begin with.
    blocks: &'a str,
    /// New index of each layer; nothing where it is removed.
    places: Vec<Option<usize>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(architecture: &'a Architecture, plan: &Plan) -> Self {
        let mut next = 0;
        let place = |removed: bool| {
            (!removed).then(|| {
                next += 1;
                next - 1
            })
        };
        Self { blocks: &architecture.blocks, places: plan.layers.iter().map(|layer| layer.is_removed()).map(place).collect() }
    }

    /// The name in the output of a tensor of the input, known or not; nothing where its layer is removed.
    pub(super) fn of(&self, name: &str) -> Option<String> {
        let layer = name.strip_prefix(self.blocks).and_then(|rest| rest.split_once('.'));
        let place = layer.and_then(|(index, rest)| Some((self.places.get(index.parse::<usize>().ok()?)?, rest)));
        match place {
            Some((Some(index), rest)) => Some(format!("{}{index}.{rest}", self.blocks)),
            Some((None, _)) => None,
            None => Some(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::LayerPlan;
    use crate::model::testing::{TinyBert, open};

    #[test]
    fn layers_are_counted_anew() {
        let architecture = open(TinyBert { layers: 4, ..TinyBert::default() }.folder()).architecture;
        let mut plan = Plan::dense(&architecture);
        plan.layers[0] = LayerPlan::removed();
        plan.layers[2] = LayerPlan::removed();
        let names = Names::new(&architecture, &plan);
        let at = |index: usize| format!("bert.encoder.layer.{index}.output.dense.weight");
        assert_eq!([0, 1, 2, 3].map(|i| names.of(&at(i))), [None, Some(at(0)), None, Some(at(1))]);
        // Nothing that is no layer of the config is touched.
        for other in ["bert.embeddings.word_embeddings.weight", "bert.encoder.layer.x.weight", "bert.encoder.layer.7.weight"] {
            assert_eq!(names.of(other).as_deref(), Some(other));
        }
    }
}
