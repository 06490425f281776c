import type { Inspection } from '../../../lib/coppice.ts';
import type { Attempt } from '../../attempts/attempt.ts';
import type { Fields } from '../form.ts';

/** What answers are taken from: the model that is open and the runs of this visit on it, the newest first. */
export interface Findings {
  inspection: Inspection | undefined;
  attempts: readonly Attempt[];
}

/** What is right; or what there must be before that can be told. */
export type Answer =
  | { missing: string }
  /** Any of the numbers, each within the tolerance. */
  | { values: readonly number[]; tolerance: number; why: string }
  /** The place of the right option. */
  | { option: number; why: string };

/** What an exercise does beside its words. */
export interface Exercise {
  /** What a run wants of the recipe form. */
  setups: Record<string, (model: Inspection) => Fields>;
  /** Answers, by the names of the questions. */
  answers: Record<string, (found: Findings) => Answer>;
}

/** An answer that needs the model alone. */
export function ofModel(answer: (model: Inspection) => Answer, missing: string): (found: Findings) => Answer {
  return ({ inspection }) => (inspection ? answer(inspection) : { missing });
}
