import type { Exercise, Findings } from '../exercise.ts';
import { methodOf } from '../find.ts';
import { LAB } from '../words.ts';
import { units } from './sets.ts';

const { missing, why } = LAB;

/** The speed of the newest run of a kind that has one, in times the dense one. */
function speedOf({ attempts }: Findings, kind: string): number | undefined {
  return attempts.find((attempt) => methodOf(attempt).kind === kind && attempt.speed !== undefined)?.speed?.ratio;
}

export const speed: Exercise = {
  setups: {
    sparse: (model) =>
      units(model, {
        kind: 'sparse',
        weight_criterion: 'wanda',
        pattern: 'unstructured',
        sparsity_allocation: 'uniform',
        layer_budgets: 'uniform',
        update: 'none',
        ratio: 50,
        output: 'masked',
      }),
    units: (model) => units(model, { units: ['heads', 'neurons'], ratio: 50 }),
  },
  answers: {
    times: (found) => {
      const ratio = speedOf(found, 'sparse');
      if (ratio === undefined) return { missing: missing.sparse };
      // A speed is shown in hundredths.
      return { values: [ratio], tolerance: 0.03, why: Math.abs(ratio - 1) < 0.15 ? why.times : why.timesFar };
    },
    faster: (found) => {
      const [sparse, whole] = [speedOf(found, 'sparse'), speedOf(found, 'structured')];
      if (sparse === undefined || whole === undefined) return { missing: missing.speeds };
      const same = Math.abs(sparse - whole) <= 0.05 * Math.max(sparse, whole);
      return { option: same ? 2 : sparse > whole ? 0 : 1, why: why.faster(sparse, whole) };
    },
    packed: () => ({ values: [56.25], tolerance: 0.1, why: why.packed }),
  },
};
