//! The cancel token: set from outside, checked between submissions. It can hold a run for a while too.

use super::{Error, Result};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Shared between whoever may stop or pause a run and the run itself. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    paused: AtomicBool,
    /// Whom to wake when a paused run may go on.
    waiting: Mutex<Vec<Waker>>,
}

impl CancelToken {
    /// Asks the run to stop at its next check, also while it is paused.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// Asks the run to wait at its next [`CancelToken::gate`]; what it holds on its device stays there.
    pub fn pause(&self) {
        self.0.paused.store(true, Ordering::Relaxed);
    }

    /// Lets a paused run go on.
    pub fn resume(&self) {
        self.0.paused.store(false, Ordering::Relaxed);
        self.wake();
    }

    /// Fails with [`Error::cancelled`] if the run was asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// As [`CancelToken::check`], after waiting for as long as the run is paused.
    ///
    /// # Errors
    /// The run was cancelled, before or while it waited.
    pub async fn gate(&self) -> Result<()> {
        if self.holds() {
            poll_fn(|context| {
                // The list is locked before the flag is read, so that a `resume` in between finds this waker.
                let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !self.holds() {
                    return Poll::Ready(());
                }
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            })
            .await;
        }
        self.check()
    }

    fn holds(&self) -> bool {
        self.0.paused.load(Ordering::Relaxed) && !self.is_cancelled()
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::{Pin, pin};
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake};

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(future: Pin<&mut impl Future<Output = Result<()>>>, counter: &Arc<Counter>) -> Poll<Result<()>> {
        future.poll(&mut Context::from_waker(&Waker::from(counter.clone())))
    }

    #[test]
    fn a_paused_run_waits_at_its_gate_until_it_may_go_on() {
        let (token, counter) = (CancelToken::default(), Arc::new(Counter::default()));
        assert!(matches!(poll(pin!(token.gate()), &counter), Poll::Ready(Ok(()))));
        token.pause();
        // A check does not wait: it is for work that cannot.
        token.check().unwrap();
        let mut gate = pin!(token.gate());
        for _ in 0..3 {
            assert!(poll(gate.as_mut(), &counter).is_pending());
        }
        assert_eq!(counter.0.load(Ordering::Relaxed), 0);
        token.clone().resume();
        assert_eq!(counter.0.load(Ordering::Relaxed), 1, "woken once, however often it was polled");
        assert!(matches!(poll(gate, &counter), Poll::Ready(Ok(()))));
    }

    #[test]
    fn a_run_that_was_paused_again_before_it_noticed_waits_on() {
        let (token, counter) = (CancelToken::default(), Arc::new(Counter::default()));
        token.pause();
        let mut gate = pin!(token.gate());
        assert!(poll(gate.as_mut(), &counter).is_pending());
        token.resume();
        token.pause();
        assert!(poll(gate.as_mut(), &counter).is_pending());
        token.resume();
        assert_eq!(counter.0.load(Ordering::Relaxed), 2);
        assert!(matches!(poll(gate, &counter), Poll::Ready(Ok(()))));
    }

    #[test]
    fn a_cancel_reaches_a_paused_run() {
        let (token, counter) = (CancelToken::default(), Arc::new(Counter::default()));
        token.pause();
        let mut gate = pin!(token.gate());
        assert!(poll(gate.as_mut(), &counter).is_pending());
        token.cancel();
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        let Poll::Ready(Err(error)) = poll(gate, &counter) else { panic!("it still waits, or went on") };
        assert!(error.to_string().contains("cancelled"));
    }
}
