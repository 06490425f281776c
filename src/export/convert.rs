//! Kept tensors in another element type, piece by piece.

use crate::base::{Error, LocalFuture, Result, yield_now};
use crate::checkpoint::{ByteSource, Dtype, Entry, OutputFile, Part, Scratch, Source, decode, encode};
use std::any::Any;
use std::ops::Range;
use std::rc::Rc;

/// Elements converted at a time: 4 MiB as f32.
const PIECE: u64 = 1 << 20;

/// The tensor of `entry` in `dtype`, rounded to nearest even. Holds one piece at a time.
///
/// # Errors
/// A finite value is out of the range of `dtype`, or reading or scratch fails.
pub(super) async fn convert(entry: &Entry, dtype: Dtype, scratch: &dyn Scratch) -> Result<Source> {
    let step = PIECE * entry.dtype.size() as u64;
    let mut pieces = Vec::new();
    let mut start = entry.range.start;
    while start < entry.range.end || pieces.is_empty() {
        let end = entry.range.end.min(start + step);
        let bytes = encoded(&entry.name, entry.dtype, dtype, entry.source.read(start..end).await?)?;
        pieces.push(scratch.put(&entry.name, bytes).await?);
        start = end;
        yield_now().await;
    }
    Ok(joined(&entry.name, pieces))
}

/// Values of type `from` as values of type `to`; the same bytes where nothing changes.
///
/// # Errors
/// A finite value is out of the range of `to`; the message names the tensor.
pub(super) fn encoded(name: &str, from: Dtype, to: Dtype, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if from == to {
        return Ok(bytes);
    }
    let encoded = encode(to, &decode(from, &bytes)?);
    if encoded.overflowed > 0 {
        return Err(Error::recipe(format!(
            "Tensor {name} holds values that {} cannot hold, so they would become infinite; choose output dtype \"bf16\" or \"f32\".",
            to.name()
        )));
    }
    Ok(encoded.bytes)
}

/// Sources one after the other, as the bytes of one tensor.
pub fn joined(name: &str, pieces: Vec<Source>) -> Source {
    match pieces.as_slice() {
        [one] => one.clone(),
        _ => Rc::new(Pieces { name: name.to_owned(), pieces }),
    }
}

/// Sources one after the other. It stands for one tensor until [`flatten`] replaces it by its pieces.
struct Pieces {
    name: String,
    pieces: Vec<Source>,
}

impl Pieces {
    /// The pieces that hold `range`, and which bytes of each.
    fn parts(&self, range: &Range<u64>) -> Vec<Part> {
        let mut offset = 0;
        let mut parts = Vec::new();
        for piece in &self.pieces {
            let (start, end) = (range.start.max(offset), range.end.min(offset + piece.len()));
            if start < end {
                parts.push(Part { source: piece.clone(), range: start - offset..end - offset });
            }
            offset += piece.len();
        }
        parts
    }
}

impl ByteSource for Pieces {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            if range.start > range.end || range.end > self.len() {
                return Err(Error::internal(format_args!("bytes {range:?} of {} are not there", self.name)));
            }
            let mut bytes = Vec::new();
            for part in self.parts(&range) {
                bytes.extend(part.source.read(part.range).await?);
            }
            Ok(bytes)
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Replaces sources that are made of pieces by those, so that writers meet only sources that they know.
pub(super) fn flatten(mut files: Vec<OutputFile>) -> Vec<OutputFile> {
    for file in &mut files {
        let parts = std::mem::take(&mut file.parts);
        file.parts = parts
            .into_iter()
            .flat_map(|part| match part.source.as_any().downcast_ref::<Pieces>() {
                Some(pieces) => pieces.parts(&part.range),
                None => vec![part],
            })
            .collect();
    }
    files
}
