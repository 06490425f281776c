import { h, headings } from '../../dom.ts';
import type { Measure } from '../../../lib/coppice.ts';
import { divergence } from '../facts.ts';
import { WORDS } from '../words.ts';

/** A paragraph. */
export function say(...words: (Node | string)[]): HTMLElement {
  return h('p', {}, ...words);
}

/** A button of a step. */
export function action(title: string, id: string, act: () => void, main = true): HTMLButtonElement {
  const button = h('button', { type: 'button', 'data-testid': id, ...(main && { class: 'main' }) }, title);
  button.addEventListener('click', act);
  return button;
}

/** A small table; the first cell of a row is its heading. */
export function table(caption: string, titles: readonly string[], rows: readonly string[][], id: string): HTMLElement {
  return h(
    'div',
    { class: 'learn-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h(
      'table',
      { 'data-testid': id },
      h('caption', {}, caption),
      h('thead', {}, headings(titles)),
      h(
        'tbody',
        {},
        ...rows.map(([first, ...rest]) =>
          h('tr', {}, h('th', { scope: 'row' }, first), ...rest.map((text) => h('td', {}, text))),
        ),
      ),
    ),
  );
}

/** How good a model is, in words; of one that has no answers, what it was compared on. */
export function qualityOf(measure: Measure | undefined): string {
  if (measure?.task === 'classify') return WORDS.quality.accuracy(measure.accuracy);
  if (measure?.task === 'perplexity') return WORDS.quality.perplexity(measure.perplexity);
  return measure ? WORDS.quality.examples(measure.examples) : WORDS.unknown;
}

/** The titles of the columns with {@link qualityOf} and {@link apart}. */
export function titlesOf(measure: Measure | undefined): [quality: string, apart: string] {
  const { quality, apart: titles } = WORDS;
  return [
    measure ? quality.titles[measure.task] : quality.none,
    measure?.task === 'features' ? titles.distance : titles.kl,
  ];
}

/** How far it is from the dense one, in words. */
export function apart(measure: Measure | undefined): string {
  const value = divergence(measure);
  return value === undefined ? WORDS.unknown : WORDS.kl(value);
}
