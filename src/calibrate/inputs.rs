//! What is known of the inputs of linear layers that read the same: sums over all tokens, and some tokens as they are.

use super::{Calibration, Moments};
use crate::base::Result;
use crate::device::{Device, Tensor};

/// Some tokens' values, [rows, width].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Row after row.
    pub values: Vec<f32>,
}

/// Which tokens are sampled: rows by batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampling(Vec<Vec<u32>>);

impl Sampling {
    /// About `limit` tokens of the sequences that repairs are fitted on, and as many of those that check them: evenly spread over a
    /// sequence, its last token first.
    pub fn new(calibration: &Calibration, limit: usize) -> Self {
        let (fitted, held_out) = calibration.batches.split_at(calibration.fitted);
        let mut rows = Vec::with_capacity(calibration.batches.len());
        for batches in [fitted, held_out] {
            let sequences: usize = batches.iter().map(|batch| batch.segments.len()).sum();
            let mut number = 0;
            for batch in batches {
                let mut own = Vec::new();
                for tokens in batch.segments.ranges() {
                    // As many of each sequence, or of every few.
                    let count = (number + 1) * limit / sequences - number * limit / sequences;
                    let count = count.min(tokens.len());
                    own.extend((1..=count).map(|place| (tokens.start + place * tokens.len() / count - 1) as u32));
                    number += 1;
                }
                rows.push(own);
            }
        }
        Self(rows)
    }
}

/// Statistics of the inputs of linear layers that read the same.
#[derive(Debug, Clone)]
pub struct InputStatistics {
    /// Sums over the tokens that are fitted on.
    pub moments: Moments,
    /// Some of these tokens.
    pub fitted: Sample,
    /// Some of the held-out tokens; of those that are fitted on where there are none.
    pub held_out: Sample,
}

impl InputStatistics {
    /// Nothing yet, for inputs of this width.
    pub async fn new(device: &Device, width: usize, gram: bool) -> Result<Self> {
        Ok(Self { moments: Moments::new(device, width, gram).await?, fitted: Sample::default(), held_out: Sample::default() })
    }

    /// Adds the inputs of a batch, [tokens, width].
    pub async fn add(
        &mut self,
        device: &Device,
        inputs: &Tensor,
        number: usize,
        calibration: &Calibration,
        sampling: &Sampling,
    ) -> Result<()> {
        let fitted = number < calibration.fitted;
        if fitted {
            self.moments.add(device, inputs).await?;
        }
        let rows = &sampling.0[number];
        if !rows.is_empty() {
            let values = device.read(&device.select(inputs, Some(rows), None).await?).await?;
            let sample = if fitted { &mut self.fitted } else { &mut self.held_out };
            sample.values.extend(values);
        }
        Ok(())
    }

    /// The tokens that tell how well a layer does.
    pub fn checked(&self) -> &Sample {
        if self.held_out.values.is_empty() { &self.fitted } else { &self.held_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_spread_and_end_with_the_last() {
        // Sequences of 4, 3 and 8 tokens in batches of at most 8; one more is held out only from eight on.
        let sequences: Vec<Vec<u32>> = [4, 3, 8].iter().map(|&length| vec![1; length]).collect();
        let calibration = Calibration::new(&sequences, 8);
        assert_eq!(Sampling::new(&calibration, 3).0, [vec![3, 6], vec![7]]);
        assert_eq!(Sampling::new(&calibration, 6).0, [vec![1, 3, 4, 6], vec![3, 7]]);
        assert_eq!(Sampling::new(&calibration, 1).0, [vec![], vec![7]]);
        assert_eq!(Sampling::new(&calibration, 1000).0[0], [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn held_out_sequences_have_a_sample_of_their_own() {
        let calibration = Calibration::new(&vec![vec![1, 2]; 16], 8);
        let rows = Sampling::new(&calibration, 4).0;
        let count = |rows: &[Vec<u32>]| rows.iter().map(Vec::len).sum::<usize>();
        assert_eq!((count(&rows[..calibration.fitted]), count(&rows[calibration.fitted..])), (4, 4));
    }
}
