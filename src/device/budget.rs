//! How many bytes a run may use on a device where the person names no figure.

/// Of a GPU. WebGPU does not tell how much memory there is; this much every GPU of the last ten years can spare.
pub(super) const GPU: u64 = 2 << 30;

/// Of the wasm heap, which ends at 4 GiB and cannot give memory back; half of the room is left to weights on the host.
#[cfg(target_arch = "wasm32")]
pub(super) fn cpu() -> u64 {
    2 << 30
}

/// Of a machine's memory: half of what is free, as far as the system tells; otherwise 4 GiB.
#[cfg(not(target_arch = "wasm32"))]
pub fn cpu() -> u64 {
    available().map_or(4 << 30, |bytes| bytes / 2)
}

/// Bytes that programs may still take, where the system tells (Linux).
#[cfg(not(target_arch = "wasm32"))]
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    #[test]
    fn a_machine_has_some_memory() {
        assert!(super::cpu() > 64 << 20);
    }
}
