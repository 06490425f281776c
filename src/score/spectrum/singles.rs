//! Low rank plus single weights: W ≈ U V + S. In turns U V is the best product for W - S, and S takes over those weights of W - U V that
//! have the largest scores |w| ‖x‖ (OATS, Zhang and Papyan, 2024, with Wanda's scores; methods reference 6.8).

use super::lowered::{Lowered, lowered};
use super::{Inputs, Scaling, Spectrum, spectrum};
use crate::base::Result;
use crate::calibrate::Store;
use crate::device::{Device, Op, Tensor};

/// How often product and single weights take turns. Each costs as much as a spectrum, and each lowers the error by less than the one before:
/// by a quarter in the third round and by an eighth in the fifth, on the stories models.
const ROUNDS: usize = 8;

/// What single weights need beside the spectrum.
pub struct Singles<'a> {
    /// What the layers read.
    pub inputs: &'a mut Inputs,
    /// What the factorisation makes of it.
    pub scaling: &'a Scaling,
    /// How many weights stay.
    pub count: usize,
}

/// The product of a rank and single weights for a stacked weight that is given transposed, [inputs, outputs]: those of the round with the
/// least error of the output.
///
/// # Errors
/// The device fails, or the run is cancelled.
pub(super) async fn with_singles(
    device: &Device,
    store: &Store,
    weight: &Tensor,
    first: &Spectrum,
    rank: usize,
    Singles { inputs, scaling, count }: Singles<'_>,
) -> Result<Lowered> {
    let norms: Vec<f32> = inputs.variances.iter().map(|variance| variance.sqrt() as f32).collect();
    let mut best: Option<Lowered> = None;
    let mut known = first.clone();
    for round in 0..ROUNDS {
        let rest = match &best {
            Some(Lowered { singles: Some(singles), .. }) => device.add(weight, singles, -1.0).await?,
            _ => weight.clone(),
        };
        if round > 0 {
            known = spectrum(device, store, &rest, inputs, scaling, &first.members).await?;
        }
        let mut found = lowered(device, store, &rest, &known, rank, &inputs.means).await?;
        let lost = device.add(weight, &found.product, -1.0).await?;
        let singles = largest(device.read(&lost).await?, weight.cols(), &norms, count);
        let singles = device.upload(weight.rows(), weight.cols(), &singles).await?;
        let lost = device.add(&lost, &singles, -1.0).await?;
        found.shift = super::lowered::shift(device, &lost, &inputs.means).await?;
        found.error = device.dot(&device.matmul(&inputs.gram, Op::N, &lost, Op::N).await?, &lost).await?.max(0.0);
        found.singles = Some(singles);
        // Single weights are scored one by one, as if inputs did not depend on each other: the error may rise again.
        if best.as_ref().is_some_and(|best| best.error <= found.error) {
            break;
        }
        best = Some(found);
    }
    match best {
        Some(best) => Ok(best),
        None => lowered(device, store, weight, first, rank, &inputs.means).await,
    }
}

/// The values of a transposed weight, [inputs, outputs], that have the largest scores |value| norm, one norm an input; the others become
/// zero. Of equal ones the first stay.
fn largest(mut values: Vec<f32>, outputs: usize, norms: &[f32], count: usize) -> Vec<f32> {
    if count >= values.len() {
        return values;
    }
    let rows = values.chunks_exact(outputs.max(1)).zip(norms);
    let scores: Vec<f32> = rows.flat_map(|(row, norm)| row.iter().map(move |value| value.abs() * norm)).collect();
    let mut order = scores.clone();
    let (above, &mut least, _) = order.select_nth_unstable_by(count, |a, b| b.total_cmp(a));
    // Those before it are as many as may stay, some of them perhaps its equals.
    let mut equals = count - above.iter().filter(|&&score| score > least).count();
    for (value, score) in values.iter_mut().zip(scores) {
        let equal = score == least && equals > 0;
        equals -= usize::from(equal);
        if score <= least && !equal {
            *value = 0.0;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn the_largest_stay_and_of_equals_the_first() {
        let values = vec![1.0, -3.0, 2.0, 2.0, -2.0, 0.5];
        // Rows of two outputs; the last input is three times as loud.
        let kept = |count: usize| largest(values.clone(), 2, &[1.0, 1.0, 3.0], count);
        assert_eq!(kept(0), [0.0; 6]);
        assert_eq!(kept(1), [0.0, 0.0, 0.0, 0.0, -2.0, 0.0]);
        assert_eq!(kept(3), [0.0, -3.0, 2.0, 0.0, -2.0, 0.0]);
        assert_eq!(kept(4), [0.0, -3.0, 2.0, 2.0, -2.0, 0.0]);
        assert_eq!((kept(6), kept(9)), (values.clone(), values.clone()));
        assert_eq!(largest(Vec::new(), 0, &[], 0), Vec::<f32>::new());
    }
}
