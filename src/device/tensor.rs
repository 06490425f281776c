//! Handles to data on a device.

use super::{cpu, gpu};
use crate::base::{Error, Result};
use std::ops::Range;

/// A row-major f32 matrix on a device. Clones share the data.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Data,
}

/// Where the values of a [`Tensor`] are.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Gpu(gpu::Buffer),
    Cpu(cpu::Block),
}

impl Tensor {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    pub(super) fn gpu(&self) -> Result<&gpu::Buffer> {
        match &self.data {
            Data::Gpu(buffer) => Ok(buffer),
            Data::Cpu(_) => Err(Error::internal("a CPU tensor reached the GPU")),
        }
    }

    pub(super) fn cpu(&self) -> Result<&cpu::Block> {
        match &self.data {
            Data::Cpu(block) => Ok(block),
            Data::Gpu(_) => Err(Error::internal("a GPU tensor reached the CPU")),
        }
    }

    /// Fails unless the shape is [rows, cols]; `what` names the operand.
    pub(super) fn expect(&self, what: &str, rows: usize, cols: usize) -> Result<()> {
        if (self.rows, self.cols) == (rows, cols) {
            Ok(())
        } else {
            Err(Error::internal(format_args!("{what} is {} x {}, not {rows} x {cols}", self.rows, self.cols)))
        }
    }
}

impl Tensor {
    /// Fails unless there are at least so many rows of exactly so many columns; `what` names the operand.
    pub(super) fn expect_rows(&self, what: &str, least: usize, cols: usize) -> Result<()> {
        if self.rows >= least && self.cols == cols {
            Ok(())
        } else {
            Err(Error::internal(format_args!("{what} is {} x {}, not {least} or more x {cols}", self.rows, self.cols)))
        }
    }
}

/// Row ranges of `step` rows (at least one) that cover `rows`.
pub(super) fn steps(rows: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    let step = step.max(1);
    (0..rows).step_by(step).map(move |start| start..rows.min(start + step))
}

/// A weight matrix on a device, logically [out, in], whatever way the file stores it.
#[derive(Debug, Clone)]
pub struct Weight {
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) data: WeightData,
}

/// Where the values of a [`Weight`] are.
#[derive(Debug, Clone)]
pub(super) enum WeightData {
    /// Packed as in the file.
    Gpu(gpu::PackedWeight),
    /// f32, [out, in].
    Cpu(cpu::Block),
}

impl Weight {
    /// Number of outputs (rows of the logical [out, in] matrix).
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn gpu(&self) -> Result<&gpu::PackedWeight> {
        match &self.data {
            WeightData::Gpu(weight) => Ok(weight),
            WeightData::Cpu(_) => Err(Error::internal("a CPU weight reached the GPU")),
        }
    }

    pub(super) fn cpu(&self) -> Result<&cpu::Block> {
        match &self.data {
            WeightData::Cpu(block) => Ok(block),
            WeightData::Gpu(_) => Err(Error::internal("a GPU weight reached the CPU")),
        }
    }
}

/// Sequences packed one after another, without padding: sequence i is rows `starts[i]..starts[i + 1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    starts: Vec<u32>,
}

impl Segments {
    /// Segments of the given lengths.
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for length in lengths {
            end += length as u32;
            starts.push(end);
        }
        Self { starts }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Total number of rows.
    pub fn tokens(&self) -> usize {
        *self.starts.last().unwrap_or(&0) as usize
    }

    /// Row range of each sequence.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize)
    }
}
