//! Coppice prunes transformer models in the browser on WebGPU, and natively from the same recipe.
//!
//! Rooms in the order in which data flows; a room imports only rooms above it (see docs/ARCHITECTURE.md).

pub mod base;
pub mod checkpoint;
pub mod model;
pub mod text;
pub mod device;
pub mod forward;
pub mod calibrate;
pub mod score;
pub mod allocate;
pub mod reconstruct;
pub mod export;
pub mod evaluate;
pub mod recipe;
pub mod job;
#[cfg(not(target_arch = "wasm32"))]
pub mod fixture;
#[cfg(target_arch = "wasm32")]
pub mod web;
