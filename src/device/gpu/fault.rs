//! What the driver reports outside of any call: validation errors, exhausted memory, a lost device.

use crate::base::{Error, Result};
use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::{Either, Shared, select};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Collects reports of the driver. Shared with its callbacks, which may run on another thread.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    state: Arc<Mutex<State>>,
    lost: Shared<oneshot::Receiver<()>>,
}

#[derive(Debug)]
struct State {
    /// The first error that has not been told yet.
    error: Option<Error>,
    /// Why the device is gone, for good.
    lost: Option<String>,
    tell: Option<oneshot::Sender<()>>,
}

impl Fault {
    /// Registers with `device`.
    pub(super) fn watch(device: &wgpu::Device) -> Self {
        let (tell, lost) = oneshot::channel();
        let fault = Self { state: Arc::new(Mutex::new(State { error: None, lost: None, tell: Some(tell) })), lost: lost.shared() };
        let state = fault.state.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            lock(&state).error.get_or_insert_with(|| describe(&error));
        }));
        let state = fault.state.clone();
        device.set_device_lost_callback(move |reason, message| {
            let mut state = lock(&state);
            let message = if message.is_empty() { format!("{reason:?}") } else { message };
            state.lost.get_or_insert(message);
            if let Some(tell) = state.tell.take() {
                let _ = tell.send(());
            }
        });
        fault
    }

    /// Fails if something was reported since the last check, or if the device is gone.
    pub(super) fn check(&self) -> Result<()> {
        let mut state = lock(&self.state);
        if let Some(why) = &state.lost {
            return Err(lost(why));
        }
        state.error.take().map_or(Ok(()), Err)
    }

    /// Forgets what an earlier run reported; a lost device stays lost.
    pub(super) fn forget(&self) {
        lock(&self.state).error = None;
    }

    /// Waits for `future`, or fails when the device is lost: a lost device never settles a pending map.
    pub(super) async fn race<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        let future = std::pin::pin!(future);
        match select(future, self.lost.clone()).await {
            Either::Left((value, _)) => Ok(value),
            Either::Right(_) => {
                self.check()?;
                Err(lost("no reason given"))
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lost(why: &str) -> Error {
    Error::device(format!(
        "The GPU stopped responding and was taken away from the program ({}); start the run again, on the CPU if it happens again.",
        one_line(why)
    ))
}

fn describe(error: &wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => out_of_memory(),
        wgpu::Error::Validation { description, .. } => {
            Error::device(format!("The GPU refused an operation ({}); run on the CPU and please report this.", one_line(description)))
        }
        wgpu::Error::Internal { description, .. } => Error::device(format!(
            "The GPU driver failed ({}); start the run again, on the CPU if it happens again.",
            one_line(description)
        )),
    }
}

pub(super) fn out_of_memory() -> Error {
    Error::memory(
        "The GPU has no memory left; close other programs and tabs that use it, take fewer calibration sequences, or run on the CPU.",
    )
}

/// Drivers answer in paragraphs; a sentence has room for their words but not for their line breaks.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(300).collect()
}
