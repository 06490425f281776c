//! A transformer as operations on a device, one block at a time; statistics are taken between the steps of a block.

mod batch;
mod block;
mod embed;
mod head;
mod host;
mod vocabulary;

pub use batch::{Batch, batches};
pub use block::{Block, DeviceLinear, DeviceNorm};
pub use embed::embed;
pub use head::HeadWeights;
pub use host::{HostLayer, HostLinear};
pub use vocabulary::Decoder;
