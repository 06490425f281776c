//! Looking tensors up, and checking their shapes against the config.

use super::{Config, Factor, Linear, Norm, RANKS_FIELD, Singles};
use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Layout};
use serde_json::Value;

/// The tensors of a checkpoint, by what a family expects of them.
pub(super) struct Shapes<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    config: &'a Config,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(config: &'a Config, checkpoint: &'a Checkpoint) -> Self {
        Self { checkpoint, config }
    }

    /// The factored layer whose first matrix the layer `at` reads too, where the config says that there is one.
    fn sharing(&self, at: &str) -> Option<&str> {
        self.config.get(RANKS_FIELD)?.get(at).and_then(Value::as_str)
    }

    /// Name of a tensor of this shape.
    fn named(&self, name: &str, shape: &[usize]) -> Result<String> {
        let entry = self.checkpoint.require(name)?;
        let expected: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        if entry.shape != expected {
            return Err(Error::input(format!(
                "Tensor {name} in {} has shape {:?} where config.json says {expected:?}; the weights and the config belong to different models.",
                entry.source.name(),
                entry.shape
            )));
        }
        if !entry.dtype.is_supported_float() {
            return Err(Error::input(format!(
                "Tensor {name} in {} is of type {}; Coppice computes with F32, F16 and BF16, so convert the model first.",
                entry.source.name(),
                entry.dtype.name()
            )));
        }
        Ok(name.to_owned())
    }

    /// A [rows, cols] table.
    pub(super) fn table(&self, name: &str, rows: usize, cols: usize) -> Result<String> {
        self.named(name, &[rows, cols])
    }

    /// A vector.
    pub(super) fn vector(&self, name: &str, width: usize) -> Result<String> {
        self.named(name, &[width])
    }

    /// `at.weight`, [outputs, inputs], with `at.bias` where the family, or the config, says that there is one.
    pub(super) fn linear(&self, at: &str, outputs: usize, inputs: usize, biased: bool) -> Result<Linear> {
        let bias = format!("{at}.bias");
        if !biased && self.has(&bias) {
            return Err(Error::input(format!(
                "Tensor {bias} is there, but config.json says that this layer has no bias; the weights and the config belong to different models."
            )));
        }
        if let Some(factored) = self.factored(at, outputs, inputs, biased)? {
            return Ok(factored);
        }
        Ok(Linear {
            weight: self.table(&format!("{at}.weight"), outputs, inputs)?,
            bias: biased.then(|| self.vector(&bias, outputs)).transpose()?,
            layout: Layout::OutIn,
            outputs,
            inputs,
            factor: None,
            fused_at: None,
        })
    }

    /// `at.v.weight`, [rank, inputs], or that of the layer that it shares it with, and `at.u.weight`, [outputs, rank], with `at.u.bias`
    /// and perhaps `at.s.weight`, [outputs, inputs], where they are there in place of `at.weight`.
    fn factored(&self, at: &str, outputs: usize, inputs: usize, biased: bool) -> Result<Option<Linear>> {
        let sharing = self.sharing(at);
        let v = format!("{}.v.weight", sharing.unwrap_or(at));
        let [u, s, bias] = ["u.weight", "s.weight", "u.bias"].map(|end| format!("{at}.{end}"));
        if self.has(&format!("{at}.weight")) || !self.has(&u) {
            return Ok(None);
        }
        let singles = match self.checkpoint.get(&s) {
            Some(entry) => Some(Singles { kept: entry.kept(), weight: self.table(&s, outputs, inputs)? }),
            None => None,
        };
        let rank = self.checkpoint.require(&v)?.shape.first().map_or(0, |&rank| rank as usize);
        Ok(Some(Linear {
            weight: self.table(&u, outputs, rank)?,
            bias: biased.then(|| self.vector(&bias, outputs)).transpose()?,
            layout: Layout::OutIn,
            outputs,
            inputs,
            factor: Some(Factor { weight: self.table(&v, rank, inputs)?, rank, shared: sharing.is_some(), singles }),
            fused_at: None,
        }))
    }
}

impl Shapes<'_> {
    /// `at.weight`, [inputs, outputs] as Conv1D stores it, with its bias.
    pub(super) fn conv1d(&self, at: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        if let Some(factored) = self.factored(at, outputs, inputs, true)? {
            return Ok(factored);
        }
        Ok(Linear {
            weight: self.table(&format!("{at}.weight"), inputs, outputs)?,
            bias: Some(self.vector(&format!("{at}.bias"), outputs)?),
            layout: Layout::InOut,
            outputs,
            inputs,
            factor: None,
            fused_at: None,
        })
    }

    /// Query, key and value, each of `width` outputs: side by side in `at.weight`, or, where one of them is factored, in tensors of their
    /// own, `at.q`, `at.k` and `at.v`, as `nn.Linear` stores them.
    pub(super) fn fused(&self, at: &str, width: usize, inputs: usize) -> Result<[Linear; 3]> {
        if !self.has(&format!("{at}.weight")) && ["weight", "v.weight"].iter().any(|end| self.has(&format!("{at}.q.{end}"))) {
            let part = |name: &str| self.linear(&format!("{at}.{name}"), width, inputs, true);
            return Ok([part("q")?, part("k")?, part("v")?]);
        }
        let fused = self.conv1d(at, 3 * width, inputs)?;
        Ok([0, 1, 2].map(|place| Linear {
            outputs: width,
            fused_at: Some(place * width),
            factor: fused.factor.as_ref().map(|factor| if place == 0 { factor.clone() } else { factor.counted() }),
            ..fused.clone()
        }))
    }

    /// A layer normalisation, `at.weight` and `at.bias`.
    pub(super) fn layer_norm(&self, at: &str, width: usize) -> Result<Norm> {
        Ok(Norm { gain: self.vector(&format!("{at}.weight"), width)?, bias: Some(self.vector(&format!("{at}.bias"), width)?) })
    }

    /// A root-mean-square normalisation, `at.weight`.
    pub(super) fn rms_norm(&self, at: &str, width: usize) -> Result<Norm> {
        Ok(Norm { gain: self.vector(&format!("{at}.weight"), width)?, bias: None })
    }

    /// Whether there is such a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.checkpoint.get(name).is_some()
    }

    /// The decoder of a causal language model: its own tensor where the file has it, whatever the config says of ties (as in
    /// Transformers), else the token table where the two are tied.
    pub(super) fn decoder(&self, name: &str, tokens: &str, tied: bool, vocabulary: usize, hidden: usize) -> Result<Linear> {
        let weight = if tied && !self.has(name) { tokens } else { name };
        Ok(Linear {
            weight: self.table(weight, vocabulary, hidden)?,
            bias: None,
            layout: Layout::OutIn,
            outputs: vocabulary,
            inputs: hidden,
            factor: None,
            fused_at: None,
        })
    }
}
