//! The size of the WebAssembly heap.

/// Bytes of the WebAssembly heap, which only grows; `None` natively, where the system manages memory.
pub fn heap_bytes() -> Option<u64> {
    #[cfg(target_arch = "wasm32")]
    let bytes = Some((core::arch::wasm32::memory_size(0) as u64) << 16);
    #[cfg(not(target_arch = "wasm32"))]
    let bytes = None;
    bytes
}
