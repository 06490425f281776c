import type { Inspection } from '../../../../lib/coppice.ts';
import type { Fields } from '../../form.ts';
import { unitSizes } from '../../facts.ts';
import { smallSet } from '../../runs.ts';

/** A ratio, in percent: a part of all neurons, since no more than these can go where neurons go alone. */
export function partOfNeurons(model: Inspection, part: number): number {
  return Math.round(100 * part * (unitSizes(model)?.neurons ?? 0.6));
}

/** Fields that every structured run of the lab has, on a small set of text. */
export function units(model: Inspection, fields: Fields): Fields {
  return {
    kind: 'structured',
    units: ['neurons'],
    criterion: 'flap',
    allocation: 'uniform',
    floor: 0,
    reconstruction: 'liar',
    affine: true,
    error_aware: false,
    ridge_auto: false,
    ridge: 0.01,
    output: 'sliced',
    dtype: 'same',
    pad: false,
    ...smallSet(model),
    seed: 0,
    ...fields,
  };
}
