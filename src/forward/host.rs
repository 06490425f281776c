//! The weights of a block on the host, in the bits of the file: what is read, sliced, repaired and written.

use crate::base::{Error, Result};
use crate::checkpoint::{Checkpoint, Dtype, Layout, Matrix, decode, encode};
use crate::model::{Layer, Linear, Unit};

/// A linear layer on the host.
#[derive(Debug, Clone)]
pub struct HostLinear {
    /// The weight, as the file stores it.
    pub weight: Matrix,
    /// The bias as a column, [outputs, 1], where the layer has one.
    pub bias: Option<Matrix>,
}

impl HostLinear {
    /// Reads a linear layer.
    pub async fn read(checkpoint: &Checkpoint, linear: &Linear) -> Result<Self> {
        let bias = match &linear.bias {
            Some(name) => Some(column(checkpoint, name).await?),
            None => None,
        };
        let whole = Self { weight: checkpoint.matrix(&linear.weight, linear.layout).await?, bias };
        Ok(match linear.fused_at {
            Some(start) => whole.keep_outputs(&(start as u32..(start + linear.outputs) as u32).collect::<Vec<_>>()),
            None => whole,
        })
    }

    /// Only these outputs: rows of the logical [out, in] matrix and entries of the bias.
    pub fn keep_outputs(&self, indices: &[u32]) -> Self {
        Self { weight: self.weight.keep_outputs(indices), bias: self.bias.as_ref().map(|bias| bias.keep_outputs(indices)) }
    }

    /// Only these inputs; the bias stays.
    pub fn keep_inputs(&self, indices: &[u32]) -> Self {
        Self { weight: self.weight.keep_inputs(indices), bias: self.bias.clone() }
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
        Ok(Self { weight: convert(&self.weight)?, bias: self.bias.as_ref().map(convert).transpose()? })
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
    /// Reads the linear layers of a block.
    pub async fn read(checkpoint: &Checkpoint, layer: &Layer) -> Result<Self> {
        Ok(Self {
            query: HostLinear::read(checkpoint, &layer.query).await?,
            key: HostLinear::read(checkpoint, &layer.key).await?,
            value: HostLinear::read(checkpoint, &layer.value).await?,
            attention_output: HostLinear::read(checkpoint, &layer.attention_output).await?,
            ffn_gate: match &layer.ffn_gate {
                Some(gate) => Some(HostLinear::read(checkpoint, gate).await?),
                None => None,
            },
            ffn_input: HostLinear::read(checkpoint, &layer.ffn_input).await?,
            ffn_output: HostLinear::read(checkpoint, &layer.ffn_output).await?,
        })
    }

    /// The linear layers in the order of [`Layer::linears`].
    pub fn linears(&self) -> Vec<&HostLinear> {
        let mut linears = vec![&self.query, &self.key, &self.value, &self.attention_output];
        linears.extend(&self.ffn_gate);
        linears.extend([&self.ffn_input, &self.ffn_output]);
        linears
    }

    /// Fails where a value is infinite or not a number.
    ///
    /// # Errors
    /// The message names the tensor.
    pub fn check_finite(&self, layer: &Layer) -> Result<()> {
        for (host, linear) in self.linears().into_iter().zip(layer.linears()) {
            let bias = host.bias.iter().zip(&linear.bias);
            if let Some((_, name)) = [(&host.weight, &linear.weight)].into_iter().chain(bias).find(|(matrix, _)| !matrix.is_finite()) {
                return Err(Error::input(format!(
                    "Tensor {name} holds values that are not finite; its weights are damaged, download the model again."
                )));
            }
        }
        Ok(())
    }

    /// Bytes of weights and biases.
    pub fn bytes(&self) -> u64 {
        let size = |linear: &HostLinear| linear.weight.bytes.len() + linear.bias.as_ref().map_or(0, |bias| bias.bytes.len());
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
