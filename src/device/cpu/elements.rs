//! candle's element-wise operations on f32 alone. Its own are compiled for every dtype that a tensor may have, which are fourteen:
//! a tenth of the wasm module.

use crate::base::{Error, Result};
use candle_core::cpu_backend::{binary_map_vec_par, unary_map, unary_map_vec_par};
use candle_core::op::{BinaryOpT, UnaryOpT};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor as Candle};
use std::marker::PhantomData;

type Done = candle_core::Result<(CpuStorage, Shape)>;

/// op(x), value by value.
pub(super) fn unary<B: UnaryOpT>(x: &Candle) -> Result<Candle> {
    Ok(x.apply_op1_no_bwd(&Op::<B>(PhantomData))?)
}

/// a op b, value by value; b is repeated where it has one row or column and a has more.
pub(super) fn binary<B: BinaryOpT>(a: &Candle, b: &Candle) -> Result<Candle> {
    Ok(a.apply_op2_no_bwd(&b.broadcast_as(a.shape())?, &Op::<B>(PhantomData))?)
}

/// x times a factor.
pub(super) fn scaled(x: &Candle, factor: f32) -> Result<Candle> {
    let scale = |values: &[f32], layout: &Layout| (unary_map(values, layout, |value| value * factor), layout.shape().clone());
    Ok(x.apply_op1_no_bwd(&Custom(scale))?)
}

/// One value for every row along the last dimension, which stays with a length of 1.
pub(super) fn of_rows(x: &Candle, of_row: impl Fn(&[f32]) -> f32) -> Result<Candle> {
    let mut dims = x.dims().to_vec();
    let width = dims.last_mut().map_or(1, |last| std::mem::replace(last, 1));
    let fold = |values: &[f32], layout: &Layout| {
        (whole(values, layout).chunks_exact(width.max(1)).map(&of_row).collect(), Shape::from(dims.as_slice()))
    };
    Ok(x.contiguous()?.apply_op1_no_bwd(&Custom(fold))?)
}

/// The rows (`dim` 0) or columns (`dim` 1) of a matrix with these indices.
pub(super) fn gathered(x: &Candle, dim: usize, indices: &[u32]) -> Result<Candle> {
    let (rows, cols) = x.dims2()?;
    if indices.iter().any(|&index| index as usize >= [rows, cols][dim]) {
        return Err(Error::internal("a row or column outside of its matrix"));
    }
    let gather = |values: &[f32], layout: &Layout| {
        let values = whole(values, layout);
        match dim {
            0 => {
                let row = |&index: &u32| &values[index as usize * cols..(index as usize + 1) * cols];
                (indices.iter().map(row).collect::<Vec<_>>().concat(), Shape::from((indices.len(), cols)))
            }
            _ => {
                let row = |row: &[f32]| -> Vec<f32> { indices.iter().map(|&index| row[index as usize]).collect() };
                (values.chunks_exact(cols.max(1)).flat_map(row).collect(), Shape::from((rows, indices.len())))
            }
        }
    };
    Ok(x.contiguous()?.apply_op1_no_bwd(&Custom(gather))?)
}

/// The values of a contiguous tensor.
fn whole<'a>(values: &'a [f32], layout: &Layout) -> &'a [f32] {
    layout.contiguous_offsets().map_or(&[], |(start, end)| &values[start..end])
}

/// One of candle's operations.
struct Op<B>(PhantomData<B>);

impl<B: UnaryOpT> CustomOp1 for Op<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Done {
        let values = unary_map_vec_par(x.as_slice::<f32>()?, layout, B::f32, B::f32_vec);
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }
}

impl<B: BinaryOpT> CustomOp2 for Op<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, of_a: &Layout, b: &CpuStorage, of_b: &Layout) -> Done {
        let (a, b) = (a.as_slice::<f32>()?, b.as_slice::<f32>()?);
        let values = binary_map_vec_par(of_a, of_b, a, b, B::f32, B::f32_vec, B::f32_scalar_vec);
        Ok((CpuStorage::F32(values), of_a.shape().clone()))
    }
}

/// An operation of ours: the values and where they lie, to new ones and their shape.
struct Custom<F>(F);

impl<F: Fn(&[f32], &Layout) -> (Vec<f32>, Shape)> CustomOp1 for Custom<F> {
    fn name(&self) -> &'static str {
        "custom"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Done {
        let (values, shape) = (self.0)(x.as_slice::<f32>()?, layout);
        Ok((CpuStorage::F32(values), shape))
    }
}
