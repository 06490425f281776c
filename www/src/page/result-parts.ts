import type { Measure, Report } from '../lib/coppice.ts';
import { h, headings } from './dom.ts';
import { bytes, count, duration, fixed, percent } from './format.ts';
import { WORDS as ALL } from './words.ts';

const { result: WORDS } = ALL;

/** The headline figures. */
export function summaryOf(report: Report): HTMLElement {
  const saved = report.before.bytes - report.after.bytes;
  const { own, total } = report.seconds;
  const device = report.device.kind === 'gpu' ? 'GPU' : 'CPU';
  const figures: [string, string, string][] = [
    [percent(report.ratio.linear), WORDS.figures.removed, 'removed-share'],
    [saved > 0 ? bytes(saved) : WORDS.figures.none, WORDS.figures.saved, 'bytes-saved'],
    [bytes(report.memory.device), WORDS.figures.memory, 'memory-used'],
    [duration(own), own < total ? WORDS.figures.onWithKept(device) : WORDS.figures.on(device), 'seconds'],
  ];
  return h(
    'div',
    { class: 'figures' },
    ...figures.map(([value, what, id]) => h('p', {}, h('strong', { 'data-testid': id }, value), h('span', {}, what))),
  );
}

/** The table of before and after. */
export function comparisonOf({
  quality_before: dense,
  quality_after: pruned,
  before,
  after,
  recipe,
}: Report): HTMLElement {
  const rows: [string, string, string, string][] = [
    ...quality(dense, pruned),
    [WORDS.linear, count(before.linear_parameters), count(after.linear_parameters), 'linear-parameters'],
    [WORDS.parameters, count(before.parameters), count(after.parameters), 'parameters'],
    [WORDS.bytes, bytes(before.bytes), bytes(after.bytes), 'bytes'],
  ];
  return h(
    'table',
    { class: 'compare', 'data-testid': 'comparison' },
    h('caption', {}, WORDS.caption(recipe.output.kind)),
    h('thead', {}, headings(WORDS.columns)),
    h(
      'tbody',
      {},
      ...rows.map(([what, was, is, id]) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, what),
          h('td', { 'data-testid': `${id}-before` }, was),
          h('td', { 'data-testid': `${id}-after` }, is),
        ),
      ),
    ),
  );
}

/** Rows on how good the model is, for the kind of head that it has. */
function quality(dense: Measure | undefined, pruned: Measure | undefined): [string, string, string, string][] {
  if (dense?.task === 'classify' && pruned?.task === 'classify') {
    const kl = pruned.kl === undefined ? WORDS.notMeasured : fixed(pruned.kl, 4);
    return [
      [WORDS.accuracy(dense.examples), percent(dense.accuracy), percent(pruned.accuracy), 'accuracy'],
      [WORDS.kl, '0', kl, 'kl'],
    ];
  }
  if (pruned?.task === 'features' && pruned.distance !== undefined) {
    return [[WORDS.distance(pruned.examples), '0', fixed(pruned.distance, 4), 'distance']];
  }
  if (dense?.task === 'perplexity' && pruned?.task === 'perplexity') {
    const what = WORDS.perplexity(dense.tokens, dense.window);
    const kl = pruned.kl === undefined ? WORDS.notMeasured : fixed(pruned.kl, 4);
    return [
      [what, fixed(dense.perplexity, 2), fixed(pruned.perplexity, 2), 'perplexity'],
      [WORDS.tokenAccuracy, percent(dense.token_accuracy), percent(pruned.token_accuracy), 'token-accuracy'],
      [WORDS.klToken, '0', kl, 'kl'],
    ];
  }
  return [[WORDS.quality, WORDS.notMeasured, WORDS.notMeasured, 'quality']];
}

/** Warnings and close calls, where there are some. */
export function notesOf({ notes: sentences, close_calls: closeCalls }: Report): HTMLElement | string {
  if (sentences.length + closeCalls.length === 0) return '';
  const calls = closeCalls.map(({ layer, unit, index, kept }) => WORDS.call(layer, unit, index, kept));
  return h(
    'div',
    { class: 'notes', 'data-testid': 'notes' },
    ...sentences.map((sentence) => h('p', { lang: 'en' }, sentence)),
    closeCalls.length > 0
      ? h(
          'details',
          {},
          h('summary', {}, WORDS.closeCalls(closeCalls.length)),
          h('ul', {}, ...calls.map((call) => h('li', {}, call))),
        )
      : null,
  );
}
