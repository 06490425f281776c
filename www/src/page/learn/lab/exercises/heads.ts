import type { Inspection } from '../../../../lib/coppice.ts';
import type { Attempt } from '../../../attempts/attempt.ts';
import { fixed } from '../../../format.ts';
import { unitSizes } from '../../facts.ts';
import { type Exercise, ofModel } from '../exercise.ts';
import { apartOf, differOnlyIn, newestPair, smaller, structured } from '../find.ts';
import { LAB } from '../words.ts';
import { units } from './sets.ts';

const { missing, why } = LAB;

/**
 * A ratio, in percent, that whole heads give exactly, a third of them in each layer; without neurons to take up what a head rounds away, others
 * are refused.
 */
function thirdOfHeads(model: Inspection): number {
  const fewest = Math.min(...model.layers.map(({ heads }) => heads));
  const going = Math.max(1, Math.floor(fewest / 3)) * model.layers.length;
  const sizes = unitSizes(model);
  return sizes ? Math.round((10_000 * going * sizes.head) / model.linear_parameters) / 100 : 10;
}

/** Whether a run took units of one kind alone. */
function alone(unit: string) {
  return (attempt: Attempt) => {
    const method = structured(attempt);
    return method?.units.length === 1 && method.units[0] === unit;
  };
}

export const heads: Exercise = {
  setups: {
    heads: (model) => units(model, { units: ['heads'], ratio: thirdOfHeads(model) }),
    neurons: (model) => units(model, { units: ['neurons'], ratio: thirdOfHeads(model) }),
  },
  answers: {
    stock: ofModel(({ stock_units: stock }) => {
      const can = stock.includes('heads');
      return { option: can ? 0 : 1, why: can ? why.stockYes : why.stockNo };
    }, missing.model),
    weighs: ofModel((model) => {
      const sizes = unitSizes(model);
      if (!sizes) return { missing: missing.shape };
      const weight = sizes.head / sizes.neuron;
      return { values: [weight], tolerance: 0.02 * weight, why: why.weighs(sizes.head, sizes.neuron) };
    }, missing.model),
    cheaper: ({ attempts }) => {
      const runs = newestPair(attempts, alone('heads'), alone('neurons'), (a, b) => differOnlyIn(['units'], a, b));
      if (!runs) return { missing: missing.kinds };
      const [one, other] = runs.map(apartOf);
      if (one === undefined || other === undefined) return { missing: missing.compared };
      return { option: smaller(one, other), why: why.cheaper(fixed(one, 4), fixed(other, 4)) };
    },
  },
};
