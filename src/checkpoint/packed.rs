//! Weights with many zeros, packed: a bit an element says whether it is there, and those that are follow each other.
//!
//! A packed tensor X is stored as `X.mask`, U8, bit i % 8 (from the lowest) of byte i / 8 belonging to element i of the row-major
//! tensor, and as `X.values`, in the dtype of X: the elements whose bit is set, in order. The file's metadata has under
//! `coppice_packed` a JSON object of the shapes, `{"X": [rows, cols]}`.

use super::{ByteSource, Data, Dtype, Entry, Matrix, OutputTensor, Scratch, Source, shown};
use crate::base::{Error, LocalFuture, Result};
use serde_json::{Map, Value};
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// Name of a packed file. It is not the usual one, under which stock loaders would find tensors missing and go on without.
pub const PACKED_FILE: &str = "model.packed.safetensors";

/// Key of the file's metadata.
pub const PACKED_KEY: &str = "coppice_packed";

const MASK: &str = "mask";
const VALUES: &str = "values";

/// A tensor as mask and values, where that is smaller; else the tensor itself. `shapes` gets the shape of what was packed.
///
/// # Errors
/// The tensor cannot be read, or scratch is full.
pub async fn pack(tensor: OutputTensor, shapes: &mut Map<String, Value>, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let part = tensor.data.part();
    let bytes = part.source.read(part.range.clone()).await?;
    let (mask, values) = split(tensor.dtype, &bytes);
    if mask.len() + values.len() >= bytes.len() {
        return Ok(vec![tensor]);
    }
    drop(bytes);
    shapes.insert(tensor.name.clone(), tensor.shape.clone().into());
    parts(&tensor.name, tensor.dtype, mask, values, scratch).await
}

/// A matrix as mask and values, whatever they come to.
///
/// # Errors
/// Scratch is full.
pub async fn pack_matrix(name: &str, matrix: &Matrix, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let (mask, values) = split(matrix.dtype, &matrix.bytes);
    parts(name, matrix.dtype, mask, values, scratch).await
}

/// The name of a packed tensor by that of its values.
pub fn packed_name(values: &str) -> Option<&str> {
    values.strip_suffix(VALUES)?.strip_suffix('.')
}

/// A bit an element, and the bytes of those that are not zero.
fn split(dtype: Dtype, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let size = dtype.size().max(1);
    let (mut mask, mut values) = (vec![0u8; (bytes.len() / size).div_ceil(8)], Vec::new());
    for (index, element) in bytes.chunks_exact(size).enumerate() {
        if !is_zero(element) {
            mask[index / 8] |= 1 << (index % 8);
            values.extend_from_slice(element);
        }
    }
    (mask, values)
}

async fn parts(name: &str, dtype: Dtype, mask: Vec<u8>, values: Vec<u8>, scratch: &dyn Scratch) -> Result<Vec<OutputTensor>> {
    let mut packed = Vec::with_capacity(2);
    for (end, dtype, bytes) in [(MASK, Dtype::U8, mask), (VALUES, dtype, values)] {
        let (name, shape) = (format!("{name}.{end}"), vec![(bytes.len() / dtype.size()) as u64]);
        let source = scratch.put(&name, bytes).await?;
        packed.push(OutputTensor { name, dtype, shape, data: Data::Changed(source) });
    }
    Ok(packed)
}

/// How many elements a packed tensor has that are not zero.
pub(super) fn values(entry: &Entry) -> Option<u64> {
    entry.source.as_any().downcast_ref::<Packed>().map(|packed| packed.values.elements())
}

/// Whether a little-endian float is zero; one that is negative would come back positive, and counts as zero.
fn is_zero(element: &[u8]) -> bool {
    element.split_last().is_some_and(|(last, rest)| last & 0x7f == 0 && rest.iter().all(|&byte| byte == 0))
}

/// Entries with those that are packed put together, in the place of their masks; and the bytes that the packing saves.
///
/// # Errors
/// A mask or values are missing, or do not fit the shape.
pub(super) fn unpacked(entries: Vec<Entry>, metadata: &BTreeMap<String, String>) -> Result<(Vec<Entry>, i64)> {
    let Some(text) = metadata.get(PACKED_KEY) else { return Ok((entries, 0)) };
    let shapes: BTreeMap<String, Vec<u64>> = serde_json::from_str(text)
        .map_err(|error| Error::input(format!("The metadata {PACKED_KEY} is no list of shapes ({error}); export the model again.")))?;
    let places: BTreeMap<String, usize> = entries.iter().enumerate().map(|(place, entry)| (entry.name.clone(), place)).collect();
    let find = |name: &str, end: &str| {
        let place = places.get(&format!("{name}.{end}")).copied();
        place.ok_or_else(|| Error::input(format!("The packed tensor {} has no {end}; export the model again.", shown(name))))
    };
    let mut whole: BTreeMap<usize, Entry> = BTreeMap::new();
    let (mut gone, mut saved) = (Vec::new(), 0);
    for (name, shape) in shapes {
        let (mask, values) = (find(&name, MASK)?, find(&name, VALUES)?);
        let entry = joined(name, shape, &entries[mask], &entries[values])?;
        let stored = |entry: &Entry| entry.range.end - entry.range.start;
        saved += stored(&entry) as i64 - (stored(&entries[mask]) + stored(&entries[values])) as i64;
        whole.insert(mask, entry);
        gone.push(values);
    }
    let kept = entries.into_iter().enumerate().filter(|(place, _)| !gone.contains(place));
    Ok((kept.map(|(place, entry)| whole.remove(&place).unwrap_or(entry)).collect(), saved))
}

fn joined(name: String, shape: Vec<u64>, mask: &Entry, values: &Entry) -> Result<Entry> {
    let elements = shape.iter().try_fold(1u64, |product, &length| product.checked_mul(length));
    let length = elements.and_then(|elements| elements.checked_mul(values.dtype.size() as u64));
    let (Some(elements), Some(length)) = (elements, length) else {
        return Err(Error::input(format!("The packed tensor {} has a shape that is too large; export the model again.", shown(&name))));
    };
    if mask.dtype != Dtype::U8 || mask.elements() != elements.div_ceil(8) || values.elements() > elements {
        return Err(Error::input(format!(
            "Mask and values of the packed tensor {} do not fit its shape; download the model again.",
            shown(&name)
        )));
    }
    let source = Packed { name: mask.source.name().to_owned(), length, mask: mask.clone(), values: values.clone() };
    Ok(Entry { name, dtype: values.dtype, shape, source: Rc::new(source) as Source, range: 0..length })
}

/// A packed tensor as the bytes that it unpacks to.
struct Packed {
    name: String,
    length: u64,
    mask: Entry,
    values: Entry,
}

impl Packed {
    async fn unpack(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let count = super::source::check_range(&self.name, self.length, &range)?;
        let size = self.values.dtype.size() as u64;
        let (first, last) = (range.start / size, range.end.div_ceil(size));
        let at = self.mask.range.start;
        let mask = self.mask.source.read(at..at + last.div_ceil(8)).await?;
        let is_there = |index: u64| mask[(index / 8) as usize] >> (index % 8) & 1 == 1;
        // The values before the first element that is asked for.
        let whole: u64 = mask[..(first / 8) as usize].iter().map(|byte| u64::from(byte.count_ones())).sum();
        let before = whole + (first / 8 * 8..first).filter(|&index| is_there(index)).count() as u64;
        let there = (first..last).filter(|&index| is_there(index)).count() as u64;
        let start = self.values.range.start + before * size;
        if start + there * size > self.values.range.end {
            return Err(Error::input(format!("{} has fewer values than its masks say; download the model again.", self.name)));
        }
        let values = self.values.source.read(start..start + there * size).await?;
        let mut values = values.chunks_exact(size as usize);
        let mut bytes = vec![0; ((last - first) * size) as usize];
        for (place, index) in bytes.chunks_exact_mut(size as usize).zip(first..last) {
            if let Some(value) = is_there(index).then(|| values.next()).flatten() {
                place.copy_from_slice(value);
            }
        }
        let skipped = (range.start - first * size) as usize;
        Ok(bytes[skipped..skipped + count].to_vec())
    }
}

impl ByteSource for Packed {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(self.unpack(range))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use crate::checkpoint::{Checkpoint, MemoryScratch, MemorySource, encode, folder_of, lay_out};
    use pollster::block_on;

    fn tensor(name: &str, dtype: Dtype, shape: [u64; 2], values: &[f32]) -> OutputTensor {
        let bytes = encode(dtype, values).bytes;
        let range = 0..bytes.len() as u64;
        let source = Rc::new(MemorySource::new(name, bytes)) as Source;
        let entry = Entry { name: name.to_owned(), dtype, shape: shape.to_vec(), source, range };
        OutputTensor { name: name.to_owned(), dtype, shape: shape.to_vec(), data: Data::Kept(entry) }
    }

    fn written(tensors: Vec<OutputTensor>) -> Checkpoint {
        block_on(async {
            let (mut shapes, mut packed) = (Map::new(), Vec::new());
            for tensor in tensors {
                packed.extend(pack(tensor, &mut shapes, &MemoryScratch).await.unwrap());
            }
            let metadata = BTreeMap::from([(PACKED_KEY.to_owned(), Value::Object(shapes).to_string())]);
            let files = lay_out(packed, &metadata, u64::MAX).unwrap();
            Checkpoint::open(&folder_of(&files).unwrap()).await.unwrap()
        })
    }

    #[test]
    fn what_is_packed_comes_back_bit_by_bit_and_by_any_range() {
        let mut random = Random::new(7);
        for (dtype, rows, cols, share) in
            [(Dtype::F32, 5, 7, 0.5), (Dtype::F16, 3, 16, 0.9), (Dtype::BF16, 4, 9, 0.2), (Dtype::F16, 2, 3, 1.0)]
        {
            let values: Vec<f32> = (0..rows * cols).map(|_| if random.uniform() < share { 0.0 } else { random.normal() as f32 }).collect();
            let checkpoint = written(vec![tensor("a", dtype, [rows, cols], &values)]);
            let entry = checkpoint.require("a").unwrap();
            assert_eq!((entry.dtype, entry.shape.as_slice()), (dtype, &[rows, cols][..]));
            let dense = encode(dtype, &values).bytes;
            for start in 0..dense.len() {
                for end in [start, (start + 5).min(dense.len()), dense.len()] {
                    let read = block_on(entry.source.read(entry.range.start + start as u64..entry.range.start + end as u64)).unwrap();
                    assert!(read == dense[start..end], "{start}..{end} of {rows} x {cols}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_those_of_the_file_and_nothing_is_packed_to_its_harm() {
        let sparse: Vec<f32> = (0..64).map(|i| if i % 4 == 0 { 1.5 } else { 0.0 }).collect();
        let checkpoint = written(vec![tensor("sparse", Dtype::F16, [8, 8], &sparse), tensor("full", Dtype::F16, [8, 8], &[1.0; 64])]);
        assert_eq!(checkpoint.stored_bytes(), 8 + 16 * 2 + 64 * 2);
        assert_eq!((checkpoint.total_bytes(), checkpoint.parameters()), (2 * 64 * 2, 128));
        assert_eq!(checkpoint.entries().count(), 2);
        // A zero with a sign is a zero.
        assert_eq!(written(vec![tensor("z", Dtype::F32, [1, 16], &[-0.0; 16])]).stored_bytes(), 2);
    }

    #[test]
    fn what_does_not_fit_is_an_error_with_the_name() {
        let metadata = BTreeMap::from([(PACKED_KEY.to_owned(), r#"{"a": [4, 4]}"#.to_owned())]);
        let message = |tensors: Vec<OutputTensor>| {
            let files = lay_out(tensors, &metadata, u64::MAX).unwrap();
            block_on(Checkpoint::open(&folder_of(&files).unwrap())).unwrap_err().to_string()
        };
        assert!(message(vec![tensor("b", Dtype::F32, [1, 1], &[1.0])]).contains("\"a\" has no mask"));
        let short = |name: &str, dtype| OutputTensor { dtype, ..tensor(name, Dtype::F32, [1, 4], &[1.0; 4]) };
        assert!(message(vec![short("a.mask", Dtype::F32), short("a.values", Dtype::F32)]).contains("do not fit"));
    }
}
