import { fixed } from '../../../format.ts';
import { ffnErrors } from '../../facts.ts';
import type { Exercise, Findings } from '../exercise.ts';
import { apartOf, differOnlyIn, newestPair, smaller, structured } from '../find.ts';
import { LAB } from '../words.ts';
import { partOfNeurons, units } from './sets.ts';

const { missing, why } = LAB;

/** The newest two runs that differ in the repair, and in the options that only one of the repairs has. */
function pair({ attempts }: Findings) {
  const by = (repair: string) => (attempt: Findings['attempts'][number]) =>
    structured(attempt)?.reconstruction === repair;
  return newestPair(attempts, by('bias'), by('liar'), (bias, liar) =>
    differOnlyIn(['reconstruction', 'ridge', 'affine', 'error_aware', 'target'], bias, liar),
  );
}

export const repair: Exercise = {
  setups: {
    bias: (model) => units(model, { reconstruction: 'bias', ratio: partOfNeurons(model, 0.5) }),
    liar: (model) => units(model, { ratio: partOfNeurons(model, 0.5) }),
  },
  answers: {
    nearer: (found) => {
      const runs = pair(found);
      if (!runs) return { missing: missing.repairs };
      const [bias, liar] = runs.map(apartOf);
      if (bias === undefined || liar === undefined) return { missing: missing.compared };
      return { option: smaller(bias, liar), why: why.nearer(fixed(bias, 4), fixed(liar, 4)) };
    },
    left: (found) => {
      const liar = pair(found)?.[1];
      if (!liar) return { missing: missing.repairs };
      const errors = ffnErrors(liar.result).filter(({ without }) => without > 0);
      const [most] = errors.sort((a, b) => b.without - a.without);
      if (!most) return { missing: missing.errors };
      const { layer, without, after } = most;
      return { values: [(100 * after) / without], tolerance: 3, why: why.left(layer + 1, without, after) };
    },
    why: () => ({ option: 2, why: why.why }),
  },
};
