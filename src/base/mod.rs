//! What every room may use: errors, progress, the cancel token, the clock, seeded random numbers, f64 algebra.

pub mod algebra;
mod cancel;
mod error;
mod heap;
mod pause;
mod progress;
mod random;

pub use cancel::CancelToken;
pub use error::{Error, ErrorKind, Result};
pub use heap::heap_bytes;
pub use pause::{Pace, Pacer, yield_now};
pub use progress::{Observer, Phase, Progress, Run};
pub use random::Random;
pub use web_time::Instant;

/// A future that is polled on the thread that made it. The core is single-threaded by design (wasm), so nothing is `Send`.
pub type LocalFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + 'a>>;
