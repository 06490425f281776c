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
    let variances = inputs.variances(device).await?;
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
        let singles = largest(device.read(&lost).await?, weight.cols(), &variances, count);
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

/// The values of a transposed weight, [inputs, outputs], that have the largest scores value² variance; the others become zero. Of equal ones
/// the first stay.
fn largest(mut values: Vec<f32>, outputs: usize, variances: &[f64], count: usize) -> Vec<f32> {
    let score = |place: usize, value: f32| f64::from(value).powi(2) * variances.get(place / outputs.max(1)).copied().unwrap_or(0.0);
    let mut order: Vec<(f64, usize)> = values.iter().enumerate().map(|(place, &value)| (score(place, value), place)).collect();
    if count < order.len() {
        order.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order[count..].iter().for_each(|&(_, place)| values[place] = 0.0);
    }
    values
}
