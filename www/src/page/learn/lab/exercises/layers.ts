import type { Exercise } from '../exercise.ts';
import { structured } from '../find.ts';
import { LAB } from '../words.ts';
import { partOfNeurons, units } from './sets.ts';

const { missing, why } = LAB;

export const layers: Exercise = {
  setups: { global: (model) => units(model, { allocation: 'global', ratio: partOfNeurons(model, 0.3) }) },
  answers: {
    most: ({ attempts }) => {
      const run = attempts.find((attempt) => {
        const method = structured(attempt);
        return method?.allocation === 'global' && method.units.includes('neurons');
      });
      if (!run) return { missing: missing.global };
      const kept = run.result.report.layers.map(({ neurons }) => neurons.kept / neurons.of);
      const least = Math.min(...kept);
      const values = kept.flatMap((share, layer) => (share === least ? [layer + 1] : []));
      return { values, tolerance: 0, why: why.most(values.join(LAB.or), least) };
    },
    compares: () => ({ option: 1, why: why.compares }),
    output: () => ({ option: 1, why: why.output }),
  },
};
