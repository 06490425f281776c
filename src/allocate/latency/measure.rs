//! Timing a block's sublayers at a handful of widths.

use super::LatencyTable;
use crate::base::{Error, Instant, Phase, Result};
use crate::device::Tensor;
use crate::forward::{Batch, Block, embed};
use crate::model::Unit;
use crate::score::Whole;

/// Widths in a table, in eighths of the widest layer; one unit beside them.
const EIGHTHS: [usize; 5] = [8, 6, 4, 2, 1];
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

/// Units and seconds of one sublayer, by ascending units.
async fn times(whole: &Whole<'_>, unit: Unit, states: &Tensor, batch: &Batch) -> Result<Vec<(usize, f64)>> {
    let layers = &whole.architecture.layers;
    let widest = (0..layers.len()).max_by_key(|&index| layers[index].units(unit)).ok_or_else(|| Error::internal("no layers"))?;
    let (layer, host) = (&layers[widest], whole.host(widest).await?);
    let all = layer.units(unit);
    let mut counts: Vec<usize> = EIGHTHS.iter().map(|eighths| (all * eighths).div_ceil(8)).chain([1]).collect();
    counts.dedup();
    let (mut times, mut repetitions) = (Vec::with_capacity(counts.len()), None);
    for (number, &count) in counts.iter().enumerate() {
        let share = (unit as usize as f64 + number as f64 / counts.len() as f64) / Unit::ALL.len() as f64;
        whole.run.report(Phase::Score, None, layers.len(), share);
        let kept: Vec<u32> = (0..count as u32).collect();
        let narrow = match unit {
            Unit::Heads => host.keep(layer, &kept, &[0]),
            Unit::Neurons => host.keep(layer, &[0], &kept),
        };
        let block = Block::upload(whole.device, whole.checkpoint, whole.architecture, layer, &narrow).await?;
        let run = async |repetitions: usize| -> Result<f64> {
            let clock = Instant::now();
            for _ in 0..repetitions {
                let inputs = block.consumed(whole.device, unit, states, batch).await?;
                block.advance(whole.device, unit, states, &inputs).await?;
            }
            whole.device.finish().await?;
            Ok(clock.elapsed().as_secs_f64() / repetitions as f64)
        };
        // The first run compiles and fills caches; the second, of the widest, says how many repetitions fill a run.
        run(1).await?;
        let often = match repetitions {
            Some(often) => often,
            None => *repetitions.insert(((SHORTEST / run(1).await?.max(1e-9)).ceil() as usize).clamp(1, REPETITIONS)),
        };
        let mut seconds = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            seconds.push(run(often).await?);
        }
        seconds.sort_by(f64::total_cmp);
        times.push((count, seconds[RUNS / 2]));
    }
    times.reverse();
    Ok(times)
}
