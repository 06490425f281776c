import type { PruneResult } from '../lib/coppice.ts';
import { h, svg } from './dom.ts';
import { count, percent } from './format.ts';

/** Sizes in the drawings' own units; CSS scales them to the page. */
const ROW = 26;
const BAR = 14;
const LABEL = 64;
const FIELD = 256;
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
export function drawKept(layers: readonly KeptLayer[]): HTMLElement {
  return h(
    'div',
    { class: 'charts', 'aria-hidden': 'true' },
    draw(
      'Heads',
      layers.map(({ heads }) => heads),
      cells,
    ),
    draw(
      'Neurons',
      layers.map(({ neurons }) => neurons),
      bar,
    ),
  );
}

type Marks = (units: Units, y: number) => SVGElement[];

function draw(title: string, layers: readonly Units[], marks: Marks): SVGElement {
  const rows = layers.flatMap((units, index) => {
    const y = TOP + index * ROW;
    return [svg('text', { x: 0, y: y + 12 }, `Layer ${index + 1}`), ...marks(units, y + 1)];
  });
  return svg(
    'svg',
    { viewBox: `0 0 ${LABEL + FIELD} ${TOP + layers.length * ROW}`, class: 'chart' },
    svg('text', { x: LABEL, y: 12, class: 'axis' }, title),
    ...rows,
  );
}

/** One cell a unit: which ones stay. */
function cells({ kept, of }: Units, y: number): SVGElement[] {
  const stays = new Set(kept);
  const pitch = FIELD / of;
  return Array.from({ length: of }, (_, unit) => {
    const place = { x: LABEL + unit * pitch + 1, y, width: Math.max(pitch - 2, 1), height: BAR, rx: 2 };
    return svg('rect', { ...place, class: stays.has(unit) ? 'kept' : 'gone' });
  });
}

/** One bar: what share stays. */
function bar({ kept, of }: Units, y: number): SVGElement[] {
  const place = { x: LABEL, y, height: BAR, rx: 2 };
  return [
    svg('rect', { ...place, width: FIELD, class: 'gone' }),
    svg('rect', { ...place, width: (FIELD * kept.length) / Math.max(of, 1), class: 'kept' }),
  ];
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
