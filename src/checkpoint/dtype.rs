//! Element types of the safetensors format, and the conversion of those that are computed with.

use crate::base::{Error, Result};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// An element type of the safetensors format. The order is that of the format's writers: a file holds the types in
/// descending order, so that every tensor starts at a multiple of its element's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the format")]
pub enum Dtype {
    Bool,
    F4,
    F6E2M3,
    F6E3M2,
    U8,
    I8,
    F8E5M2,
    F8E4M3,
    F8E8M0,
    F8E4M3Fnuz,
    F8E5M2Fnuz,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
}

/// Every type with its name in the format and its bits an element.
const TYPES: [(Dtype, &str, u64); 22] = [
    (Dtype::Bool, "BOOL", 8),
    (Dtype::F4, "F4", 4),
    (Dtype::F6E2M3, "F6_E2M3", 6),
    (Dtype::F6E3M2, "F6_E3M2", 6),
    (Dtype::U8, "U8", 8),
    (Dtype::I8, "I8", 8),
    (Dtype::F8E5M2, "F8_E5M2", 8),
    (Dtype::F8E4M3, "F8_E4M3", 8),
    (Dtype::F8E8M0, "F8_E8M0", 8),
    (Dtype::F8E4M3Fnuz, "F8_E4M3FNUZ", 8),
    (Dtype::F8E5M2Fnuz, "F8_E5M2FNUZ", 8),
    (Dtype::I16, "I16", 16),
    (Dtype::U16, "U16", 16),
    (Dtype::F16, "F16", 16),
    (Dtype::BF16, "BF16", 16),
    (Dtype::I32, "I32", 32),
    (Dtype::U32, "U32", 32),
    (Dtype::F32, "F32", 32),
    (Dtype::C64, "C64", 64),
    (Dtype::F64, "F64", 64),
    (Dtype::I64, "I64", 64),
    (Dtype::U64, "U64", 64),
];

impl Dtype {
    /// Bytes an element, rounded up for the types below a byte.
    pub fn size(self) -> usize {
        (self.bits() as usize).div_ceil(8)
    }

    /// Bits an element.
    pub fn bits(self) -> u64 {
        TYPES[self as usize].2
    }

    /// The name in a safetensors header, such as `F16`.
    pub fn name(self) -> &'static str {
        TYPES[self as usize].1
    }

    /// The type of a name in a safetensors header.
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|(_, known, _)| *known == name).map(|(dtype, ..)| *dtype)
    }

    /// Whether [`decode`] and [`encode`] know the type: F32, F16 and BF16.
    pub fn is_supported_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }

    /// Whether elements are real floating point numbers of any width.
    pub fn is_float(self) -> bool {
        use Dtype::*;
        matches!(self, F32 | F16 | BF16 | F64 | F4 | F6E2M3 | F6E3M2 | F8E5M2 | F8E4M3 | F8E8M0 | F8E4M3Fnuz | F8E5M2Fnuz)
    }

    /// Bytes of a tensor of `shape`; nothing if that overflows 64 bits or is no whole number of bytes.
    pub fn span(self, shape: &[u64]) -> Option<u64> {
        let bits = shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n))?.checked_mul(self.bits())?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

/// Elements converted at a time where the machine converts whole slices: small enough for the stack.
const CHUNK: usize = 1024;

/// Little-endian elements as f32, exactly.
///
/// # Errors
/// The type is not F32, F16 or BF16, or the bytes are no whole number of elements.
pub fn decode(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>> {
    let size = dtype.size();
    if !dtype.is_supported_float() {
        return Err(unsupported(dtype));
    }
    if !bytes.len().is_multiple_of(size) {
        return Err(Error::internal(format_args!("{} bytes are no whole number of {} elements", bytes.len(), dtype.name())));
    }
    let mut values = vec![0f32; bytes.len() / size];
    match dtype {
        Dtype::F16 => {
            let mut halves = [f16::ZERO; CHUNK];
            for (values, bytes) in values.chunks_mut(CHUNK).zip(bytes.chunks(CHUNK * 2)) {
                let halves = &mut halves[..values.len()];
                for (half, pair) in halves.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *half = f16::from_le_bytes(*pair);
                }
                halves.convert_to_f32_slice(values);
            }
        }
        Dtype::BF16 => {
            for (value, pair) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *value = f32::from_bits(u32::from(u16::from_le_bytes(*pair)) << 16);
            }
        }
        _ => {
            for (value, four) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*four);
            }
        }
    }
    Ok(values)
}

/// What [`encode`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Little-endian elements.
    pub bytes: Vec<u8>,
    /// Finite values that became infinite, since the type does not reach so far.
    pub overflowed: usize,
}

/// Values as little-endian elements of F32, F16 or BF16, rounded to nearest, ties to even. Other types hold none of the
/// values: no bytes come back and every value counts as overflowed, so check [`Dtype::is_supported_float`] first.
pub fn encode(dtype: Dtype, values: &[f32]) -> Encoded {
    debug_assert!(dtype.is_supported_float(), "{} is not encoded", dtype.name());
    let mut bytes = vec![0u8; values.len() * dtype.size()];
    let mut overflowed = 0;
    match dtype {
        Dtype::F32 => {
            for (four, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                *four = value.to_le_bytes();
            }
        }
        Dtype::F16 => {
            let mut halves = [f16::ZERO; CHUNK];
            for (values, bytes) in values.chunks(CHUNK).zip(bytes.chunks_mut(CHUNK * 2)) {
                let halves = &mut halves[..values.len()];
                halves.convert_from_f32_slice(values);
                for ((pair, half), value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(halves).zip(values) {
                    *pair = half.to_le_bytes();
                    overflowed += usize::from(half.is_infinite() && value.is_finite());
                }
            }
        }
        Dtype::BF16 => {
            for (pair, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                let half = bf16::from_f32(*value);
                *pair = half.to_le_bytes();
                overflowed += usize::from(half.is_infinite() && value.is_finite());
            }
        }
        _ => return Encoded { bytes: Vec::new(), overflowed: values.len() },
    }
    Encoded { bytes, overflowed }
}

fn unsupported(dtype: Dtype) -> Error {
    Error::input(format!("Elements of dtype {} are not computed with; convert the model to F32, F16 or BF16.", dtype.name()))
}

#[cfg(test)]
mod tests;
