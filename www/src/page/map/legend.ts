import { h } from '../dom.ts';
import { sharesKeys } from '../kind.ts';
import { largestError } from './draw.ts';
import { STEPS } from './order.ts';
import type { View } from './view.ts';
import { WORDS } from './words.ts';

/** The titles of the columns, over the rows. */
export function columnTitles(view: View): HTMLElement {
  const sorted = view.layers.some(({ neurons }) => neurons.scores);
  const matrices = view.layers.some(({ linears }) => linears.length > 0);
  const title = (text: string, kind = '') => h('span', { class: kind }, text);
  const middle = matrices
    ? [title(WORDS.linearsColumn, 'map-wide')]
    : [title(WORDS.headsColumn(sharesKeys(view.model), view.shape?.queries)), title(WORDS.neuronsColumn(sorted))];
  return h(
    'div',
    { class: 'map-titles', 'aria-hidden': 'true' },
    title(WORDS.layerColumn),
    ...middle,
    title(view.shape ? WORDS.sizeColumn : ''),
    title(largestError(view) > 0 ? WORDS.errorColumn(largestError(view)) : ''),
  );
}

/** What shades and marks mean. `carried` says that the scores are not this run's own. */
export function legend(view: View, carried: boolean): HTMLElement {
  const { layers } = view;
  const units = layers.flatMap(({ heads, neurons }) => [heads, neurons]);
  const scored = units.some(({ scores }) => scores);
  const matrices = layers.some(({ linears }) => linears.length > 0);
  const key = (classes: string, text: string) =>
    h('span', { class: 'map-key' }, h('i', { class: `map-swatch ${classes}`, 'aria-hidden': 'true' }), text);
  const shade = (_: unknown, step: number) => h('i', { class: `map-swatch s${step}` });
  const sentences = [
    scored ? WORDS.legendScale : '',
    scored && carried ? WORDS.legendCarried : '',
    !scored && !matrices ? WORDS.legendUnscored : '',
    largestError(view) > 0 ? WORDS.legendError : '',
  ].filter((sentence) => sentence !== '');
  return h(
    'div',
    { class: 'map-legend hint' },
    h(
      'p',
      { class: 'row' },
      scored
        ? h(
            'span',
            { class: 'map-key' },
            `${WORDS.legendScores}: ${WORDS.legendLow}`,
            h('span', { class: 'map-shades', 'aria-hidden': 'true' }, ...Array.from({ length: STEPS }, shade)),
            WORDS.legendHigh,
          )
        : null,
      key(scored ? 's4' : 'plain', WORDS.legendKept),
      key(scored ? 's1 gone' : 'plain gone', WORDS.legendGone),
      units.some(({ close }) => close.size > 0) ? key('plain close', WORDS.legendClose) : null,
      units.some(({ changed }) => changed.size > 0) ? key('plain changed', WORDS.legendChanged) : null,
    ),
    ...(sentences.length > 0 ? [h('p', {}, sentences.join(' '))] : []),
  );
}
