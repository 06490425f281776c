//! Timing a block's sublayers at a handful of widths.

use super::LatencyTable;
use crate::base::{Error, Instant, Phase, Result};
use crate::device::Tensor;
use crate::forward::{Batch, Block, embed};
use crate::model::Unit;
use crate::score::Whole;

/// Widths in a table, in eighths of the widest layer, rounded up; the first is one unit.
const EIGHTHS: [usize; 6] = [0, 1, 2, 4, 6, 8];
/// Timed runs, of which the median counts.
const RUNS: usize = 5;
/// A run repeats its sublayer for at least so many seconds: browsers round their clocks, and waiting for the device has a price of
/// its own.
const SHORTEST: f64 = 0.02;
/// Most repetitions in a run.
const REPETITIONS: usize = 64;

/// Times both sublayers on the first calibration batch.
pub(super) async fn measure(whole: &Whole<'_>) -> Result<LatencyTable> {
    let batch = whole.calibration.batches.first().ok_or_else(|| Error::internal("latency without a calibration batch"))?;
    let batches = std::slice::from_ref(batch);
    let states = embed(whole.device, whole.checkpoint, whole.architecture, batches).await?;
    let states = states.first().ok_or_else(|| Error::internal("latency without states"))?;
    let [heads, neurons] = [times(whole, Unit::Heads, states, batch).await?, times(whole, Unit::Neurons, states, batch).await?];
    Ok(LatencyTable::new(batch.tokens(), heads, neurons))
}

/// Units and seconds of one sublayer, by ascending units. All widths take turns, so that whatever else the device does meanwhile
/// falls on all of them.
async fn times(whole: &Whole<'_>, unit: Unit, states: &Tensor, batch: &Batch) -> Result<Vec<(usize, f64)>> {
    let Whole { device, run, checkpoint, architecture, .. } = *whole;
    let layers = &architecture.layers;
    let widest = (0..layers.len()).max_by_key(|&index| layers[index].units(unit)).ok_or_else(|| Error::internal("no layers"))?;
    let (layer, host) = (&layers[widest], whole.host(widest).await?);
    let all = layer.units(unit);
    let mut counts: Vec<usize> = EIGHTHS.iter().map(|eighths| (all * eighths).div_ceil(8).max(1)).collect();
    counts.dedup();
    let mut blocks = Vec::with_capacity(counts.len());
    for &count in &counts {
        let kept: Vec<u32> = (0..count as u32).collect();
        let narrow = match unit {
            Unit::Heads => host.keep(layer, &kept, &[0]),
            Unit::Neurons => host.keep(layer, &[0], &kept),
        };
        blocks.push(Block::upload(device, checkpoint, architecture, layer, &narrow).await?);
    }
    let time = async |block: &Block, repetitions: usize| -> Result<f64> {
        let clock = Instant::now();
        for _ in 0..repetitions {
            let inputs = block.consumed(device, unit, states, batch).await?;
            block.advance(device, unit, states, &inputs).await?;
        }
        device.finish().await?;
        Ok(clock.elapsed().as_secs_f64() / repetitions as f64)
    };
    // The first run of each compiles and fills caches; the second of the widest, the last, says how many repetitions fill a run.
    let mut second = 0.0;
    for block in &blocks {
        time(block, 1).await?;
        second = time(block, 1).await?;
    }
    let repetitions = ((SHORTEST / second.max(1e-9)).ceil() as usize).clamp(1, REPETITIONS);
    let mut seconds: Vec<Vec<f64>> = vec![Vec::with_capacity(RUNS); blocks.len()];
    for turn in 0..RUNS {
        run.report(Phase::Score, None, layers.len(), (unit as usize as f64 + turn as f64 / RUNS as f64) / Unit::ALL.len() as f64);
        for (block, seconds) in blocks.iter().zip(&mut seconds) {
            seconds.push(time(block, repetitions).await?);
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds[RUNS / 2]
    };
    Ok(counts.into_iter().zip(seconds.into_iter().map(median)).collect())
}
