//! Giving the event loop its turn, so that a worker hears "cancel" while it computes.

use super::{CancelToken, Instant, Result};
use std::time::Duration;

/// Lets other tasks of this thread run once. In a browser this is a macro-task, so messages are delivered; natively it
/// returns at once, since signals need no event loop.
pub async fn yield_now() {
    #[cfg(target_arch = "wasm32")]
    crate::web::macrotask().await;
}

/// Yields when enough time has passed since the last yield, so that short steps do not pay for one each.
#[derive(Debug)]
pub struct Pacer {
    last: Instant,
}

/// No stretch of CPU work should keep the event loop waiting longer than twice this.
const SLICE: Duration = Duration::from_millis(50);

impl Default for Pacer {
    fn default() -> Self {
        Self { last: Instant::now() }
    }
}

impl Pacer {
    /// Yields if the current slice of time is used up, waits while the run is paused, and checks the token.
    pub async fn pace(&mut self, cancel: &CancelToken) -> Result<()> {
        if self.last.elapsed() >= SLICE {
            yield_now().await;
            self.last = Instant::now();
        }
        cancel.gate().await
    }
}

/// A [`Pacer`] with the token that it checks: one for the whole of a computation, however short its parts.
#[derive(Debug)]
pub struct Pace<'a> {
    pacer: Pacer,
    cancel: &'a CancelToken,
}

impl<'a> Pace<'a> {
    /// For a run that `cancel` stops.
    pub fn new(cancel: &'a CancelToken) -> Self {
        Self { pacer: Pacer::default(), cancel }
    }

    /// As [`Pacer::pace`].
    pub async fn step(&mut self) -> Result<()> {
        self.pacer.pace(self.cancel).await
    }
}
