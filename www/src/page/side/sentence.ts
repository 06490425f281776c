import { h } from '../dom.ts';
import { percent } from '../format.ts';
import { argmax, type Classes, labelOf } from './classes.ts';
import { WORDS } from './words.ts';

/** What one model or both make of a sentence, a row a label, with a bar beside each probability. */
export function tableOfClasses(labels: readonly string[], dense: Classes, pruned: Classes | undefined): HTMLElement {
  const both = pruned ? [dense, pruned] : [dense];
  const names = ['dense', 'pruned'] as const;
  const cell = (classes: Classes, index: number, which: (typeof names)[number]) => {
    const share = classes[index] ?? 0;
    const meter = h('span', { class: `meter ${which}`, 'aria-hidden': 'true' }, h('span', {}));
    (meter.firstElementChild as HTMLElement).style.width = `${share * 100}%`;
    const said = argmax(classes) === index;
    return h(
      'td',
      { 'data-testid': `class-${which}`, 'data-label': labelOf(labels, index), 'data-predicted': String(said) },
      meter,
      said ? h('strong', {}, percent(share)) : percent(share),
      said ? h('span', { class: 'best' }, ` ${WORDS.predicted}`) : null,
    );
  };
  return h(
    'table',
    { class: 'classes', 'data-testid': 'classes' },
    h('caption', {}, WORDS.sentenceTable),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...[WORDS.label, WORDS.dense, ...(pruned ? [WORDS.pruned] : [])].map((title) =>
          h('th', { scope: 'col' }, title),
        ),
      ),
    ),
    h(
      'tbody',
      {},
      ...dense.map((_, index) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, labelOf(labels, index)),
          ...both.map((classes, which) => cell(classes, index, names[which] ?? 'dense')),
        ),
      ),
    ),
  );
}

/** The same in a sentence. */
export function verdict(labels: readonly string[], dense: Classes, pruned: Classes | undefined): string {
  const before = labelOf(labels, argmax(dense));
  if (!pruned) return WORDS.alone(before);
  const after = labelOf(labels, argmax(pruned));
  return before === after ? WORDS.agree(before) : WORDS.disagree(before, after);
}
