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
                let expected = if dtype == Dtype::F16 { f16::from_bits(bits).to_f32_const() } else { bf16::from_bits(bits).to_f32_const() };
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
