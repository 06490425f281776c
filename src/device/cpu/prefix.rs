//! What outputs lose while the weights of each row go one after another, in f64.

use super::Cpu;
use crate::base::algebra::{Dense, Part, dot};
use crate::base::{Pace, Result};
use crate::device::Tensor;

impl Cpu {
    /// See [`crate::device::Device::prefix_sums`].
    pub async fn prefix_sums(&self, weight: &Tensor, order: &[u32], tokens: &Tensor, step: usize) -> Result<Vec<[f64; 2]>> {
        let inputs = weight.cols;
        let wide = |tensor: &Tensor| -> Result<Dense> {
            Dense::new(tensor.rows, tensor.cols, tensor.cpu()?.values()?.into_iter().map(f64::from).collect())
        };
        let (weight, tokens) = (wide(weight)?, wide(tokens)?);
        let mut outputs = Dense::zeros(weight.rows, tokens.cols);
        outputs.add_product(1.0, &weight, &tokens.transposed(), Part::All, &mut Pace::new(&self.cancel)).await?;
        let mut sums = Vec::with_capacity(weight.rows * inputs.div_ceil(step));
        let mut lost = vec![0.0; tokens.cols];
        for (row, order) in order.chunks_exact(inputs).enumerate() {
            self.pace().await?;
            let (own, weight) = (outputs.row(row), weight.row(row));
            lost.fill(0.0);
            let mut gone = 0;
            for chunk in order.chunks(step) {
                for &input in chunk {
                    let (value, token) = (weight[input as usize], tokens.row(input as usize));
                    lost.iter_mut().zip(token).for_each(|(lost, token)| *lost += value * token);
                }
                gone += chunk.len();
                if gone == inputs {
                    lost.copy_from_slice(own);
                }
                sums.push([dot(own, &lost), dot(&lost, &lost)]);
            }
        }
        Ok(sums)
    }
}
