//! Putting what was sliced back into wider shapes, zeros elsewhere.

use crate::base::{Error, Result};
use crate::checkpoint::{Data, Layout, Matrix, OutputTensor, Scratch};

/// A matrix of `total` outputs in which output `indices[i]` is output i of `matrix`, bit by bit, and all others are zero.
/// Indices are below `total`, one for each output.
pub(super) fn scatter_outputs(matrix: &Matrix, indices: &[u32], total: usize) -> Matrix {
    if matrix.layout == Layout::OutIn { scatter_rows(matrix, indices, total) } else { scatter_cols(matrix, indices, total) }
}

/// The same for inputs.
pub(super) fn scatter_inputs(matrix: &Matrix, indices: &[u32], total: usize) -> Matrix {
    if matrix.layout == Layout::OutIn { scatter_cols(matrix, indices, total) } else { scatter_rows(matrix, indices, total) }
}

fn scatter_rows(matrix: &Matrix, indices: &[u32], total: usize) -> Matrix {
    let width = matrix.cols * matrix.dtype.size();
    let mut bytes = vec![0; total * width];
    for (row, &index) in matrix.bytes.chunks_exact(width.max(1)).zip(indices) {
        let start = index as usize * width;
        bytes[start..start + width].copy_from_slice(row);
    }
    Matrix { rows: total, bytes, ..*matrix }
}

fn scatter_cols(matrix: &Matrix, indices: &[u32], total: usize) -> Matrix {
    let size = matrix.dtype.size();
    let mut bytes = vec![0; matrix.rows * total * size];
    let rows = matrix.bytes.chunks_exact((matrix.cols * size).max(1));
    for (to, from) in bytes.chunks_exact_mut((total * size).max(1)).zip(rows) {
        for (element, &index) in from.chunks_exact(size).zip(indices) {
            let start = index as usize * size;
            to[start..start + size].copy_from_slice(element);
        }
    }
    Matrix { cols: total, bytes, ..*matrix }
}

/// A vector or matrix grown to `shape` with zeros after what is there.
///
/// # Errors
/// A tensor that is larger than `shape` was not pruned, which is a defect.
pub(super) async fn grow(tensor: OutputTensor, shape: &[u64], scratch: &dyn Scratch) -> Result<OutputTensor> {
    let fits = tensor.shape.len() == shape.len() && tensor.shape.iter().zip(shape).all(|(from, to)| from <= to);
    let ([rows, cols], [to_rows, to_cols]) = match (fits, sides(&tensor.shape), sides(shape)) {
        (true, Some(from), Some(to)) => (from, to),
        _ => {
            return Err(Error::internal(format_args!(
                "tensor {} has shape {:?} where {shape:?} is to be written",
                tensor.name, tensor.shape
            )));
        }
    };
    let bytes = match &tensor.data {
        Data::Kept(entry) => entry.source.read(entry.range.clone()).await?,
        Data::Changed(source) => source.read(0..source.len()).await?,
    };
    let matrix = Matrix { rows, cols, dtype: tensor.dtype, layout: Layout::OutIn, bytes };
    let firsts = |count: usize| (0..count as u32).collect::<Vec<_>>();
    let matrix = scatter_cols(&scatter_rows(&matrix, &firsts(rows), to_rows), &firsts(cols), to_cols);
    let source = scratch.put(&tensor.name, matrix.bytes).await?;
    Ok(OutputTensor { shape: shape.to_vec(), data: Data::Changed(source), ..tensor })
}

/// Rows and columns of a vector or matrix.
fn sides(shape: &[u64]) -> Option<[usize; 2]> {
    match *shape {
        [rows] => Some([rows as usize, 1]),
        [rows, cols] => Some([rows as usize, cols as usize]),
        _ => None,
    }
}
