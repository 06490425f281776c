//! Where statistics and hidden states wait between passes: on the device while they fit, then in memory, then in scratch on disk.

use crate::base::{Error, Result};
use crate::checkpoint::{Scratch, Source};
use crate::device::{Device, Tensor};
use serde::Serialize;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

/// Rows of a piece, and the side of a tile of a symmetric matrix: 4 MiB of f32.
const TILE: usize = 1024;

/// Where something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// On the device.
    Device = 0,
    /// In memory of the host; in a browser, outside of the wasm heap.
    Memory = 1,
    /// On disk; in a browser, in the origin's private file system.
    Disk = 2,
}

/// A tier off the device.
pub struct Shelf {
    /// Keeps the bytes.
    pub scratch: Box<dyn Scratch>,
    /// How many bytes it may keep.
    pub limit: u64,
}

/// What a job may keep things in, beside the device.
pub struct Shelves {
    /// Memory of the host.
    pub memory: Shelf,
    /// Scratch on disk.
    pub disk: Shelf,
}

/// Bytes that are kept in each tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tiers {
    /// On the device.
    pub device: u64,
    /// In memory of the host.
    pub memory: u64,
    /// On disk.
    pub disk: u64,
}

/// Keeps tensors by tier. The first tier that has room takes a tensor; nothing moves later.
pub struct Store {
    /// How many bytes may stay on the device.
    device: u64,
    shelves: Shelves,
    counts: Rc<[Count; 3]>,
}

#[derive(Debug, Default)]
struct Count {
    live: Cell<u64>,
    peak: Cell<u64>,
}

/// A tensor that is kept. Clones share it; it is given up when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Kept(Rc<Shelved>);

#[derive(Debug)]
struct Shelved {
    rows: usize,
    cols: usize,
    place: Place,
    tier: Tier,
    bytes: u64,
    counts: Rc<[Count; 3]>,
}

#[derive(Debug)]
enum Place {
    Device(Tensor),
    /// Pieces of [`TILE`] rows.
    Rows(Vec<Source>),
    /// The upper triangle of a symmetric matrix in tiles: piece i has the tiles (i, i), (i, i + 1), ...
    Triangle(Vec<Source>),
}

impl Drop for Shelved {
    fn drop(&mut self) {
        let live = &self.counts[self.tier as usize].live;
        live.set(live.get() - self.bytes);
    }
}

impl Kept {
    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.0.cols
    }

    /// Where it is.
    pub fn tier(&self) -> Tier {
        self.0.tier
    }
}

impl Store {
    /// A store that leaves at most `device` bytes on the device.
    pub fn new(device: u64, shelves: Shelves) -> Self {
        Self { device, shelves, counts: Rc::default() }
    }

    /// Leaves at most so many bytes on the device from now on, if that is less than before.
    pub fn limit(&mut self, device: u64) {
        self.device = self.device.min(device);
    }

    /// What there is beside the device.
    pub fn shelves(&self) -> &Shelves {
        &self.shelves
    }

    /// Bytes that each tier holds now.
    pub fn live(&self) -> Tiers {
        let live = |tier: Tier| self.counts[tier as usize].live.get();
        Tiers { device: live(Tier::Device), memory: live(Tier::Memory), disk: live(Tier::Disk) }
    }

    /// Forgets the peaks, for a new run.
    pub fn restart(&self) {
        self.counts.iter().for_each(|count| count.peak.set(count.live.get()));
    }

    /// Most bytes that each tier held at any one time since the last [`Store::restart`].
    pub fn peaks(&self) -> Tiers {
        let peak = |tier: Tier| self.counts[tier as usize].peak.get();
        Tiers { device: peak(Tier::Device), memory: peak(Tier::Memory), disk: peak(Tier::Disk) }
    }

    /// Keeps a tensor; of a symmetric one, off the device, half.
    ///
    /// # Errors
    /// No tier has room.
    pub async fn keep(&self, device: &Device, tensor: Tensor, symmetric: bool) -> Result<Kept> {
        let (rows, cols) = (tensor.rows(), tensor.cols());
        let bytes = rows as u64 * cols as u64 * 4;
        if self.counts[0].live.get() + bytes <= self.device {
            return Ok(self.kept(rows, cols, Place::Device(tensor), Tier::Device, bytes));
        }
        let bytes = if symmetric { triangle_bytes(rows) } else { bytes };
        let tier = self.shelf_for(bytes)?;
        let mut pieces = Vec::new();
        for range in blocks(rows) {
            let values = device.read_rows(&tensor, range.clone()).await?;
            let packed: Vec<u8> = match symmetric {
                true => tiles(&values, range.start, cols),
                false => bytemuck::cast_slice(&values).to_vec(),
            };
            drop(values);
            pieces.push(self.put(tier, packed).await?);
        }
        let place = if symmetric { Place::Triangle(pieces) } else { Place::Rows(pieces) };
        Ok(self.kept(rows, cols, place, tier, bytes))
    }

    /// Keeps a tensor where it is, if there is room: for what can be computed again sooner than it is fetched from elsewhere.
    pub fn keep_here(&self, tensor: &Tensor) -> Option<Kept> {
        let (rows, cols) = (tensor.rows(), tensor.cols());
        let bytes = rows as u64 * cols as u64 * 4;
        let fits = self.counts[Tier::Device as usize].live.get() + bytes <= self.device;
        fits.then(|| self.kept(rows, cols, Place::Device(tensor.clone()), Tier::Device, bytes))
    }

    /// The tensor on the device: itself where it stayed there, otherwise a copy.
    pub async fn fetch(&self, device: &Device, kept: &Kept) -> Result<Tensor> {
        let (rows, cols) = (kept.0.rows, kept.0.cols);
        match &kept.0.place {
            Place::Device(tensor) => Ok(tensor.clone()),
            Place::Rows(pieces) => {
                let next = async |range: Range<usize>| {
                    let piece = &pieces[range.start / TILE];
                    floats(&piece.read(0..piece.len()).await?)
                };
                device.upload_by(rows, cols, TILE, next).await
            }
            Place::Triangle(pieces) => device.upload_by(rows, cols, TILE, async |range| untile(pieces, range, cols).await).await,
        }
    }

    /// The tier that takes so many bytes more.
    fn shelf_for(&self, bytes: u64) -> Result<Tier> {
        let shelves = &self.shelves;
        let room = |tier: Tier, shelf: &Shelf| self.counts[tier as usize].live.get() + bytes <= shelf.limit;
        if room(Tier::Memory, &shelves.memory) {
            return Ok(Tier::Memory);
        }
        if room(Tier::Disk, &shelves.disk) {
            return Ok(Tier::Disk);
        }
        let live = |tier: Tier| self.counts[tier as usize].live.get() >> 20;
        Err(Error::budget(format!(
            "The statistics do not fit: {} MiB are on the device, {} MiB in memory and {} MiB on disk, and {} MiB more have no place; free some disk space, or use the criterion \"magnitude\" or the repair \"bias\", which need less.",
            live(Tier::Device),
            live(Tier::Memory),
            live(Tier::Disk),
            bytes.div_ceil(1 << 20)
        )))
    }

    async fn put(&self, tier: Tier, bytes: Vec<u8>) -> Result<Source> {
        let shelf = if tier == Tier::Memory { &self.shelves.memory } else { &self.shelves.disk };
        shelf.scratch.put("statistics", bytes).await
    }

    fn kept(&self, rows: usize, cols: usize, place: Place, tier: Tier, bytes: u64) -> Kept {
        let Count { live, peak } = &self.counts[tier as usize];
        live.set(live.get() + bytes);
        peak.set(peak.get().max(live.get()));
        Kept(Rc::new(Shelved { rows, cols, place, tier, bytes, counts: self.counts.clone() }))
    }
}

/// Ranges of at most [`TILE`] of `count` rows or columns.
fn blocks(count: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    (0..count.div_ceil(TILE)).map(move |i| i * TILE..count.min((i + 1) * TILE))
}

/// Bytes of the tiles on and above the diagonal.
fn triangle_bytes(side: usize) -> u64 {
    blocks(side).map(|rows| rows.len() as u64 * (side - rows.start) as u64 * 4).sum()
}

/// The tiles of some whole rows from the diagonal on, one after another.
fn tiles(values: &[f32], first: usize, cols: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * 4);
    for block in blocks(cols).filter(|block| block.start >= first) {
        for row in values.chunks_exact(cols) {
            bytes.extend_from_slice(bytemuck::cast_slice(&row[block.clone()]));
        }
    }
    bytes
}

/// Whole rows of a symmetric matrix: tiles left of the diagonal are those above it, turned.
async fn untile(pieces: &[Source], rows: Range<usize>, cols: usize) -> Result<Vec<f32>> {
    let own = rows.start / TILE;
    let mut values = vec![0f32; rows.len() * cols];
    for (at, block) in blocks(cols).enumerate() {
        // The tile is [height, width] in the piece of the upper one of the two blocks.
        let (piece, height, width, place) = match at < own {
            true => (&pieces[at], block.len(), rows.len(), (own - at) * TILE),
            false => (&pieces[own], rows.len(), block.len(), (at - own) * TILE),
        };
        let start = (place * height * 4) as u64;
        let tile = floats(&piece.read(start..start + (height * width * 4) as u64).await?)?;
        for row in 0..rows.len() {
            let into = &mut values[row * cols + block.start..row * cols + block.end];
            match at < own {
                true => into.iter_mut().enumerate().for_each(|(col, value)| *value = tile[col * width + row]),
                false => into.copy_from_slice(&tile[row * width..(row + 1) * width]),
            }
        }
    }
    Ok(values)
}

/// Bytes that were kept, as the floats that they are.
fn floats(bytes: &[u8]) -> Result<Vec<f32>> {
    if !bytes.len().is_multiple_of(4) {
        return Err(Error::internal("kept values that are not whole"));
    }
    Ok(bytemuck::pod_collect_to_vec(bytes))
}

#[cfg(test)]
pub(super) mod tests;
