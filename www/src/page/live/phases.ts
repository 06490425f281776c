import type { Phase } from '../../lib/coppice.ts';

/** The phases of a run, in order. */
export const PHASES: readonly Phase[] = [
  'open',
  'evaluate_dense',
  'calibrate',
  'score',
  'reconstruct',
  'export',
  'evaluate_pruned',
];
