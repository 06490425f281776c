import { h, svg } from '../../dom.ts';
import { type LayerScores, scoredLayers } from '../facts.ts';
import { formula } from '../formula.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { say, table } from './parts.ts';

const { score: words } = WORDS.steps;

/** Which layer a person looks at. */
let chosen = 0;

/** The scores of one layer's neurons, and where the plan cuts them. */
export function score({ runs, redraw }: Walking): Node[] {
  if (!runs.main) return [say(words.needs)];
  const layers = scoredLayers(runs.main.result);
  const layer = layers.find((one) => one.layer === chosen) ?? layers[0];
  const start = [say(words.what), formula('flap'), say(words.why)];
  if (!layer) return [...start, say(words.noScores)];
  const menu = h(
    'select',
    { 'data-testid': 'walk-layer' },
    ...layers.map((one) =>
      h('option', { value: String(one.layer), selected: one === layer }, WORDS.layer(one.layer + 1)),
    ),
  );
  menu.addEventListener('change', () => {
    chosen = Number(menu.value);
    redraw();
  });
  return [
    ...start,
    h('label', { class: 'field' }, h('span', {}, words.layer), menu),
    draw(layer),
    extremes(layer),
    say(spreadOf(layer)),
    ranks(layer),
  ];
}

/** The units that tell most: both ends, the middle, both sides of the cut. */
function extremes({ layer, order }: LayerScores): HTMLElement {
  const at: [keyof typeof words.rows, LayerScores['order'][number] | undefined][] = [
    ['top', order[0]],
    ['median', order[Math.floor(order.length / 2)]],
    ['lastKept', order.findLast(({ kept }) => kept)],
    ['firstGone', order.find(({ kept }) => !kept)],
    ['low', order.at(-1)],
  ];
  return h(
    'div',
    {},
    say(words.of(layer + 1, order.length)),
    h(
      'dl',
      { class: 'learn-facts', 'data-testid': 'walk-scores' },
      ...at.flatMap(([row, one]) =>
        one ? [h('div', {}, h('dt', {}, words.rows[row]), h('dd', {}, words.top(one.unit, one.score)))] : [],
      ),
    ),
  );
}

function spreadOf({ order }: LayerScores): string {
  const [top, middle] = [order[0]?.score ?? 0, order[Math.floor(order.length / 2)]?.score ?? 0];
  const sum = (units: typeof order) => units.reduce((all, one) => all + one.score, 0);
  const tenth = words.tenth(sum(order.slice(0, Math.ceil(order.length / 10))) / sum(order));
  if (middle <= 0) return words.dead;
  return `${top / middle > 2 ? words.times(top / middle) : words.flat} ${tenth}`;
}

/** The curve of scores, its part that stays and its part that goes. */
function draw({ layer, order }: LayerScores): SVGElement {
  const [width, height] = [360, 140];
  const positive = order.map((one) => one.score).filter((value) => value > 0);
  const [high, low] = [Math.log(Math.max(...positive)), Math.log(Math.min(...positive))];
  const y = (value: number) =>
    value > 0 ? 8 + ((high - Math.log(value)) / (high - low || 1)) * (height - 24) : height - 16;
  const x = (place: number) => (place / order.length) * width;
  const area = (kept: boolean) => {
    // A unit more would not be seen: one line of the picture for each half pixel.
    const step = Math.max(1, Math.floor(order.length / (2 * width)));
    const parts = order.flatMap((one, place) =>
      one.kept === kept && place % step === 0
        ? [`M${x(place).toFixed(1)} ${height}V${y(one.score).toFixed(1)}H${x(place + step).toFixed(1)}V${height}Z`]
        : [],
    );
    return svg('path', { d: parts.join(''), class: kept ? 'kept' : 'gone' });
  };
  const cut = x(order.findLastIndex(({ kept }) => kept) + 1);
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, class: 'learn-scores', role: 'img', 'aria-label': words.chart(layer + 1) },
    area(true),
    area(false),
    svg('text', { x: cut - 6, y: 14, 'text-anchor': 'end' }, words.chartKept),
    svg('text', { x: cut + 6, y: 14 }, words.chartGone),
    svg('line', { x1: cut, x2: cut, y1: 0, y2: height, class: 'cut' }),
  );
}

/** The same as a table: every tenth of the order. */
function ranks({ order }: LayerScores): HTMLElement {
  const places = Array.from({ length: 11 }, (_, part) => Math.round((part * (order.length - 1)) / 10));
  const rows = [...new Set(places)].flatMap((place) => {
    const one = order[place];
    if (!one) return [];
    return [[String(place + 1), WORDS.figure(one.score), one.kept ? words.chartKept : words.chartGone]];
  });
  return h(
    'details',
    {},
    h('summary', {}, WORDS.table),
    table(words.scores, [words.ranks, words.scores, words.fate], rows, 'walk-ranks'),
  );
}
