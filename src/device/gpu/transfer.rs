//! Values to the GPU and back.

use super::Gpu;
use super::pool::{Buffer, Fill, bytes_of};
use crate::base::{Error, Result};
use crate::device::Tensor;
use crate::device::tensor::{Data, steps};
use futures_channel::oneshot;
use std::ops::Range;

/// Bytes that are written or read back at once; the staging copies need no more memory than this.
const PIECE: usize = 32 << 20;

impl Gpu {
    /// See [`super::super::Device::upload`].
    pub async fn upload(&self, rows: usize, cols: usize, values: &[f32]) -> Result<Tensor> {
        if rows * cols != values.len() {
            return Err(Error::internal(format_args!("{} values for a {rows} x {cols} tensor", values.len())));
        }
        let buffer = self.context.pool.take(bytes_of(rows, cols)?, Fill::Write)?;
        self.write(&buffer, bytemuck::cast_slice(values)).await?;
        Ok(Tensor { rows, cols, data: Data::Gpu(buffer) })
    }

    /// See [`super::super::Device::upload_by`].
    pub async fn upload_by(
        &self,
        rows: usize,
        cols: usize,
        step: usize,
        next: &mut impl AsyncFnMut(Range<usize>) -> Result<Vec<f32>>,
    ) -> Result<Tensor> {
        let buffer = self.context.pool.take(bytes_of(rows, cols)?, Fill::Write)?;
        for piece in steps(rows, step) {
            let values = next(piece.clone()).await?;
            if values.len() != piece.len() * cols {
                return Err(Error::internal(format_args!("{} values for rows {piece:?} of {cols}", values.len())));
            }
            self.write_at(&buffer, (piece.start * cols * 4) as u64, bytemuck::cast_slice(&values)).await?;
        }
        Ok(Tensor { rows, cols, data: Data::Gpu(buffer) })
    }

    /// See [`super::super::Device::zeros`].
    pub async fn zeros(&self, rows: usize, cols: usize) -> Result<Tensor> {
        let tensor = self.tensor(rows, cols)?;
        self.record_clear(tensor.gpu()?)?;
        self.flush_if_due().await?;
        Ok(tensor)
    }

    /// A list of indices, as a buffer.
    pub(super) async fn upload_indices(&self, indices: &[u32]) -> Result<Buffer> {
        let buffer = self.context.pool.take(indices.len() as u64 * 4, Fill::Write)?;
        self.write(&buffer, bytemuck::cast_slice(indices)).await?;
        Ok(buffer)
    }

    /// Writes `bytes` to the front of a buffer that was taken with [`Fill::Write`].
    pub(super) async fn write(&self, buffer: &Buffer, bytes: &[u8]) -> Result<()> {
        self.write_at(buffer, 0, bytes).await
    }

    /// Writes `bytes` from an offset on, a multiple of 4.
    async fn write_at(&self, buffer: &Buffer, start: u64, bytes: &[u8]) -> Result<()> {
        let raw = buffer.raw()?;
        for (index, piece) in bytes.chunks(PIECE).enumerate() {
            let offset = start + (index * PIECE) as u64;
            let whole = piece.len() / 4 * 4;
            if whole > 0 {
                self.context.queue.write_buffer(raw, offset, &piece[..whole]);
            }
            // Writes come in words; an odd number of halves leaves two bytes over.
            if whole < piece.len() {
                let mut last = [0; 4];
                last[..piece.len() - whole].copy_from_slice(&piece[whole..]);
                self.context.queue.write_buffer(raw, offset + whole as u64, &last);
            }
            self.record_written(piece.len());
            self.flush_if_due().await?;
        }
        Ok(())
    }

    /// See [`super::super::Device::read`].
    pub async fn read(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let mut values = vec![0f32; tensor.rows * tensor.cols];
        self.read_into(tensor.gpu()?, 0, bytemuck::cast_slice_mut(&mut values)).await?;
        Ok(values)
    }

    /// See [`super::super::Device::read_rows`].
    pub async fn read_rows(&self, tensor: &Tensor, rows: Range<usize>) -> Result<Vec<f32>> {
        let mut values = vec![0f32; rows.len() * tensor.cols];
        self.read_into(tensor.gpu()?, (rows.start * tensor.cols * 4) as u64, bytemuck::cast_slice_mut(&mut values)).await?;
        Ok(values)
    }

    async fn read_into(&self, buffer: &Buffer, start: u64, bytes: &mut [u8]) -> Result<()> {
        for (index, piece) in bytes.chunks_mut(PIECE).enumerate() {
            let size = piece.len() as u64;
            let staging = self.context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read back"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            self.record_copy(buffer.raw()?, start + (index * PIECE) as u64, &staging, 0, size);
            let result = self.map(&staging, piece).await;
            staging.destroy();
            result?;
        }
        self.drain().await
    }

    async fn map(&self, staging: &wgpu::Buffer, into: &mut [u8]) -> Result<()> {
        self.flush().await?;
        let (tell, mapped) = oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            let _ = tell.send(result);
        });
        self.poll(None);
        let failed = |reason: String| Error::device(format!("Values could not be read back from the GPU ({reason}); start the run again."));
        match self.context.fault.race(mapped).await? {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => {
                // The cause is the better sentence, where one was reported.
                self.context.fault.check()?;
                return Err(failed(reason.to_string()));
            }
            Err(_) => return Err(failed("no answer".into())),
        }
        let view = staging.get_mapped_range(..).map_err(|reason| failed(reason.to_string()))?;
        into.copy_from_slice(&view);
        Ok(())
    }

    /// See [`super::super::Device::finish`].
    pub async fn finish(&self) -> Result<()> {
        self.drain().await
    }
}
