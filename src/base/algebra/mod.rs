//! Dense algebra in f64 on the host, for what is decided there: plans do not depend on the device's precision.
//!
//! Nearly all work is candle-core's matrix products, in tiles between which the event loop runs and "cancel" is heard.

mod dense;
mod eigen;
mod sweep;
#[cfg(test)]
mod tests;

pub(crate) use dense::dot;
pub use dense::{Dense, Part};
pub use eigen::{eigen, eigenvalues};
pub use sweep::{Sweep, spd_inverse};
