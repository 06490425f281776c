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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn f16_bits(value: f32) -> (u16, usize) {
        let encoded = encode(Dtype::F16, &[value]);
        (u16::from_le_bytes([encoded.bytes[0], encoded.bytes[1]]), encoded.overflowed)
    }

    fn bf16_bits(value: f32) -> (u16, usize) {
        let encoded = encode(Dtype::BF16, &[value]);
        (u16::from_le_bytes([encoded.bytes[0], encoded.bytes[1]]), encoded.overflowed)
    }

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (dtype, name, bits)) in TYPES.iter().enumerate() {
            assert_eq!(*dtype as usize, index);
            assert_eq!((dtype.name(), dtype.bits()), (*name, *bits));
            assert_eq!(Dtype::from_name(name), Some(*dtype));
        }
        assert_eq!(Dtype::from_name("f16"), None);
    }

    #[test]
    fn names_sizes_and_order_agree_with_the_crate() {
        let ours: Vec<_> = TYPES.iter().map(|(dtype, ..)| *dtype).collect();
        let theirs: Vec<safetensors::Dtype> = ours.iter().map(|dtype| serde_json::from_value(dtype.name().into()).unwrap()).collect();
        for ((a, x), (b, y)) in ours.iter().zip(&theirs).flat_map(|l| ours.iter().zip(&theirs).map(move |r| (l, r))) {
            assert_eq!(a.cmp(b), x.cmp(y), "{a:?} {b:?}");
            assert_eq!(a.bits(), x.bitsize() as u64);
        }
    }

    #[test]
    fn f16_ties_go_to_even() {
        assert_eq!(f16_bits(1.0), (0x3c00, 0));
        // Halfway between 1 and the next number (1 + 2^-10), then between that and the one after.
        assert_eq!(f16_bits(1.0 + 2f32.powi(-11)), (0x3c00, 0));
        assert_eq!(f16_bits(1.0 + 3.0 * 2f32.powi(-11)), (0x3c02, 0));
        assert_eq!(f16_bits(1.0 + 2f32.powi(-11) + 2f32.powi(-23)), (0x3c01, 0));
        assert_eq!(f16_bits(-2049.0), (0xe800, 0));
        assert_eq!(f16_bits(-2051.0), (0xe802, 0));
    }

    #[test]
    fn f16_subnormals_round_and_vanish() {
        assert_eq!(f16_bits(2f32.powi(-24)), (0x0001, 0));
        assert_eq!(f16_bits(2f32.powi(-25)), (0x0000, 0), "a tie with zero");
        assert_eq!(f16_bits(1.0001 * 2f32.powi(-25)), (0x0001, 0));
        assert_eq!(f16_bits(3.0 * 2f32.powi(-25)), (0x0002, 0), "a tie between 1 and 2");
        assert_eq!(f16_bits(-0.0), (0x8000, 0));
        assert_eq!(f16_bits(f32::from_bits(1)), (0x0000, 0));
        assert_eq!(f16_bits(2f32.powi(-14) - 2f32.powi(-25)), (0x0400, 0), "a tie that carries into the normal numbers");
    }

    #[test]
    fn f16_overflow_starts_halfway_past_the_largest() {
        assert_eq!(f16_bits(65504.0), (0x7bff, 0));
        assert_eq!(f16_bits(65519.996), (0x7bff, 0));
        assert_eq!(f16_bits(65520.0), (0x7c00, 1));
        assert_eq!(f16_bits(-1e9), (0xfc00, 1));
        assert_eq!(f16_bits(f32::INFINITY), (0x7c00, 0));
        assert_eq!(f16_bits(f32::NEG_INFINITY), (0xfc00, 0));
        let (nan, overflowed) = f16_bits(f32::NAN);
        assert!(f16::from_bits(nan).is_nan() && overflowed == 0);
    }

    #[test]
    fn bf16_ties_subnormals_overflow_and_nan() {
        assert_eq!(bf16_bits(1.0), (0x3f80, 0));
        assert_eq!(bf16_bits(1.0 + 2f32.powi(-8)), (0x3f80, 0));
        assert_eq!(bf16_bits(1.0 + 3.0 * 2f32.powi(-8)), (0x3f82, 0));
        assert_eq!(bf16_bits(f32::from_bits(0x0000_8000)), (0x0000, 0));
        assert_eq!(bf16_bits(f32::from_bits(0x0000_8001)), (0x0001, 0));
        assert_eq!(bf16_bits(f32::from_bits(0x0001_8000)), (0x0002, 0));
        assert_eq!(bf16_bits(f32::from_bits(0x7f7f_7fff)), (0x7f7f, 0));
        assert_eq!(bf16_bits(f32::MAX), (0x7f80, 1));
        assert_eq!(bf16_bits(f32::NEG_INFINITY), (0xff80, 0));
        // A NaN whose payload lies only in the bits that are cut off must not become infinite.
        assert!(bf16::from_bits(bf16_bits(f32::from_bits(0x7f80_0001)).0).is_nan());
    }

    #[test]
    fn every_f16_and_bf16_survives_the_way_there_and_back() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        for (dtype, nan) in [(Dtype::F16, 0x7c00u16), (Dtype::BF16, 0x7f80)] {
            let values = decode(dtype, &bytes).unwrap();
            let back = encode(dtype, &values);
            assert_eq!(back.overflowed, 0);
            for (bits, pair) in (0..=u16::MAX).zip(back.bytes.as_chunks::<2>().0) {
                let value = values[usize::from(bits)];
                if bits & 0x7fff > nan {
                    assert!(value.is_nan());
                } else {
                    assert_eq!(u16::from_le_bytes(*pair), bits);
                    let expected =
                        if dtype == Dtype::F16 { f16::from_bits(bits).to_f32_const() } else { bf16::from_bits(bits).to_f32_const() };
                    assert_eq!(value.to_bits(), expected.to_bits());
                }
            }
        }
    }

    #[test]
    fn undecodable_input_is_an_error() {
        assert!(decode(Dtype::F32, &[0; 7]).is_err());
        assert!(decode(Dtype::F16, &[0; 1]).is_err());
        assert!(decode(Dtype::I64, &[0; 8]).unwrap_err().to_string().contains("I64"));
        assert_eq!(decode(Dtype::BF16, &[]).unwrap(), Vec::<f32>::new());
    }

    #[test]
    fn spans_that_overflow_or_split_a_byte_are_nothing() {
        assert_eq!(Dtype::F32.span(&[]), Some(4));
        assert_eq!(Dtype::F32.span(&[3, 0]), Some(0));
        assert_eq!(Dtype::F32.span(&[1 << 32, 1 << 32]), None);
        assert_eq!(Dtype::F32.span(&[1 << 62]), None);
        assert_eq!(Dtype::F4.span(&[3]), None);
        assert_eq!(Dtype::F6E2M3.span(&[4]), Some(3));
    }

    proptest! {
        /// The machine's conversion against the software one of `half`, on arbitrary bits.
        #[test]
        fn rounding_agrees_with_half(bits in proptest::collection::vec(any::<u32>(), 1..2100)) {
            let values: Vec<f32> = bits.iter().map(|b| f32::from_bits(*b)).collect();
            let (halves, brains) = (encode(Dtype::F16, &values), encode(Dtype::BF16, &values));
            for (index, value) in values.iter().enumerate() {
                let half = f16::from_le_bytes([halves.bytes[2 * index], halves.bytes[2 * index + 1]]);
                let brain = bf16::from_le_bytes([brains.bytes[2 * index], brains.bytes[2 * index + 1]]);
                if value.is_nan() {
                    prop_assert!(half.is_nan() && brain.is_nan());
                } else {
                    prop_assert_eq!(half.to_bits(), f16::from_f32_const(*value).to_bits());
                    prop_assert_eq!(brain.to_bits(), bf16::from_f32_const(*value).to_bits());
                }
            }
            prop_assert_eq!(decode(Dtype::F32, &encode(Dtype::F32, &values).bytes).unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>(), bits);
        }
    }
}
