import type { Estimate, Phase } from '../../lib/coppice.ts';
import { PHASES } from './phases.ts';
import type { Timeline } from './timeline.ts';

/** Before the comparison is done once, its two halves count so: afterwards the dense model runs beside the pruned one. */
const BEFORE = 0.4;

/** The first moments of a phase say little about its rate. */
const SURE_SECONDS = 1;
const SURE_FRACTION = 0.02;

/** Seconds that the phase under way will still take at its rate so far; nothing while that says little. */
export function leftInStep({ stage, elapsed }: Timeline): number | undefined {
  if (!stage) return undefined;
  const { fraction, since } = stage;
  const spent = elapsed - since;
  const known = spent > SURE_SECONDS && fraction > SURE_FRACTION && fraction < 1;
  return known ? (spent * (1 - fraction)) / fraction : undefined;
}

/**
 * Seconds that the whole run will still take, roughly: what was estimated of the phases to come, scaled by how those so far went against
 * their estimate.
 */
export function leftInAll(timeline: Timeline, steps: Estimate['steps']): number | undefined {
  const { stage, stages, elapsed } = timeline;
  if (!steps || !stage) return undefined;
  const told: Partial<Record<Phase, number>> = {
    evaluate_dense: BEFORE * steps.evaluate,
    calibrate: steps.calibrate,
    score: steps.score,
    reconstruct: steps.reconstruct,
    evaluate_pruned: (1 - BEFORE) * steps.evaluate,
  };
  const step = leftInStep(timeline);
  let [took, foretold] = [0, 0];
  for (const { phase, seconds } of stages) {
    if (phase === stage.phase && step === undefined) continue;
    const estimate = told[phase] ?? 0;
    took += estimate === 0 ? 0 : phase === stage.phase ? elapsed - stage.since + (step ?? 0) : seconds;
    foretold += estimate;
  }
  const scale = foretold > 0 && took > 0 ? took / foretold : 1;
  const coming = PHASES.slice(PHASES.indexOf(stage.phase) + 1).reduce((sum, phase) => sum + (told[phase] ?? 0), 0);
  const here = step ?? scale * (told[stage.phase] ?? 0) * (1 - stage.fraction);
  return here + scale * coming;
}
