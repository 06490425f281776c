//! Commands that wait for submission, and submissions that wait for the GPU.

use super::Gpu;
use super::pool::Buffer;
use super::shader::Kernel;
use crate::base::{Error, Instant, Result};
use futures_channel::oneshot;
use std::collections::VecDeque;

/// Distance of two parameter blocks: the largest alignment that WebGPU may ask for.
const SLOT: u64 = 256;
/// Parameter blocks of one submission.
const SLOTS: u64 = 256;
/// Submissions in flight before the next one waits for the oldest.
const IN_FLIGHT: usize = 2;

/// What is recorded and not submitted, and what is submitted and not done.
pub(super) struct Recorder {
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    params: Vec<u8>,
    params_buffer: wgpu::Buffer,
    cost: f64,
    in_flight: VecDeque<InFlight>,
}

struct InFlight {
    done: oneshot::Receiver<()>,
    index: wgpu::SubmissionIndex,
    cost: f64,
    begun: Instant,
}

/// A part of a buffer for one binding: byte offset (a multiple of 256) and length.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl<'a> From<&'a Buffer> for Window<'a> {
    fn from(buffer: &'a Buffer) -> Self {
        Self { buffer, offset: 0, bytes: u64::MAX }
    }
}

/// One dispatch.
pub(super) struct Launch<'a> {
    pub(super) kernel: Kernel,
    /// Storage bindings 0.., in order.
    pub(super) storage: &'a [Window<'a>],
    /// Words of the uniform block, which is the binding after the storage.
    pub(super) params: &'a [u32],
    /// Workgroups.
    pub(super) groups: [usize; 2],
    /// Floating-point operations, or as many as would take as long.
    pub(super) cost: f64,
}

impl Recorder {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let params_buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: SLOT * SLOTS,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { encoder: None, pass: None, params: Vec::new(), params_buffer, cost: 0.0, in_flight: VecDeque::new() }
    }

    fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None }))
    }

    fn pass(&mut self, device: &wgpu::Device) -> &mut wgpu::ComputePass<'static> {
        let encoder = self.encoder.get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None }));
        self.pass.get_or_insert_with(|| encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime())
    }
}

impl Gpu {
    /// Records one dispatch; submits when enough has come together.
    pub(super) async fn launch(&self, launch: Launch<'_>) -> Result<()> {
        if launch.groups.contains(&0) {
            return Ok(());
        }
        self.record(&launch)?;
        self.flush_if_due().await
    }

    fn record(&self, launch: &Launch<'_>) -> Result<()> {
        let most = self.context.limits.max_compute_workgroups_per_dimension as usize;
        if launch.groups.iter().any(|&groups| groups > most) {
            return Err(Error::internal(format_args!("{} workgroups in {}", launch.groups[0].max(launch.groups[1]), launch.kernel.file)));
        }
        let pipeline = self.context.pipeline(&launch.kernel)?;
        let mut recorder = self.context.recorder.borrow_mut();
        let slot = recorder.params.len() as u64;
        recorder.params.extend(launch.params.iter().flat_map(|word| word.to_le_bytes()));
        recorder.params.resize((slot + SLOT) as usize, 0);
        recorder.cost += launch.cost;

        let mut entries = Vec::with_capacity(launch.storage.len() + 1);
        for (binding, window) in launch.storage.iter().enumerate() {
            let raw = window.buffer.raw()?;
            let size = window.bytes.min(raw.size() - window.offset).min(self.context.max_binding()).next_multiple_of(16);
            entries.push(entry(binding, raw, window.offset, size));
        }
        let params_buffer = recorder.params_buffer.clone();
        entries.push(entry(launch.storage.len(), &params_buffer, slot, SLOT));
        let group = self.context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(launch.kernel.file),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let pass = recorder.pass(&self.context.device);
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(launch.groups[0] as u32, launch.groups[1] as u32, 1);
        Ok(())
    }

    /// Records that `buffer` becomes zeros.
    pub(super) fn record_clear(&self, buffer: &Buffer) -> Result<()> {
        let raw = buffer.raw()?;
        self.context.recorder.borrow_mut().encoder(&self.context.device).clear_buffer(raw, 0, None);
        Ok(())
    }

    /// Counts `bytes` bytes that a queue write will move.
    pub(super) fn record_written(&self, bytes: usize) {
        let mut recorder = self.context.recorder.borrow_mut();
        recorder.cost += 4.0 * bytes as f64;
        // Something to submit, so that the staging memory of the write is freed.
        recorder.encoder(&self.context.device);
    }

    /// Records a copy of `bytes` bytes.
    pub(super) fn record_copy(&self, from: &wgpu::Buffer, from_offset: u64, to: &wgpu::Buffer, to_offset: u64, bytes: u64) {
        let mut recorder = self.context.recorder.borrow_mut();
        recorder.encoder(&self.context.device).copy_buffer_to_buffer(from, from_offset, to, to_offset, bytes);
    }

    pub(super) async fn flush_if_due(&self) -> Result<()> {
        let due = {
            let recorder = self.context.recorder.borrow();
            recorder.cost >= self.context.pace.borrow().budget() || recorder.params.len() as u64 >= SLOT * SLOTS
        };
        if due { self.flush().await } else { self.cancel.check() }
    }

    /// Submits what is recorded, waits for the submission before the last one, and for as long as the run is paused.
    pub(super) async fn flush(&self) -> Result<()> {
        self.submit();
        while self.context.recorder.borrow().in_flight.len() > IN_FLIGHT {
            self.wait_for_oldest().await?;
        }
        self.context.fault.check()?;
        self.cancel.gate().await
    }

    /// Submits what is recorded and waits until the GPU has nothing left to do.
    pub(super) async fn drain(&self) -> Result<()> {
        self.submit();
        while !self.context.recorder.borrow().in_flight.is_empty() {
            self.wait_for_oldest().await?;
            self.cancel.check()?;
        }
        self.context.fault.check()?;
        self.cancel.gate().await
    }

    fn submit(&self) {
        let context = &self.context;
        let mut recorder = context.recorder.borrow_mut();
        recorder.pass = None;
        let Some(encoder) = recorder.encoder.take() else { return };
        if !recorder.params.is_empty() {
            context.queue.write_buffer(&recorder.params_buffer, 0, &recorder.params);
        }
        let begun = Instant::now();
        let index = context.queue.submit([encoder.finish()]);
        let (tell, done) = oneshot::channel();
        context.queue.on_submitted_work_done(move || {
            let _ = tell.send(());
        });
        let cost = std::mem::take(&mut recorder.cost);
        recorder.params.clear();
        recorder.in_flight.push_back(InFlight { done, index, cost, begun });
        drop(recorder);
        context.pool.submitted();
    }

    async fn wait_for_oldest(&self) -> Result<()> {
        let oldest = self.context.recorder.borrow_mut().in_flight.pop_front();
        let Some(oldest) = oldest else { return Ok(()) };
        self.poll(Some(oldest.index));
        // The sender is dropped only with the queue; either way the wait is over.
        let _ = self.context.fault.race(oldest.done).await?;
        self.context.pace.borrow_mut().learn(oldest.cost, oldest.begun);
        Ok(())
    }

    /// Natively, callbacks run only while the device is polled; in a browser this does nothing.
    pub(super) fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) {
        // A failure to poll shows as a lost device.
        let _ = self.context.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
    }
}

fn entry(binding: usize, buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding: binding as u32,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: std::num::NonZeroU64::new(size) }),
    }
}
