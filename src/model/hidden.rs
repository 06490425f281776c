//! Which tensors have a side of the residual stream, and models with a narrower one.

use super::{Architecture, Head, Layer, Linear, Norm, Unit};
use crate::checkpoint::Checkpoint;
use std::collections::{BTreeMap, BTreeSet};

/// What lies along one side of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Something that stays whole.
    Whole,
    /// Channels of the residual stream.
    Hidden,
    /// Outputs of a classifier's first layer, of which stock configs have as many as channels.
    Pooled,
}

use Side::{Hidden, Pooled, Whole};

/// Sides of tensors as they are stored, rows and columns; a vector has rows only.
pub type Sides = BTreeMap<String, [Side; 2]>;

impl Architecture {
    /// All tensors with a side of the residual stream, beside the blocks' linear layers. Heads of other tasks are among them.
    pub fn hidden_sides(&self, checkpoint: &Checkpoint) -> Sides {
        let mut sides = Sides::new();
        let mut put = |name: &str, of: [Side; 2]| {
            sides.insert(name.to_owned(), of);
        };
        let embeddings = &self.embeddings;
        let tables = [Some(&embeddings.tokens), embeddings.positions.as_ref().map(|(name, _)| name), embeddings.token_types.as_ref()];
        tables.into_iter().flatten().for_each(|name| put(name, [Whole, Hidden]));
        for Norm { gain, bias } in self.norms() {
            put(gain, [Hidden, Whole]);
            bias.iter().for_each(|bias| put(bias, [Hidden, Whole]));
        }
        let mut linear = |linear: &Linear, [outputs, inputs]: [Side; 2]| {
            put(&linear.weight, [outputs, inputs]);
            linear.bias.iter().for_each(|bias| put(bias, [outputs, Whole]));
        };
        match &self.head {
            Head::None => {}
            Head::Classifier { pooler, classifier, .. } => {
                linear(pooler, [Pooled, Hidden]);
                linear(classifier, [Whole, Pooled]);
            }
            Head::CausalLm { decoder } => linear(decoder, [Whole, Hidden]),
            Head::MaskedLm { transform, decoder, .. } => {
                linear(transform, [Hidden, Hidden]);
                linear(decoder, [Whole, Hidden]);
            }
        }
        for (name, of) in self.passengers(checkpoint) {
            if let Some(of) = of {
                sides.entry(name.to_owned()).or_insert(of);
            }
        }
        sides
    }

    /// A tensor that nothing here computes with and of which it is not known which channels it reads.
    pub fn obscure_tensor<'a>(&self, checkpoint: &'a Checkpoint) -> Option<&'a str> {
        let known = self.hidden_sides(checkpoint);
        self.passengers(checkpoint).find(|(name, of)| of.is_none() && !known.contains_key(*name)).map(|(name, _)| name)
    }

    /// Tensors as wide as the residual stream that no block has: heads of other tasks read it, or a pooler of its width.
    fn passengers<'a>(&self, checkpoint: &'a Checkpoint) -> impl Iterator<Item = (&'a str, Option<[Side; 2]>)> {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let layers: BTreeSet<String> = linears.flat_map(|linear| linear.bias.iter().chain([&linear.weight])).cloned().collect();
        let hidden = self.hidden as u64;
        checkpoint.entries().filter(move |entry| entry.dtype.is_float() && !layers.contains(&entry.name)).filter_map(move |entry| {
            let pooler = entry.name.contains("pooler.dense.");
            match entry.shape[..] {
                [rows, cols] if pooler && rows == hidden && cols == hidden => Some((entry.name.as_str(), Some([Hidden, Hidden]))),
                [rows] if pooler && rows == hidden => Some((entry.name.as_str(), Some([Hidden, Whole]))),
                [rows, cols] if cols == hidden && rows != hidden => Some((entry.name.as_str(), Some([Whole, Hidden]))),
                [rows, cols] if rows == hidden || cols == hidden => Some((entry.name.as_str(), None)),
                [rows] if rows == hidden => Some((entry.name.as_str(), None)),
                _ => None,
            }
        })
    }

    /// Every normalisation.
    fn norms(&self) -> impl Iterator<Item = &Norm> {
        let head = if let Head::MaskedLm { norm, .. } = &self.head { Some(norm) } else { None };
        let layers = self.layers.iter().flat_map(|layer| [&layer.attention_norm, &layer.ffn_norm]);
        self.embeddings.norm.iter().chain(layers).chain(&self.final_norm).chain(head)
    }

    /// The blocks in a residual stream of width `hidden`, with `heads` heads each where that is given: for counting, since no
    /// checkpoint has these tensors.
    pub fn narrowed(&self, hidden: usize, heads: Option<usize>) -> Self {
        let mut narrow = Self { hidden, ..self.clone() };
        for layer in &mut narrow.layers {
            let readers = [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.ffn_input];
            readers.into_iter().chain(&mut layer.ffn_gate).for_each(|linear| linear.inputs = hidden);
            [&mut layer.attention_output, &mut layer.ffn_output].into_iter().for_each(|linear| linear.outputs = hidden);
            let Some(heads) = heads else { continue };
            layer.heads = heads * layer.group();
            layer.kv_heads = heads;
            layer.query.outputs = layer.heads * layer.head_dim;
            layer.attention_output.inputs = layer.query.outputs;
            [&mut layer.key, &mut layer.value].into_iter().for_each(|linear| linear.outputs = heads * layer.head_dim);
        }
        narrow
    }

    /// Whether heads fill the residual stream in the configs of this family, so that none can go without the other.
    pub fn heads_fill_hidden(&self) -> bool {
        !self.stock_units.contains(&Unit::Heads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{TinyBert, Top, open};

    #[test]
    fn every_side_is_known() {
        for (top, head) in [
            (Top::None, ("pooler.dense.weight", [Hidden, Hidden])),
            (Top::Classifier(3), ("bert.pooler.dense.weight", [Pooled, Hidden])),
            (Top::MaskedLm, ("cls.predictions.transform.dense.weight", [Hidden, Hidden])),
        ] {
            // A width that no other side has.
            let model = open(TinyBert { hidden: 20, top, ..TinyBert::default() }.folder());
            let sides = model.architecture.hidden_sides(&model.checkpoint);
            assert_eq!(sides[head.0], head.1);
            assert_eq!(model.architecture.obscure_tensor(&model.checkpoint), None);
            let blocks: BTreeSet<String> = model
                .architecture
                .layers
                .iter()
                .flat_map(Layer::linears)
                .flat_map(|l| [Some(l.weight.clone()), l.bias.clone()])
                .flatten()
                .collect();
            for entry in model.checkpoint.entries() {
                let wide: Vec<bool> = entry.shape.iter().map(|&length| length == 20).collect();
                let told = sides.get(&entry.name).map_or([false; 2], |of| of.map(|side| side != Whole));
                assert!(blocks.contains(&entry.name) || told[..wide.len()] == wide, "{}", entry.name);
            }
        }
    }

    #[test]
    fn counts_follow_the_width() {
        let architecture = open(TinyBert::default().folder()).architecture;
        let narrow = architecture.narrowed(8, Some(2));
        let layer = 3 * (8 * 8 + 8) + (8 * 8 + 8) + (24 * 8 + 24) + (8 * 24 + 8);
        assert_eq!(narrow.linear_parameters(), 3 * layer);
        assert_eq!(architecture.narrowed(16, None), architecture);
    }
}
