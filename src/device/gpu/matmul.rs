//! Products of two tensors.

use super::Gpu;
use super::gemm::{Gemm, Operand};
use crate::base::{Error, Result};
use crate::device::{Op, Tensor};

impl Gpu {
    /// See [`super::super::Device::matmul`].
    pub async fn matmul(&self, a: &Tensor, op_a: Op, b: &Tensor, op_b: Op) -> Result<Tensor> {
        let (m, k) = shape(a, op_a);
        let (k_b, n) = shape(b, op_b);
        if k != k_b {
            return Err(Error::internal(format_args!("matmul of {m} x {k} and {k_b} x {n}")));
        }
        let out = self.tensor(m, n)?;
        let a = Operand::new(a.gpu()?, a.cols, op_a);
        let b = Operand::new(b.gpu()?, b.cols, op_b);
        self.gemm(&Gemm::new(a, b, Operand::new(out.gpu()?, n, Op::N), [m, n, k])).await?;
        Ok(out)
    }
}

fn shape(tensor: &Tensor, op: Op) -> (usize, usize) {
    match op {
        Op::N => (tensor.rows, tensor.cols),
        Op::T => (tensor.cols, tensor.rows),
    }
}
