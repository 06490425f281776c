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
        use crate::checkpoint::FileScratch;
        Ok(Self { output: Box::new(FileScratch::new(folder)?), shelves: shelves(device, Box::new(FileScratch::new(folder)?)) })
    }

    /// Shelves with the limits of [`Storage::in_folder`] that make no file: for what only asks how much would fit.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn limits(device: &Device) -> Shelves {
        shelves(device, Box::new(crate::checkpoint::MemoryScratch))
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

#[cfg(not(target_arch = "wasm32"))]
fn shelves(device: &Device, disk: Box<dyn Scratch>) -> Shelves {
    // The CPU device has the memory already.
    let memory = if matches!(device, Device::Cpu(_)) { 0 } else { crate::device::host_memory() };
    Shelves {
        memory: Shelf { scratch: Box::new(crate::checkpoint::MemoryScratch), limit: memory },
        // How much the disk takes is seen when it is full.
        disk: Shelf { scratch: disk, limit: u64::MAX },
    }
}
