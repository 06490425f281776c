//! Where a run keeps what the device does not hold.

use crate::calibrate::{Shelf, Shelves};
use crate::checkpoint::Scratch;
use crate::device::Device;

/// Where a run keeps what it cannot hold.
pub struct Storage {
    /// Takes changed tensors until the output is written.
    pub output: Box<dyn Scratch>,
    /// Take statistics and hidden states that do not fit on the device.
    pub shelves: Shelves,
}

impl Storage {
    /// Temporary files in `folder`, best on the disk that the output goes to.
    ///
    /// # Errors
    /// No file can be made there.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn in_folder(folder: &std::path::Path, device: &Device) -> crate::base::Result<Self> {
        use crate::checkpoint::{FileScratch, MemoryScratch};
        // The CPU device has the memory already.
        let memory = if matches!(device, Device::Cpu(_)) { 0 } else { crate::device::host_memory() };
        Ok(Self {
            output: Box::new(FileScratch::new(folder)?),
            shelves: Shelves {
                memory: Shelf { scratch: Box::new(MemoryScratch), limit: memory },
                // How much the disk takes is seen when it is full.
                disk: Shelf { scratch: Box::new(FileScratch::new(folder)?), limit: u64::MAX },
            },
        })
    }

    /// Blobs for the output; memory outside of the wasm heap, and the origin's private file system, for the rest.
    #[cfg(target_arch = "wasm32")]
    pub async fn in_browser(device: &Device) -> Self {
        use crate::checkpoint::{BlobScratch, BufferScratch, PrivateFileScratch};
        /// What a tab can have beside its wasm heap without being noticed; no more than half of what the device may use.
        const MEMORY: u64 = 1 << 30;
        let disk = PrivateFileScratch::new().await;
        Self {
            output: Box::new(BlobScratch),
            shelves: Shelves {
                memory: Shelf { scratch: Box::new(BufferScratch), limit: MEMORY.min(device.budget() / 2) },
                disk: Shelf { limit: disk.room(), scratch: Box::new(disk) },
            },
        }
    }
}
