use super::*;
use crate::base::CancelToken;
use crate::checkpoint::MemoryScratch;
use crate::device::cpu::Cpu;
use pollster::block_on;
use proptest::prelude::*;

pub(crate) fn shelves(memory: u64, disk: u64) -> Shelves {
    Shelves {
        memory: Shelf { scratch: Box::new(MemoryScratch), limit: memory },
        disk: Shelf { scratch: Box::new(MemoryScratch), limit: disk },
    }
}

fn cpu() -> Device {
    Device::Cpu(Cpu::new(CancelToken::default(), ""))
}

/// A symmetric matrix whose every entry is another.
fn symmetric(side: usize) -> Vec<f32> {
    let at = |i: usize, j: usize| (i.min(j) * side + i.max(j)) as f32;
    (0..side * side).map(|k| at(k / side, k % side)).collect()
}

#[test]
fn the_first_tier_with_room_takes_it_and_gives_it_up() {
    let (device, bytes) = (cpu(), 16);
    let store = Store::new(bytes, shelves(bytes, bytes));
    let tensor = |value: f32| block_on(device.upload(2, 2, &[value; 4])).unwrap();
    let keep = |value: f32| block_on(store.keep(&device, tensor(value), false));
    let [a, b, c] = [keep(1.0).unwrap(), keep(2.0).unwrap(), keep(3.0).unwrap()];
    assert_eq!([a.tier(), b.tier(), c.tier()], [Tier::Device, Tier::Memory, Tier::Disk]);
    for (kept, value) in [(&a, 1.0), (&b, 2.0), (&c, 3.0)] {
        let back = block_on(store.fetch(&device, kept)).unwrap();
        assert_eq!(block_on(device.read(&back)).unwrap(), [value; 4]);
    }
    let full = keep(4.0).unwrap_err().to_string();
    assert!(full.contains("1 MiB more have no place"), "{full}");
    drop(b);
    assert_eq!(keep(5.0).unwrap().tier(), Tier::Memory);
    assert_eq!(store.peaks(), Tiers { device: bytes, memory: bytes, disk: bytes });
}

#[test]
fn symmetric_matrices_of_many_tiles_come_back() {
    let device = cpu();
    for side in [1, TILE - 1, TILE, TILE + 1, 2 * TILE + 37] {
        let store = Store::new(0, shelves(u64::MAX, 0));
        let values = symmetric(side);
        let kept = block_on(store.keep(&device, block_on(device.upload(side, side, &values)).unwrap(), true)).unwrap();
        let back = block_on(store.fetch(&device, &kept)).unwrap();
        assert!(block_on(device.read(&back)).unwrap() == values, "side {side}");
        let full = (side * side * 4) as u64;
        assert!(store.peaks().memory <= full && (side <= 2 * TILE || store.peaks().memory < full * 4 / 5));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_shape_comes_back(rows in 0usize..2100, cols in 0usize..5, seed in any::<u32>()) {
        let device = cpu();
        let store = Store::new(0, shelves(0, u64::MAX));
        let values: Vec<f32> = (0..rows * cols).map(|i| (i as u32 ^ seed) as f32).collect();
        let kept = block_on(store.keep(&device, block_on(device.upload(rows, cols, &values)).unwrap(), false)).unwrap();
        let back = block_on(store.fetch(&device, &kept)).unwrap();
        prop_assert_eq!((back.rows(), back.cols()), (rows, cols));
        prop_assert!(block_on(device.read(&back)).unwrap() == values);
    }
}
