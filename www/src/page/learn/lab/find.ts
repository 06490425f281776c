import type { Recipe, StructuredMethod } from '../../../lib/coppice.ts';
import type { Attempt } from '../../attempts/attempt.ts';
import { measuredOn } from '../../attempts/figures.ts';
import { divergence } from '../facts.ts';

type Method = Recipe['method'];

export function methodOf({ result }: Attempt): Method {
  return result.report.recipe.method;
}

export function structured(attempt: Attempt): StructuredMethod | undefined {
  const method = methodOf(attempt);
  return method.kind === 'structured' ? method : undefined;
}

/** Whether two runs have the same recipe but for some fields of the method and what follows from them, on the same texts. */
export function differOnlyIn(fields: readonly string[], a: Attempt, b: Attempt): boolean {
  const rest = (attempt: Attempt) => {
    const { method, calibration, output } = attempt.result.report.recipe;
    const kept = Object.entries(method).filter(([name]) => !fields.includes(name));
    return JSON.stringify([kept.sort(([x], [y]) => (x < y ? -1 : 1)), calibration, output.kind, measuredOn(attempt)]);
  };
  return rest(a) === rest(b);
}

/** The newest pair of runs, of which the first and the second are such, and that go together. */
export function newestPair(
  attempts: readonly Attempt[],
  first: (attempt: Attempt) => boolean,
  second: (attempt: Attempt) => boolean,
  together: (a: Attempt, b: Attempt) => boolean,
): [Attempt, Attempt] | undefined {
  const seconds = attempts.filter(second);
  for (const one of attempts.filter(first)) {
    const other = seconds.find((candidate) => together(one, candidate));
    if (other) return [one, other];
  }
  return undefined;
}

/** How far a run's model is from the dense one. */
export function apartOf({ result }: Attempt): number | undefined {
  return divergence(result.report.quality_after);
}

/** Which of two is smaller: 0, 1, or 2 where they agree as they are shown. */
export function smaller(a: number, b: number): number {
  return a.toFixed(4) === b.toFixed(4) ? 2 : a < b ? 0 : 1;
}
