//! Buffers: made, counted, and kept for reuse, since making and first binding one is slow.

use super::fault::out_of_memory;
use crate::base::{Error, Result};
use crate::device::Ledger;
use crate::device::budget;
use crate::device::ledger::Entry;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Idle bytes that are kept for reuse.
const KEEP: u64 = 256 << 20;
/// Idle buffers that are kept for reuse.
const KEEP_COUNT: usize = 512;

/// A buffer on the GPU. Clones share it; it returns to the pool when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Buffer(Rc<Lease>);

#[derive(Debug)]
struct Lease {
    raw: Option<wgpu::Buffer>,
    pool: Weak<Pool>,
    _entry: Option<Entry>,
}

impl Buffer {
    pub(super) fn raw(&self) -> Result<&wgpu::Buffer> {
        self.0.raw.as_ref().ok_or_else(|| Error::internal("a GPU buffer was used after it was given back"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(raw), Some(pool)) = (self.raw.take(), self.pool.upgrade()) {
            pool.give_back(raw);
        }
    }
}

/// The buffers of one device.
#[derive(Debug)]
pub(super) struct Pool {
    device: wgpu::Device,
    max_bytes: Cell<u64>,
    ledger: Ledger,
    idle: RefCell<Vec<Idle>>,
    /// Buffers that wait for the next submission before they are destroyed, since unsubmitted commands may name them.
    dying: RefCell<Vec<wgpu::Buffer>>,
    submissions: Cell<u64>,
}

#[derive(Debug)]
struct Idle {
    raw: wgpu::Buffer,
    /// The number of submissions made when the buffer was given back.
    since: u64,
}

/// How the first contents of a buffer come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// By commands, in their order.
    Commands,
    /// By a queue write, which happens before all commands that are not submitted yet.
    Write,
}

impl Pool {
    pub(super) fn new(device: &wgpu::Device, max_bytes: u64) -> Self {
        Self {
            device: device.clone(),
            max_bytes: Cell::new(max_bytes),
            ledger: Ledger::new(budget::GPU),
            idle: RefCell::default(),
            dying: RefCell::default(),
            submissions: Cell::new(0),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A buffer of at least `bytes` bytes with arbitrary contents.
    pub(super) fn take(self: &Rc<Self>, bytes: u64, fill: Fill) -> Result<Buffer> {
        let size = size_class(bytes);
        if bytes > self.max_bytes.get() {
            return Err(Error::memory(format!(
                "A matrix of {} MiB is more than the {} MiB that this GPU allows in one buffer; take fewer or shorter calibration sequences, or run on the CPU.",
                bytes >> 20,
                self.max_bytes.get() >> 20
            )));
        }
        let size = size.min(self.max_bytes.get() / 256 * 256).max(bytes.next_multiple_of(256));
        let raw = self.reuse(size, fill).unwrap_or_else(|| self.create(size));
        Ok(Buffer(Rc::new(Lease { raw: Some(raw), pool: Rc::downgrade(self), _entry: Some(self.ledger.enter(size)) })))
    }

    /// A small buffer that belongs to the device itself, not to anybody's data, and is not counted.
    pub(super) fn permanent(self: &Rc<Self>) -> Buffer {
        Buffer(Rc::new(Lease { raw: Some(self.create(256)), pool: Rc::downgrade(self), _entry: None }))
    }

    fn reuse(&self, size: u64, fill: Fill) -> Option<wgpu::Buffer> {
        let mut idle = self.idle.borrow_mut();
        let fits = |i: &Idle| i.raw.size() == size && (fill == Fill::Commands || i.since < self.submissions.get());
        let at = idle.iter().rposition(fits)?;
        Some(idle.remove(at).raw)
    }

    fn create(&self, size: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        })
    }

    fn give_back(&self, raw: wgpu::Buffer) {
        let mut idle = self.idle.borrow_mut();
        idle.push(Idle { raw, since: self.submissions.get() });
        let mut kept: u64 = idle.iter().map(|i| i.raw.size()).sum();
        while kept > KEEP || idle.len() > KEEP_COUNT {
            let oldest = idle.remove(0).raw;
            kept -= oldest.size();
            self.dying.borrow_mut().push(oldest);
        }
    }

    /// To be called after each submission.
    pub(super) fn submitted(&self) {
        self.submissions.set(self.submissions.get() + 1);
        for raw in self.dying.borrow_mut().drain(..) {
            raw.destroy();
        }
    }

    #[cfg(test)]
    pub(super) fn submissions(&self) -> u64 {
        self.submissions.get()
    }

    #[cfg(test)]
    pub(super) fn idle_count(&self) -> usize {
        self.idle.borrow().len()
    }

    #[cfg(test)]
    pub(super) fn restrict(&self, max_bytes: u64) {
        self.max_bytes.set(max_bytes);
    }
}

/// Sizes in steps of an eighth, so that batches of nearly the same length share buffers.
fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 16).max(256);
    bytes.next_multiple_of(step)
}

/// The error for sizes that overflow an index in a kernel.
pub(super) fn bytes_of(rows: usize, cols: usize) -> Result<u64> {
    (rows as u64).checked_mul(cols as u64).and_then(|n| n.checked_mul(4)).ok_or_else(out_of_memory)
}
