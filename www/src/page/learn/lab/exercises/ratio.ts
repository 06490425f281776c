import type { Attempt } from '../../../attempts/attempt.ts';
import { digits, fixed, percent } from '../../../format.ts';
import type { Exercise, Findings } from '../exercise.ts';
import { apartOf, differOnlyIn, methodOf } from '../find.ts';
import { LAB } from '../words.ts';
import { partOfNeurons, units } from './sets.ts';

const { missing, why } = LAB;

/** Shares of the dense accuracy and of the dense perplexity that count as kept. */
const KEPT = { accuracy: 0.95, perplexity: 1.1 } as const;

const ENOUGH = 3;

/** The newest runs that differ in the ratio alone, by ratio. */
function series({ attempts }: Findings): Attempt[] {
  for (const newest of attempts.filter((attempt) => 'ratio' in methodOf(attempt))) {
    const runs = attempts.filter((attempt) => differOnlyIn(['ratio'], newest, attempt));
    const byRatio = new Map(runs.map((run) => [run.result.report.ratio.linear, run]));
    if (byRatio.size >= ENOUGH) return [...byRatio].sort(([a], [b]) => a - b).map(([, run]) => run);
  }
  return [];
}

/** The bound of quality, and whether a run is on its good side. */
function judge({ result: { report } }: Attempt): { bound: string; good: boolean } | undefined {
  const { quality_before: dense, quality_after: pruned } = report;
  if (dense?.task === 'classify' && pruned?.task === 'classify') {
    const bound = KEPT.accuracy * dense.accuracy;
    return { bound: percent(bound), good: pruned.accuracy >= bound };
  }
  if (dense?.task === 'perplexity' && pruned?.task === 'perplexity') {
    const bound = KEPT.perplexity * dense.perplexity;
    return { bound: fixed(bound, 2), good: pruned.perplexity <= bound };
  }
  return undefined;
}

export const ratio: Exercise = {
  setups: {
    low: (model) => units(model, { ratio: partOfNeurons(model, 0.2) }),
    middle: (model) => units(model, { ratio: partOfNeurons(model, 0.55) }),
    high: (model) => units(model, { ratio: partOfNeurons(model, 0.9) }),
  },
  answers: {
    most: (found) => {
      const runs = series(found);
      if (runs.length === 0) return { missing: missing.series };
      const judged = runs.map((run) => ({ run, verdict: judge(run) }));
      const bound = judged[0]?.verdict?.bound;
      if (bound === undefined) return { missing: missing.quality };
      const good = judged.filter(({ verdict }) => verdict?.good);
      const best = good.at(-1)?.run.result.report.ratio;
      const values = best ? [best.asked ?? best.linear, best.linear].map((value) => 100 * value) : [0];
      return { values, tolerance: 0.6, why: why.bend(bound, good.length, runs.length) };
    },
    steps: (found) => {
      const points = series(found).map((run) => ({ x: 100 * run.result.report.ratio.linear, y: apartOf(run) }));
      const [low, before, last] = [points[0], points.at(-2), points.at(-1)];
      if (!low || !before || !last) return { missing: missing.series };
      if (low.y === undefined || before.y === undefined || last.y === undefined) return { missing: missing.compared };
      const [first, final] = [low.y / low.x, (last.y - before.y) / (last.x - before.x)];
      const same = Math.abs(first - final) <= 0.1 * Math.max(first, final);
      return {
        option: same ? 2 : first > final ? 0 : 1,
        why: why.steps(digits(first, 2), digits(final, 2)),
      };
    },
  },
};
