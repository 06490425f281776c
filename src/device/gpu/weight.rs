//! Weight matrices, packed as in the file.

use super::Gpu;
use super::pool::{Buffer, Fill};
use crate::base::{Error, Result};
use crate::checkpoint::{Dtype, Layout, Matrix};
use crate::device::Weight;
use crate::device::tensor::WeightData;

/// The bits of a weight matrix in 32-bit words, the first element in the lowest bits. Kernels unpack them.
#[derive(Debug, Clone)]
pub struct PackedWeight {
    pub(super) buffer: Buffer,
    pub(super) dtype: Packed,
    /// Whether rows are outputs (`nn.Linear`), not inputs (`Conv1D`).
    pub(super) rows_are_outputs: bool,
}

/// How elements are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    F32,
    F16,
    BF16,
}

impl Packed {
    /// Bytes of an element.
    pub(super) fn size(self) -> u64 {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// Part of the name of the shader snippet that loads it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
        }
    }
}

impl Gpu {
    /// See [`super::super::Device::upload_weight`].
    pub async fn upload_weight(&self, matrix: &Matrix) -> Result<Weight> {
        let dtype = match matrix.dtype {
            Dtype::F32 => Packed::F32,
            Dtype::F16 => Packed::F16,
            Dtype::BF16 => Packed::BF16,
            other => return Err(Error::internal(format_args!("a weight of dtype {} reached the GPU", other.name()))),
        };
        let expected = matrix.rows as u64 * matrix.cols as u64 * dtype.size();
        if matrix.bytes.len() as u64 != expected {
            return Err(Error::internal(format_args!("a weight has {} bytes, not {expected}", matrix.bytes.len())));
        }
        let buffer = self.context.pool.take(expected, Fill::Write)?;
        self.write(&buffer, &matrix.bytes).await?;
        let rows_are_outputs = match matrix.layout {
            Layout::OutIn => true,
            Layout::InOut => false,
        };
        let packed = PackedWeight { buffer, dtype, rows_are_outputs };
        Ok(Weight { outputs: matrix.outputs(), inputs: matrix.inputs(), data: WeightData::Gpu(packed) })
    }
}
