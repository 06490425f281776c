//! Which bytes of a scratch file are free.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

/// The parts of a file that grows. What was given back is used again for pieces of the same length, of which a job has few.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Space {
    end: Cell<u64>,
    /// Starts of free pieces by length.
    free: RefCell<BTreeMap<u64, Vec<u64>>>,
}

impl Space {
    /// Room for so many bytes.
    pub(in crate::checkpoint) fn take(&self, len: u64) -> Range<u64> {
        let start = self.free.borrow_mut().get_mut(&len).and_then(Vec::pop).unwrap_or_else(|| {
            let start = self.end.get();
            self.end.set(start + len);
            start
        });
        start..start + len
    }

    /// Gives a room back.
    pub(in crate::checkpoint) fn give(&self, range: &Range<u64>) {
        self.free.borrow_mut().entry(range.end - range.start).or_default().push(range.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_length_take_each_other_s_place() {
        let space = Space::default();
        let (a, b) = (space.take(8), space.take(4));
        assert_eq!((a.clone(), b), (0..8, 8..12));
        space.give(&a);
        assert_eq!(space.take(6), 12..18, "a shorter piece does not break a longer one up");
        assert_eq!((space.take(8), space.take(8)), (0..8, 18..26));
    }
}
