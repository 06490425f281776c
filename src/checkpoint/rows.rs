//! Rows gathered from a table by range reads, as embeddings need them.

use super::reader::Entry;
use super::{Layout, Matrix, shown};
use crate::base::{Error, Result};
use std::ops::Range;

/// Unasked bytes that are read along rather than paying for another read.
const GAP: u64 = 64 << 10;
/// The most bytes of one read, unless a single row is longer.
const LONGEST: u64 = 8 << 20;

/// The asked rows of a table, in the asked order.
pub(super) async fn gather(entry: &Entry, rows: &[u32]) -> Result<Matrix> {
    let (count, cols) = entry.table()?;
    if let Some(row) = rows.iter().find(|row| **row as usize >= count) {
        return Err(Error::input(format!(
            "Row {row} of the tensor {} in {} was asked for, but it has {count} rows; the tokenizer and the model do not belong together.",
            shown(&entry.name),
            entry.source.name()
        )));
    }
    // A table without rows may claim any width.
    let sizes = cols.checked_mul(entry.dtype.size()).and_then(|row| Some((row, row.checked_mul(rows.len())?)));
    let (row_bytes, total) = sizes.ok_or_else(|| Error::memory("The gathered rows are too large for this machine."))?;
    let mut bytes = vec![0u8; total];
    // Places in the result by row, so that one pass over the reads fills every repetition.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|place| rows[*place]);
    let mut sorted: Vec<u32> = order.iter().map(|place| rows[*place]).collect();
    sorted.dedup();
    let mut places = order.into_iter().peekable();
    for run in runs(&sorted, row_bytes as u64) {
        let start = entry.range.start + run.start * row_bytes as u64;
        let piece = entry.source.read(start..entry.range.start + run.end * row_bytes as u64).await?;
        while let Some(place) = places.next_if(|place| u64::from(rows[*place]) < run.end) {
            let from = (u64::from(rows[place]) - run.start) as usize * row_bytes;
            bytes[place * row_bytes..(place + 1) * row_bytes].copy_from_slice(&piece[from..from + row_bytes]);
        }
    }
    Ok(Matrix { rows: rows.len(), cols, dtype: entry.dtype, layout: Layout::OutIn, bytes })
}

/// Ascending rows joined into runs of rows that are worth one read.
fn runs(sorted: &[u32], row_bytes: u64) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for row in sorted.iter().copied().map(u64::from) {
        match runs.last_mut() {
            Some(run) if (row - run.end) * row_bytes <= GAP && (row + 1 - run.start) * row_bytes <= LONGEST => run.end = row + 1,
            _ => runs.push(row..row + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LocalFuture;
    use crate::checkpoint::{ByteSource, Dtype};
    use pollster::block_on;
    use std::any::Any;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A table whose byte at an offset is known, and which remembers what was read.
    struct Watched {
        len: u64,
        reads: RefCell<Vec<Range<u64>>>,
    }

    fn byte(offset: u64) -> u8 {
        (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }

    impl ByteSource for Watched {
        fn name(&self) -> &str {
            "watched"
        }
        fn len(&self) -> u64 {
            self.len
        }
        fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
            self.reads.borrow_mut().push(range.clone());
            Box::pin(async move { Ok(range.map(byte).collect()) })
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    fn table(rows: u64, cols: u64) -> (Rc<Watched>, Entry) {
        let len = 100 + rows * cols * 2;
        let source = Rc::new(Watched { len, reads: RefCell::default() });
        (source.clone(), Entry { name: "t".into(), dtype: Dtype::F16, shape: vec![rows, cols], source, range: 100..len })
    }

    #[test]
    fn rows_come_in_the_asked_order_with_repetitions() {
        let (source, entry) = table(50_000, 64);
        let asked = [7u32, 49_999, 7, 0, 8, 30_000];
        let got = block_on(gather(&entry, &asked)).unwrap();
        assert_eq!((got.rows, got.cols, got.layout), (6, 64, Layout::OutIn));
        for (place, row) in asked.iter().enumerate() {
            let start = 100 + u64::from(*row) * 128;
            let expected: Vec<u8> = (start..start + 128).map(byte).collect();
            assert_eq!(got.bytes[place * 128..(place + 1) * 128], expected);
        }
        let read: u64 = source.reads.borrow().iter().map(|r| r.end - r.start).sum();
        assert_eq!((source.reads.borrow().len(), read), (3, 11 * 128), "rows 0 to 8 are neighbours, the others are not");
    }

    #[test]
    fn no_read_is_longer_than_the_limit() {
        let (source, entry) = table(20_000, 1024);
        let asked: Vec<u32> = (0..20_000).collect();
        let got = block_on(gather(&entry, &asked)).unwrap();
        assert_eq!(got.bytes.len(), 20_000 * 2048);
        assert!(got.bytes.iter().copied().eq((100..100 + 20_000 * 2048).map(byte)));
        assert!(source.reads.borrow().iter().all(|r| r.end - r.start <= LONGEST));
    }

    #[test]
    fn rows_beyond_the_table_and_empty_asks() {
        let (_, entry) = table(10, 4);
        assert!(block_on(gather(&entry, &[3, 10])).unwrap_err().to_string().contains("Row 10"));
        assert_eq!(block_on(gather(&entry, &[])).unwrap().bytes.len(), 0);
        let (_, hollow) = table(0, 0);
        let hollow = Entry { shape: vec![0, u64::MAX], ..hollow };
        assert!(block_on(gather(&hollow, &[])).unwrap_err().to_string().contains("too large"));
        let (_, narrow) = table(10, 0);
        assert_eq!(block_on(gather(&narrow, &[3, 9, 3])).unwrap().rows, 3);
    }
}
