//! Every live byte of a device, counted where buffers are made and dropped, and how many there may be.

use std::cell::Cell;
use std::rc::Rc;

/// Live and peak bytes, and the budget that runs plan by. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    live: Cell<u64>,
    peak: Cell<u64>,
    budget: Cell<u64>,
}

impl Ledger {
    /// An empty ledger with a budget.
    pub(super) fn new(budget: u64) -> Self {
        let ledger = Self::default();
        ledger.set_budget(budget);
        ledger
    }

    /// Bytes in use now.
    pub fn live(&self) -> u64 {
        self.0.live.get()
    }

    /// Most bytes in use at any one time since the last [`Ledger::restart`].
    pub fn peak(&self) -> u64 {
        self.0.peak.get()
    }

    /// Bytes that a run may use: what is larger is streamed, kept elsewhere, or refused with the figures.
    pub fn budget(&self) -> u64 {
        self.0.budget.get()
    }

    /// Sets the budget.
    pub fn set_budget(&self, bytes: u64) {
        self.0.budget.set(bytes);
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
