//! A transformer as operations on a device, one block at a time; statistics are taken between the steps of a block.

mod ahead;
mod answers;
mod batch;
mod block;
mod cache;
mod embed;
mod head;
mod host;
mod linear;
mod loss;
mod norm;
mod resident;
mod vocabulary;

pub use ahead::{each_layer, each_layer_down, in_order};
pub use answers::{Answers, cosine, divergence};
pub use batch::{Batch, batches};
pub use block::{Block, BlockGradient, DeviceNorm, SublayerGradient};
pub use cache::Cache;
pub use embed::{Embedding, embed};
pub use head::HeadWeights;
pub use host::{HostFactor, HostLayer, HostLinear};
pub use linear::{DeviceFactor, DeviceLinear};
pub use loss::{Descent, Loss, Targets};
pub use norm::HostNorm;
pub use resident::{Footprint, Resident, block_bytes, upload_blocks};
pub use vocabulary::Decoder;
