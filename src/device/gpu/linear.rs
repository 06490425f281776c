//! Linear layers with packed weights.

use super::Gpu;
use super::gemm::{Gemm, Operand};
use crate::base::{Error, Result};
use crate::device::{Activation, Op, Tensor, Weight};

impl Gpu {
    /// See [`super::super::Device::linear`].
    pub async fn linear(&self, x: &Tensor, weight: &Weight, bias: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        if x.cols != weight.inputs {
            return Err(Error::internal(format_args!("linear: x has {} columns, the weight {} inputs", x.cols, weight.inputs)));
        }
        let packed = weight.gpu()?;
        let out = self.tensor(x.rows, weight.outputs)?;
        let bias = match bias {
            None => None,
            Some(bias) => {
                bias.expect("bias of linear", 1, weight.outputs)?;
                Some(bias.gpu()?)
            }
        };
        let (stride, op) = if packed.rows_are_outputs { (weight.inputs, Op::T) } else { (weight.outputs, Op::N) };
        let a = Operand::new(x.gpu()?, x.cols, Op::N);
        let b = Operand { packed: packed.dtype, ..Operand::new(&packed.buffer, stride, op) };
        let c = Operand::new(out.gpu()?, out.cols, Op::N);
        self.gemm(&Gemm { bias, activation, ..Gemm::new(a, b, c, [x.rows, weight.outputs, weight.inputs]) }).await?;
        Ok(out)
    }
}
