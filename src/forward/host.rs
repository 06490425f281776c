//! The weights of a block on the host, in the bits of the file: what is read, sliced, repaired and written.

use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Dtype, Layout, Matrix, decode, encode};
use crate::model::{Layer, Linear, Unit};
use futures_util::future::{join3, join5};
use std::rc::Rc;

/// A linear layer on the host.
#[derive(Debug, Clone)]
pub struct HostLinear {
    /// The weight, as the file stores it.
    pub weight: Matrix,
    /// The bias as a column, [outputs, 1], where the layer has one.
    pub bias: Option<Matrix>,
    /// What comes before and beside it, where the layer is factored: then the weight is U, [outputs, rank], and the layer gives U V x + S x.
    pub factor: Option<HostFactor>,
}

/// The matrices of a factored layer that read its input.
#[derive(Debug, Clone)]
pub struct HostFactor {
    /// V, [rank, inputs]; layers that share it have the same.
    pub inner: Rc<Matrix>,
    /// S, [outputs, inputs], all zeros but for single weights.
    pub singles: Option<Matrix>,
}

impl HostFactor {
    /// Whether both read the same V.
    pub fn shares(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.inner, &other.inner)
    }
}

impl HostLinear {
    /// Reads a linear layer.
    pub async fn read(checkpoint: &Checkpoint, linear: &Linear) -> Result<Self> {
        let stored = Self::stored(checkpoint, linear).await?;
        Ok(match linear.fused_at {
            Some(start) => stored.part(start, linear.outputs),
            None => stored,
        })
    }

    /// Reads the tensors of a linear layer, which may hold others beside it.
    async fn stored(checkpoint: &Checkpoint, linear: &Linear) -> Result<Self> {
        let bias = async {
            match &linear.bias {
                Some(name) => column(checkpoint, name).await.map(Some),
                None => Ok(None),
            }
        };
        let factor = async {
            let Some(factor) = &linear.factor else { return Ok::<_, Error>(None) };
            let inner = Rc::new(checkpoint.matrix(&factor.weight, Layout::OutIn).await?);
            let singles = match &factor.singles {
                Some(singles) => Some(checkpoint.matrix(&singles.weight, Layout::OutIn).await?),
                None => None,
            };
            Ok(Some(HostFactor { inner, singles }))
        };
        let (bias, factor, weight) = join3(bias, factor, checkpoint.matrix(&linear.weight, linear.layout)).await;
        Ok(Self { bias: bias?, weight: weight?, factor: factor? })
    }

    /// Reads vectors of a normalisation, as columns.
    pub(super) async fn read_columns(checkpoint: &Checkpoint, gain: &str, bias: Option<&str>) -> Result<Self> {
        let bias = match bias {
            Some(name) => Some(column(checkpoint, name).await?),
            None => None,
        };
        Ok(Self { weight: column(checkpoint, gain).await?, bias, factor: None })
    }

    /// Layers with the same input as one, outputs after outputs; in f32 where their dtypes differ. All have biases, or none is
    /// kept.
    ///
    /// # Errors
    /// Their inputs or layouts differ, or some are factored and do not share V.
    pub fn join(parts: &[&Self]) -> Result<Self> {
        let dtypes = |part: &Self| (part.weight.dtype, part.bias.as_ref().map(|bias| bias.dtype));
        if parts.iter().any(|part| part.factor.is_some()) && !Self::share(parts) {
            return Err(Error::internal("a join of factored layers"));
        }
        let alike = parts.windows(2).all(|pair| dtypes(pair[0]) == dtypes(pair[1]));
        if !alike {
            let wide: Vec<Self> = parts.iter().map(|part| part.converted(|_| Dtype::F32)).collect::<Result<_>>()?;
            return Self::join_alike(&wide.iter().collect::<Vec<_>>());
        }
        Self::join_alike(parts)
    }

    fn join_alike(parts: &[&Self]) -> Result<Self> {
        let weights: Vec<&Matrix> = parts.iter().map(|part| &part.weight).collect();
        let biases: Option<Vec<&Matrix>> = parts.iter().map(|part| part.bias.as_ref()).collect();
        let bias = biases.map(|biases| Matrix::join_outputs(&biases)).transpose()?;
        let factor = match parts.first().and_then(|part| part.factor.as_ref()) {
            Some(HostFactor { inner, .. }) => {
                let singles: Option<Vec<&Matrix>> =
                    parts.iter().map(|part| part.factor.as_ref().and_then(|factor| factor.singles.as_ref())).collect();
                let singles = singles.map(|singles| Matrix::join_outputs(&singles)).transpose()?;
                Some(HostFactor { inner: inner.clone(), singles })
            }
            None => None,
        };
        Ok(Self { weight: Matrix::join_outputs(&weights)?, bias, factor })
    }

    /// Whether all of these layers read the same V.
    pub fn share(parts: &[&Self]) -> bool {
        let factors: Option<Vec<&HostFactor>> = parts.iter().map(|part| part.factor.as_ref()).collect();
        factors.is_some_and(|factors| factors.windows(2).all(|pair| pair[0].shares(pair[1])))
    }

    /// One of the layers that lie side by side in the same tensors: its first output there, and how many it has.
    fn part(&self, start: usize, outputs: usize) -> Self {
        self.keep_outputs(&(start as u32..(start + outputs) as u32).collect::<Vec<_>>())
    }

    /// Only these outputs: rows of the logical [out, in] matrix and entries of the bias.
    pub fn keep_outputs(&self, indices: &[u32]) -> Self {
        let bias = self.bias.as_ref().map(|bias| bias.keep_outputs(indices));
        let factor = self.factor.as_ref().map(|factor| HostFactor {
            inner: factor.inner.clone(),
            singles: factor.singles.as_ref().map(|singles| singles.keep_outputs(indices)),
        });
        Self { weight: self.weight.keep_outputs(indices), bias, factor }
    }

    /// Only these inputs; the bias stays.
    pub fn keep_inputs(&self, indices: &[u32]) -> Self {
        match &self.factor {
            Some(factor) => {
                let singles = factor.singles.as_ref().map(|singles| singles.keep_inputs(indices));
                Self { factor: Some(HostFactor { inner: Rc::new(factor.inner.keep_inputs(indices)), singles }), ..self.clone() }
            }
            None => Self { weight: self.weight.keep_inputs(indices), bias: self.bias.clone(), factor: None },
        }
    }

    /// The layer in other dtypes: `dtype` gives the one for each that a tensor has.
    ///
    /// # Errors
    /// A value does not fit; the message names the dtypes.
    pub fn converted(&self, dtype: impl Fn(Dtype) -> Dtype) -> Result<Self> {
        let convert = |matrix: &Matrix| -> Result<Matrix> {
            let wanted = dtype(matrix.dtype);
            if wanted == matrix.dtype {
                return Ok(matrix.clone());
            }
            let encoded = encode(wanted, &decode(matrix.dtype, &matrix.bytes)?);
            if encoded.overflowed > 0 {
                return Err(Error::recipe(format!(
                    "{} weights are too large for output.dtype {}; choose bf16, f32 or same.",
                    encoded.overflowed,
                    wanted.name().to_lowercase()
                )));
            }
            Ok(Matrix { dtype: wanted, bytes: encoded.bytes, ..matrix.clone() })
        };
        let factor = match &self.factor {
            Some(HostFactor { inner, singles }) => {
                // What is shared stays shared where nothing changes.
                let inner = if dtype(inner.dtype) == inner.dtype { inner.clone() } else { Rc::new(convert(inner)?) };
                Some(HostFactor { inner, singles: singles.as_ref().map(convert).transpose()? })
            }
            None => None,
        };
        Ok(Self { weight: convert(&self.weight)?, bias: self.bias.as_ref().map(convert).transpose()?, factor })
    }

    /// Values of the bias, zeros where there is none.
    pub fn bias_values(&self) -> Result<Vec<f32>> {
        match &self.bias {
            Some(bias) => decode(bias.dtype, &bias.bytes),
            None => Ok(vec![0.0; self.weight.outputs()]),
        }
    }
}

/// A vector of the file as a one-column matrix, so that slicing outputs slices it too.
async fn column(checkpoint: &Checkpoint, name: &str) -> Result<Matrix> {
    let entry = checkpoint.require(name)?;
    let bytes = entry.source.read(entry.range.clone()).await?;
    let rows = usize::try_from(entry.shape.iter().product::<u64>()).map_err(|_| Error::memory(format!("Tensor {name} is too large.")))?;
    Ok(Matrix { rows, cols: 1, dtype: entry.dtype, layout: Layout::OutIn, bytes })
}

/// The linear layers of a block on the host.
#[derive(Debug, Clone)]
pub struct HostLayer {
    /// Query projection.
    pub query: HostLinear,
    /// Key projection.
    pub key: HostLinear,
    /// Value projection.
    pub value: HostLinear,
    /// Attention output projection.
    pub attention_output: HostLinear,
    /// Gate of a gated FFN.
    pub ffn_gate: Option<HostLinear>,
    /// First FFN matrix.
    pub ffn_input: HostLinear,
    /// Second FFN matrix.
    pub ffn_output: HostLinear,
}

impl HostLayer {
    /// Reads the linear layers of a block, all at the same time; a tensor that several share is read once.
    pub async fn read(checkpoint: &Checkpoint, layer: &Layer) -> Result<Self> {
        let gate = async {
            match &layer.ffn_gate {
                Some(gate) => HostLinear::read(checkpoint, gate).await.map(Some),
                None => Ok(None),
            }
        };
        let (attention, attention_output, ffn_gate, ffn_input, ffn_output) = join5(
            Self::read_attention(checkpoint, layer),
            HostLinear::read(checkpoint, &layer.attention_output),
            gate,
            HostLinear::read(checkpoint, &layer.ffn_input),
            HostLinear::read(checkpoint, &layer.ffn_output),
        )
        .await;
        let (query, key, value) = attention?;
        let mut host = Self {
            query,
            key,
            value,
            attention_output: attention_output?,
            ffn_gate: ffn_gate?,
            ffn_input: ffn_input?,
            ffn_output: ffn_output?,
        };
        let names: Vec<Option<&str>> =
            layer.linears().iter().map(|linear| linear.factor.as_ref().map(|factor| factor.weight.as_str())).collect();
        host.share(|first, second| names[first] == names[second]);
        Ok(host)
    }

    /// Lets linear layers have one V in common with the first one before them that has the same, by their places.
    fn share(&mut self, same: impl Fn(usize, usize) -> bool) {
        let mut linears = self.linears_mut();
        for second in 1..linears.len() {
            let (before, after) = linears.split_at_mut(second);
            let first = before.iter().enumerate().find(|&(first, _)| same(first, second)).and_then(|(_, linear)| linear.factor.as_ref());
            if let (Some(factor), Some(first)) = (after.first_mut().and_then(|linear| linear.factor.as_mut()), first) {
                factor.inner = first.inner.clone();
            }
        }
    }

    /// The place of the first linear layer that reads the same V as the one at a place, where that is another.
    pub fn shared_with(&self, place: usize) -> Option<usize> {
        let linears = self.linears();
        let factor = linears.get(place)?.factor.as_ref()?;
        linears[..place].iter().position(|other| other.factor.as_ref().is_some_and(|other| other.shares(factor)))
    }

    /// Query, key and value.
    async fn read_attention(checkpoint: &Checkpoint, layer: &Layer) -> Result<(HostLinear, HostLinear, HostLinear)> {
        let (query, key, value) = (&layer.query, &layer.key, &layer.value);
        let shared = [key, value].iter().all(|other| (&other.weight, &other.bias) == (&query.weight, &query.bias));
        if let (true, Some(q), Some(k), Some(v)) = (shared, query.fused_at, key.fused_at, value.fused_at) {
            let fused = HostLinear::stored(checkpoint, query).await?;
            return Ok((fused.part(q, query.outputs), fused.part(k, key.outputs), fused.part(v, value.outputs)));
        }
        let read = |linear| HostLinear::read(checkpoint, linear);
        let (query, key, value) = join3(read(query), read(key), read(value)).await;
        Ok((query?, key?, value?))
    }

    /// The linear layers in the order of [`Layer::linears`].
    pub fn linears(&self) -> Vec<&HostLinear> {
        let mut linears = vec![&self.query, &self.key, &self.value, &self.attention_output];
        linears.extend(&self.ffn_gate);
        linears.extend([&self.ffn_input, &self.ffn_output]);
        linears
    }

    /// The same, to change.
    pub fn linears_mut(&mut self) -> Vec<&mut HostLinear> {
        let mut linears = vec![&mut self.query, &mut self.key, &mut self.value, &mut self.attention_output];
        linears.extend(&mut self.ffn_gate);
        linears.extend([&mut self.ffn_input, &mut self.ffn_output]);
        linears
    }

    /// The layers that read the residual stream on the way to units of a kind: q, k and v; gate and first FFN matrix.
    pub fn readers(&self, unit: Unit) -> Vec<&HostLinear> {
        match unit {
            Unit::Heads => vec![&self.query, &self.key, &self.value],
            Unit::Neurons => self.ffn_gate.iter().chain([&self.ffn_input]).collect(),
        }
    }

    /// The same, to change.
    pub fn readers_mut(&mut self, unit: Unit) -> Vec<&mut HostLinear> {
        match unit {
            Unit::Heads => vec![&mut self.query, &mut self.key, &mut self.value],
            Unit::Neurons => self.ffn_gate.iter_mut().chain([&mut self.ffn_input]).collect(),
        }
    }

    /// Fails where a value is infinite or not a number.
    ///
    /// # Errors
    /// The message names the tensor.
    pub fn check_finite(&self, layer: &Layer) -> Result<()> {
        for (host, linear) in self.linears().into_iter().zip(layer.linears()) {
            let inner = host.factor.iter().map(|factor| factor.inner.as_ref()).zip(linear.factor.as_ref().map(|factor| &factor.weight));
            let singles = host.factor.iter().filter_map(|factor| factor.singles.as_ref());
            let names = linear.factor.iter().filter_map(|factor| factor.singles.as_ref()).map(|singles| &singles.weight);
            let others = host.bias.iter().zip(&linear.bias).chain(inner).chain(singles.zip(names));
            if let Some((_, name)) = [(&host.weight, &linear.weight)].into_iter().chain(others).find(|(matrix, _)| !matrix.is_finite()) {
                return Err(Error::input(format!(
                    "Tensor {name} holds values that are not finite; its weights are damaged, download the model again."
                )));
            }
        }
        Ok(())
    }

    /// Bytes of weights and biases.
    pub fn bytes(&self) -> u64 {
        let size = |(place, linear): (usize, &HostLinear)| {
            let factor = linear.factor.as_ref();
            let inner = factor.filter(|_| self.shared_with(place).is_none()).map(|factor| factor.inner.as_ref());
            let others = linear.bias.iter().chain(inner).chain(factor.and_then(|factor| factor.singles.as_ref()));
            (linear.weight.bytes.len() + others.map(|matrix| matrix.bytes.len()).sum::<usize>()) as u64
        };
        self.linears().into_iter().enumerate().map(size).sum()
    }
}

impl HostLayer {
    /// The block with only these units of attention (key/value heads with the query heads that read them) and these neurons;
    /// every bit kept.
    pub fn keep(&self, layer: &Layer, heads: &[u32], neurons: &[u32]) -> Self {
        let spread = |size: usize| -> Vec<u32> { heads.iter().flat_map(|&unit| unit * size as u32..(unit + 1) * size as u32).collect() };
        let (query, key) = (spread(layer.unit_size(Unit::Heads)), spread(layer.head_dim));
        Self {
            query: self.query.keep_outputs(&query),
            key: self.key.keep_outputs(&key),
            value: self.value.keep_outputs(&key),
            attention_output: self.attention_output.keep_inputs(&query),
            ffn_gate: self.ffn_gate.as_ref().map(|gate| gate.keep_outputs(neurons)),
            ffn_input: self.ffn_input.keep_outputs(neurons),
            ffn_output: self.ffn_output.keep_inputs(neurons),
        }
    }

    /// The block in a residual stream of only these channels; every bit kept.
    pub fn keep_hidden(&self, channels: &[u32]) -> Self {
        Self {
            query: self.query.keep_inputs(channels),
            key: self.key.keep_inputs(channels),
            value: self.value.keep_inputs(channels),
            attention_output: self.attention_output.keep_outputs(channels),
            ffn_gate: self.ffn_gate.as_ref().map(|gate| gate.keep_inputs(channels)),
            ffn_input: self.ffn_input.keep_inputs(channels),
            ffn_output: self.ffn_output.keep_outputs(channels),
        }
    }

    /// The block in other dtypes, as [`HostLinear::converted`].
    pub fn converted(&self, dtype: impl Fn(Dtype) -> Dtype + Copy) -> Result<Self> {
        let mut host = Self {
            query: self.query.converted(dtype)?,
            key: self.key.converted(dtype)?,
            value: self.value.converted(dtype)?,
            attention_output: self.attention_output.converted(dtype)?,
            ffn_gate: self.ffn_gate.as_ref().map(|gate| gate.converted(dtype)).transpose()?,
            ffn_input: self.ffn_input.converted(dtype)?,
            ffn_output: self.ffn_output.converted(dtype)?,
        };
        host.share(|first, second| self.shared_with(second) == Some(first));
        Ok(host)
    }
}
