//! Sequences packed into batches of about equal numbers of tokens.

use crate::device::Segments;

/// Sequences that go through a block together, one after another without padding.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Where each sequence lies.
    pub segments: Segments,
    /// Token ids, [tokens].
    pub ids: Vec<u32>,
    /// Position of each token in its sequence, [tokens].
    pub positions: Vec<u32>,
}

impl Batch {
    fn new(sequences: &[&Vec<u32>]) -> Self {
        Self {
            segments: Segments::new(sequences.iter().map(|sequence| sequence.len())),
            ids: sequences.iter().flat_map(|sequence| sequence.iter().copied()).collect(),
            positions: sequences.iter().flat_map(|sequence| 0..sequence.len() as u32).collect(),
        }
    }

    /// The next tokens of one sequence, from position `first` on.
    pub fn continued(ids: &[u32], first: u32) -> Self {
        Self { segments: Segments::new([ids.len()]), ids: ids.to_vec(), positions: (first..first + ids.len() as u32).collect() }
    }

    /// The same sequences several times, one copy of all after another.
    pub fn repeated(&self, copies: usize) -> Self {
        let lengths: Vec<usize> = self.segments.ranges().map(|range| range.len()).collect();
        Self { segments: Segments::new(lengths.repeat(copies)), ids: self.ids.repeat(copies), positions: self.positions.repeat(copies) }
    }

    /// Token ids of each sequence.
    pub fn sequences(&self) -> impl Iterator<Item = &[u32]> {
        self.segments.ranges().map(|range| &self.ids[range])
    }

    /// Row of the first token of each sequence.
    pub fn firsts(&self) -> Vec<u32> {
        self.segments.ranges().map(|rows| rows.start as u32).collect()
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }
}

/// Packs sequences in their order, at most `tokens` a batch (a longer sequence is a batch of its own).
pub fn batches<'a>(sequences: impl IntoIterator<Item = &'a Vec<u32>>, tokens: usize) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut open: Vec<&Vec<u32>> = Vec::new();
    let mut filled = 0;
    for sequence in sequences {
        if filled + sequence.len() > tokens && !open.is_empty() {
            batches.push(Batch::new(&open));
            open.clear();
            filled = 0;
        }
        filled += sequence.len();
        open.push(sequence);
    }
    if !open.is_empty() {
        batches.push(Batch::new(&open));
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_in_order_within_the_limit() {
        let sequences = vec![vec![1, 2, 3], vec![4], vec![5, 6, 7, 8, 9], vec![10, 11]];
        let batches = batches(&sequences, 4);
        let lengths: Vec<usize> = batches.iter().map(Batch::tokens).collect();
        assert_eq!(lengths, [4, 5, 2]);
        assert_eq!(batches[0].positions, [0, 1, 2, 0]);
        assert_eq!(batches[0].segments.ranges().collect::<Vec<_>>(), [0..3, 3..4]);
        assert_eq!(batches.iter().flat_map(|b| b.ids.clone()).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
        let twice = batches[0].repeated(2);
        assert_eq!(twice.sequences().collect::<Vec<_>>(), [&[1, 2, 3][..], &[4], &[1, 2, 3], &[4]]);
        assert_eq!(twice.positions, [0, 1, 2, 0, 0, 1, 2, 0]);
    }
}
