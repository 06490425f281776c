//! How much work goes into one submission: short enough that cancel is heard and no watchdog barks.

use crate::base::Instant;
use std::time::Duration;

/// Aim for one submission; three of them in flight stay far below a second.
const TARGET: Duration = Duration::from_millis(50);

/// An adaptive estimate of the device's speed, in multiply-adds (times two) or equally slow work per second.
#[derive(Debug)]
pub(super) struct Pace {
    rate: f64,
    last_done: Option<Instant>,
}

impl Pace {
    /// Starts low: the first submissions measure.
    pub(super) fn new(software: bool) -> Self {
        Self { rate: if software { 1e9 } else { 5e10 }, last_done: None }
    }

    /// Cost after which to submit.
    pub(super) fn budget(&self) -> f64 {
        (self.rate * TARGET.as_secs_f64()).clamp(1e7, 4e12)
    }

    /// Learns from a submission of cost `cost`, submitted at `begun` and done now.
    pub(super) fn learn(&mut self, cost: f64, begun: Instant) {
        let now = Instant::now();
        let from = self.last_done.map_or(begun, |last| last.max(begun));
        self.last_done = Some(now);
        // Small submissions measure the round trip, not the speed.
        if cost < 0.3 * self.budget() {
            return;
        }
        let measured = cost / now.duration_since(from).as_secs_f64().max(1e-3);
        // Slow down at once, speed up carefully.
        self.rate = if measured < self.rate { measured } else { measured.min(4.0 * self.rate) };
    }

    #[cfg(test)]
    pub(super) fn restrict(&mut self, rate: f64) {
        self.rate = rate;
    }
}
