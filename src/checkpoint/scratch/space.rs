//! Which bytes of a scratch file are free.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

/// The parts of a file that grows. What was given back is used again for pieces of the same length, of which a job has few; once
/// nothing is left, for all. So one job after another in the same file takes the room of the largest.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Space {
    end: Cell<u64>,
    taken: Cell<u64>,
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
        self.taken.set(self.taken.get() + len);
        start..start + len
    }

    /// Gives a room back.
    pub(in crate::checkpoint) fn give(&self, range: &Range<u64>) {
        let len = range.end - range.start;
        self.taken.set(self.taken.get() - len);
        let mut free = self.free.borrow_mut();
        if self.taken.get() == 0 {
            free.clear();
            self.end.set(0);
        } else {
            free.entry(len).or_default().push(range.start);
        }
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

    #[test]
    fn an_empty_file_is_begun_anew() {
        let space = Space::default();
        for lens in [[8, 4], [7, 5], [1, 2]] {
            let pieces = lens.map(|len| space.take(len));
            assert_eq!(pieces, [0..lens[0], lens[0]..lens[0] + lens[1]], "jobs of other lengths made the file grow");
            pieces.iter().for_each(|piece| space.give(piece));
        }
        // Pieces of no length take no room, whenever they are given back.
        let (none, some) = (space.take(0), space.take(3));
        space.give(&none);
        assert_eq!((some, space.take(1)), (0..3, 3..4));
    }
}
