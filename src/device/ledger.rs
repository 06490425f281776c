//! Every live byte of a device, counted where buffers are made and dropped.

use std::cell::Cell;
use std::rc::Rc;

/// Live and peak bytes. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    live: Cell<u64>,
    peak: Cell<u64>,
}

impl Ledger {
    /// Bytes in use now.
    pub fn live(&self) -> u64 {
        self.0.live.get()
    }

    /// Most bytes in use at any one time since the last [`Ledger::restart`].
    pub fn peak(&self) -> u64 {
        self.0.peak.get()
    }

    /// Forgets the peak, for a new run.
    pub fn restart(&self) {
        self.0.peak.set(self.live());
    }

    /// Counts `bytes` as live until the entry is dropped.
    pub fn enter(&self, bytes: u64) -> Entry {
        self.0.live.set(self.live() + bytes);
        self.0.peak.set(self.peak().max(self.live()));
        Entry { ledger: self.clone(), bytes }
    }
}

/// A counted allocation.
#[derive(Debug)]
pub struct Entry {
    ledger: Ledger,
    bytes: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.0.live.set(self.ledger.live() - self.bytes);
    }
}
