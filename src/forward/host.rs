//! The weights of a block on the host, in the bits of the file: what is read, sliced, repaired and written.

use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Dtype, Layout, Matrix, decode, encode};
use crate::model::{Layer, Linear, Unit};
use futures_util::future::{join3, join5};

/// A linear layer on the host.
#[derive(Debug, Clone)]
pub struct HostLinear {
    /// The weight, as the file stores it.
    pub weight: Matrix,
    /// The bias as a column, [outputs, 1], where the layer has one.
    pub bias: Option<Matrix>,
    /// V, [rank, inputs], where the layer is factored: then the weight is U, [outputs, rank], and the layer gives U V x.
    pub factor: Option<Matrix>,
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
            match &linear.factor {
                Some(factor) => checkpoint.matrix(&factor.weight, Layout::OutIn).await.map(Some),
                None => Ok(None),
            }
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
    /// Their inputs or layouts differ.
    pub fn join(parts: &[&Self]) -> Result<Self> {
        let dtypes = |part: &Self| (part.weight.dtype, part.bias.as_ref().map(|bias| bias.dtype));
        if parts.iter().any(|part| part.factor.is_some()) {
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
        Ok(Self { weight: Matrix::join_outputs(&weights)?, bias, factor: None })
    }

    /// One of the layers that lie side by side in the same tensors: its first output there, and how many it has.
    fn part(&self, start: usize, outputs: usize) -> Self {
        self.keep_outputs(&(start as u32..(start + outputs) as u32).collect::<Vec<_>>())
    }

    /// Only these outputs: rows of the logical [out, in] matrix and entries of the bias.
    pub fn keep_outputs(&self, indices: &[u32]) -> Self {
        let bias = self.bias.as_ref().map(|bias| bias.keep_outputs(indices));
        Self { weight: self.weight.keep_outputs(indices), bias, factor: self.factor.clone() }
    }

    /// Only these inputs; the bias stays.
    pub fn keep_inputs(&self, indices: &[u32]) -> Self {
        match &self.factor {
            Some(factor) => Self { factor: Some(factor.keep_inputs(indices)), ..self.clone() },
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
        let [bias, factor] = [&self.bias, &self.factor].map(|matrix| matrix.as_ref().map(convert).transpose());
        Ok(Self { weight: convert(&self.weight)?, bias: bias?, factor: factor? })
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
        Ok(Self {
            query,
            key,
            value,
            attention_output: attention_output?,
            ffn_gate: ffn_gate?,
            ffn_input: ffn_input?,
            ffn_output: ffn_output?,
        })
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
            let factor = host.factor.iter().zip(linear.factor.as_ref().map(|factor| &factor.weight));
            let others = host.bias.iter().zip(&linear.bias).chain(factor);
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
        let size = |linear: &HostLinear| {
            let others = linear.bias.iter().chain(&linear.factor).map(|matrix| matrix.bytes.len());
            linear.weight.bytes.len() + others.sum::<usize>()
        };
        self.linears().into_iter().map(|linear| size(linear) as u64).sum()
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
        Ok(Self {
            query: self.query.converted(dtype)?,
            key: self.key.converted(dtype)?,
            value: self.value.converted(dtype)?,
            attention_output: self.attention_output.converted(dtype)?,
            ffn_gate: self.ffn_gate.as_ref().map(|gate| gate.converted(dtype)).transpose()?,
            ffn_input: self.ffn_input.converted(dtype)?,
            ffn_output: self.ffn_output.converted(dtype)?,
        })
    }
}
