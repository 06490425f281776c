import type { Measure, Size } from '../../lib/coppice.ts';
import { brief, bytes, count, digits, fixed, GAP, percent, short } from '../format.ts';
import type { Attempt } from './attempt.ts';
import { WORDS } from './words.ts';

/** A number that an attempt and its dense model have, for a table or an axis. */
export interface Figure {
  name: string;
  title: string;
  /** Whether less is better. */
  lower: boolean;
  show: (value: number) => string;
  /** The same for a mark of an axis, which is a round number. */
  tick: (value: number) => string;
  of: (attempt: Attempt) => number | undefined;
  dense: (attempt: Attempt) => number | undefined;
}

type Name = keyof typeof WORDS.figures;

/** A round number as people write it, without what a float has behind it. */
function round(value: number): string {
  return digits(value, 6);
}

function figure(name: Name, lower: boolean, show: Figure['show'], of: Figure['of'], dense: Figure['dense']): Figure {
  const tick = show(0).includes('%')
    ? (value: number) => `${round(value * 100)}${GAP}%`
    : (value: number) => brief(value);
  return { name, title: WORDS.figures[name], lower, show, tick, of, dense };
}

/** A figure of both models on the comparison text. */
function measured(
  name: Name,
  lower: boolean,
  show: Figure['show'],
  of: (measure: Measure) => number | undefined,
): Figure {
  const when = (key: 'quality_before' | 'quality_after') => (attempt: Attempt) => {
    const measure = attempt.result.report[key];
    return measure && of(measure);
  };
  return figure(name, lower, show, when('quality_after'), when('quality_before'));
}

/** How far the pruned model is from the dense one, which is at 0. */
function apart(name: Name, show: Figure['show'], of: (measure: Measure) => number | undefined): Figure {
  return { ...measured(name, true, show, of), dense: () => 0 };
}

/** Absent where a report does not tell it. */
function size(name: Name, field: keyof Size, show: Figure['show']): Figure {
  const when = (key: 'before' | 'after') => (attempt: Attempt) => (attempt.result.report[key] as Partial<Size>)[field];
  return figure(name, true, show, when('after'), when('before'));
}

/** How good a model is. */
export const QUALITY: readonly Figure[] = [
  measured(
    'accuracy',
    false,
    (value) => percent(value),
    (one) => ('accuracy' in one ? one.accuracy : undefined),
  ),
  measured(
    'perplexity',
    true,
    (value) => fixed(value, 2),
    (one) => ('perplexity' in one ? one.perplexity : undefined),
  ),
  measured(
    'token_accuracy',
    false,
    (value) => percent(value),
    (one) => ('token_accuracy' in one ? one.token_accuracy : undefined),
  ),
  apart(
    'kl',
    (value) => fixed(value, 4),
    (one) => ('kl' in one ? one.kl : undefined),
  ),
  apart(
    'distance',
    (value) => fixed(value, 4),
    (one) => ('distance' in one ? one.distance : undefined),
  ),
];

/** How large or slow it is. */
export const SIZE: readonly Figure[] = [
  size('parameters', 'parameters', count),
  size('linear_parameters', 'linear_parameters', count),
  { ...size('bytes', 'bytes', bytes), tick: bytes },
  size('flops', 'flops_per_token', short),
  figure(
    'time',
    true,
    (value) => percent(value, 0),
    ({ speed }) => speed && 1 / speed.ratio,
    () => 1,
  ),
];

export const FIGURES: readonly Figure[] = [...QUALITY, ...SIZE];

/** The two of quality that a list has room for: how good, and how far from the dense model. */
export const BRIEF = QUALITY.filter(({ name }) => name !== 'token_accuracy');

/** The figures that at least one of the attempts has. */
export function known(figures: readonly Figure[], attempts: readonly Attempt[]): Figure[] {
  return figures.filter(({ of }) => attempts.some((attempt) => of(attempt) !== undefined));
}

/** The text that an attempt was compared on, as far as it was used: qualities on different texts do not compare. */
export function measuredOn({ result: { report } }: Attempt): string | undefined {
  const [measure, evaluation] = [report.quality_after, report.recipe.evaluation];
  if (!measure) return undefined;
  const source = evaluation?.source ?? '';
  return measure.task === 'perplexity'
    ? WORDS.onTokens(source, measure.tokens, measure.window)
    : WORDS.onLines(source, measure.examples);
}
