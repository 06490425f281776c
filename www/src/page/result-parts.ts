import type { Measure, Report } from '../lib/coppice.ts';
import { h, headings } from './dom.ts';
import { bytes, count, duration, percent } from './format.ts';

/** The headline figures. */
export function summaryOf(report: Report): HTMLElement {
  const saved = report.before.bytes - report.after.bytes;
  const figures: [string, string, string][] = [
    [percent(report.ratio.linear), "of the layers' parameters removed", 'removed-share'],
    [saved > 0 ? bytes(saved) : 'none', 'of disk space saved', 'bytes-saved'],
    [bytes(report.memory.device), 'of memory on the device, at most', 'memory-used'],
    [duration(report.seconds.total), `on the ${report.device.kind === 'gpu' ? 'GPU' : 'CPU'}`, 'seconds'],
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
    ['Parameters in the layers', count(before.linear_parameters), count(after.linear_parameters), 'linear-parameters'],
    ['Parameters in the whole model', count(before.parameters), count(after.parameters), 'parameters'],
    ['Weights on disk', bytes(before.bytes), bytes(after.bytes), 'bytes'],
  ];
  return h(
    'table',
    { class: 'compare', 'data-testid': 'comparison' },
    h('caption', {}, `Before and after, written as “${recipe.output.kind}”`),
    h('thead', {}, headings(['What', 'Before', 'After'])),
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
    const kl = pruned.kl === undefined ? 'not measured' : pruned.kl.toFixed(4);
    return [
      [`Accuracy on ${count(dense.examples)} lines`, percent(dense.accuracy), percent(pruned.accuracy), 'accuracy'],
      ['Divergence from the dense model (KL, nats)', '0', kl, 'kl'],
    ];
  }
  if (pruned?.task === 'features' && pruned.distance !== undefined) {
    return [
      [
        `Distance of hidden states (1 - cosine) on ${count(pruned.examples)} lines`,
        '0',
        pruned.distance.toFixed(4),
        'distance',
      ],
    ];
  }
  if (dense?.task === 'perplexity' && pruned?.task === 'perplexity') {
    const what = `Perplexity of ${count(dense.tokens)} tokens, windows of ${count(dense.window)} (lower is better)`;
    const kl = pruned.kl === undefined ? 'not measured' : pruned.kl.toFixed(4);
    return [
      [what, dense.perplexity.toFixed(2), pruned.perplexity.toFixed(2), 'perplexity'],
      ['Next tokens guessed right', percent(dense.token_accuracy), percent(pruned.token_accuracy), 'token-accuracy'],
      ['Divergence from the dense model (KL, nats a token)', '0', kl, 'kl'],
    ];
  }
  return [['Quality', 'not measured', 'not measured', 'quality']];
}

/** Warnings and close calls, where there are some. */
export function notesOf({ notes: sentences, close_calls: closeCalls }: Report): HTMLElement | string {
  if (sentences.length + closeCalls.length === 0) return '';
  const calls = closeCalls.map(
    ({ layer, unit, index, kept }) => `${callOf(layer, unit, index)}: ${kept ? 'kept' : 'removed'}`,
  );
  return h(
    'div',
    { class: 'notes', 'data-testid': 'notes' },
    ...sentences.map((sentence) => h('p', {}, sentence)),
    closeCalls.length > 0
      ? h(
          'details',
          {},
          h('summary', {}, `Close calls: ${count(closeCalls.length)} units that another device might decide otherwise`),
          h('ul', {}, ...calls.map((call) => h('li', {}, call))),
        )
      : null,
  );
}

/** What was decided: a unit of a layer, a whole layer, or a channel that runs through all of them. */
function callOf(layer: number | undefined, unit: string, index: number): string {
  if (layer === undefined) return `Channel ${index}`;
  return unit === 'layers' ? `Layer ${layer + 1}` : `Layer ${layer + 1}, ${unit} ${index}`;
}
