import type { PruneResult } from '../lib/coppice.ts';
import { h, svg } from './dom.ts';
import { count, percent } from './format.ts';

/** Sizes in the drawing's own units; CSS scales it to the page. */
const ROW = 26;
const BAR = 14;
const LABEL = 64;
const HEADS = 250;
const GAP = 24;
const NEURONS = 250;
const WIDTH = LABEL + HEADS + GAP + NEURONS;
const TOP = 22;

/** Units of one kind in one layer: the kept ones, of how many. */
interface Units {
  kept: readonly number[];
  of: number;
}

/** What stays of a layer. */
export interface KeptLayer {
  heads: Units;
  neurons: Units;
}

/** The plan's indices and the report's counts, brought together. */
export function keptLayers({ report, plan }: PruneResult): KeptLayer[] {
  return report.layers.map(({ heads, neurons }, index) => ({
    heads: { kept: plan.layers[index]?.heads ?? [], of: heads.of },
    neurons: { kept: plan.layers[index]?.neurons ?? [], of: neurons.of },
  }));
}

/** Which heads stay (one cell a head) and what share of neurons stays, layer by layer. */
export function drawKept(layers: readonly KeptLayer[]): SVGElement {
  const height = TOP + layers.length * ROW;
  const rows = layers.flatMap((layer, index) => drawLayer(layer, index, TOP + index * ROW));
  return svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${height}`, class: 'chart', 'aria-hidden': 'true' },
    svg('text', { x: LABEL, y: 12, class: 'axis' }, 'Heads'),
    svg('text', { x: LABEL + HEADS + GAP, y: 12, class: 'axis' }, 'Neurons'),
    ...rows,
  );
}

function drawLayer({ heads, neurons }: KeptLayer, index: number, y: number): SVGElement[] {
  const label = svg('text', { x: 0, y: y + 12, class: 'label' }, `Layer ${index + 1}`);
  const kept = new Set(heads.kept);
  const pitch = HEADS / heads.of;
  const cells = Array.from({ length: heads.of }, (_, head) =>
    svg('rect', {
      x: LABEL + head * pitch + 1,
      y: y + 1,
      width: Math.max(pitch - 2, 1),
      height: BAR,
      rx: 2,
      class: kept.has(head) ? 'kept' : 'gone',
    }),
  );
  const x = LABEL + HEADS + GAP;
  const share = neurons.of > 0 ? neurons.kept.length / neurons.of : 0;
  const all = svg('rect', { x, y: y + 1, width: NEURONS, height: BAR, rx: 2, class: 'gone' });
  const stays = svg('rect', { x, y: y + 1, width: NEURONS * share, height: BAR, rx: 2, class: 'kept' });
  return [label, ...cells, all, stays];
}

/** The same figures as a table. */
export function tableOfKept(layers: readonly KeptLayer[]): HTMLElement {
  const share = (kept: number, before: number) => `${count(kept)} of ${count(before)} (${percent(kept / before, 0)})`;
  return h(
    'table',
    { 'data-testid': 'layers-table' },
    h('caption', {}, 'Heads and neurons kept in each layer'),
    h('thead', {}, headings(['Layer', 'Heads kept', 'Neurons kept'])),
    h(
      'tbody',
      {},
      ...layers.map(({ heads, neurons }, index) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, String(index + 1)),
          h('td', {}, share(heads.kept.length, heads.of)),
          h('td', {}, share(neurons.kept.length, neurons.of)),
        ),
      ),
    ),
  );
}

/** A row of column headings. */
export function headings(titles: readonly string[]): HTMLElement {
  return h('tr', {}, ...titles.map((title) => h('th', { scope: 'col' }, title)));
}
