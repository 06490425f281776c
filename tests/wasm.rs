//! What only a wasm build can show: the core on wasm32, in Node instead of a worker (`tools/wasm.sh test`).
//! On any other target this file is empty.
#![cfg(target_arch = "wasm32")]

use coppice::base::Random;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn addresses_are_32_bit_and_file_offsets_64() {
    assert_eq!(size_of::<usize>(), 4);
    assert_eq!(size_of::<u64>(), 8);
}
