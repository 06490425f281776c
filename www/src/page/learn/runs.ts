import type { Inspection, Recipe, StructuredMethod } from '../../lib/coppice.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { isDecoder } from '../kind.ts';
import { unitSizes } from './facts.ts';
import type { LearnPage } from './page.ts';

/** Small sets, so that each run of the walk takes seconds; on purpose fewer than the form offers. */
const SMALL = {
  encoder: { sequences: 64, length: 64, limit: 100 },
  decoder: { sequences: 16, length: 128, limit: 1000 },
} as const;

/** Share of all neurons that go in the first run, and in the two that follow it. */
const PARTS = { main: 0.5, smaller: 0.25, larger: 0.85 } as const;

/** A share of the layers' parameters that neurons are, where the headers do not tell. */
const USUAL = 0.6;

/** What the walk has run on one model. */
export interface Runs {
  main?: Attempt;
  none?: Attempt;
  bias?: Attempt;
  smaller?: Attempt;
  larger?: Attempt;
}

/** The calibration set of the walk's runs, for a model that reads no longer sequences than it has positions. */
export function smallSet(inspection: Inspection): { sequences: number; length: number } {
  const { sequences, length } = SMALL[isDecoder(inspection) ? 'decoder' : 'encoder'];
  return { sequences, length: Math.min(length, inspection.positions) };
}

/** The ratio of one of the walk's runs, in whole percents: a part of what all neurons are. */
export function ratioOf(inspection: Inspection, run: keyof typeof PARTS): number {
  return Math.round(100 * PARTS[run] * (unitSizes(inspection)?.neurons ?? USUAL)) / 100;
}

/** Takes neurons by FLAP's scores, as many in every layer, and repairs by LIAR. */
export function pruning(page: LearnPage, inspection: Inspection, run: keyof typeof PARTS): Recipe {
  const method: StructuredMethod = {
    kind: 'structured',
    units: ['neurons'],
    criterion: 'flap',
    allocation: 'uniform',
    ratio: ratioOf(inspection, run),
    reconstruction: 'liar',
    ridge: 0.01,
    error_aware: false,
  };
  return recipe(page, inspection, method);
}

/** Takes the units that an attempt took, with another repair. */
export function repairing(page: LearnPage, { subject, result }: Attempt, reconstruction: 'none' | 'bias'): Recipe {
  return recipe(page, subject.inspection, { kind: 'plan', plan: result.plan, reconstruction, error_aware: false });
}

function recipe({ texts }: LearnPage, inspection: Inspection, method: Recipe['method']): Recipe {
  const { comparison } = texts;
  const { limit } = SMALL[isDecoder(inspection) ? 'decoder' : 'encoder'];
  const { length, sequences } = smallSet(inspection);
  return {
    version: 1,
    calibration: { source: texts.calibrationName, sequences, length, seed: 0 },
    method,
    output: { kind: inspection.stock_units.includes('neurons') ? 'stock' : 'sliced', dtype: 'same', pad: false },
    ...(comparison && {
      evaluation: {
        source: comparison.source,
        limit: Math.min(limit, comparison.limit ?? limit),
        ...(isDecoder(inspection) && { window: Math.min(length, comparison.window ?? length) }),
      },
    }),
  };
}
