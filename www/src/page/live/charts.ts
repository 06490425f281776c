import { h, svg } from '../dom.ts';
import { bytes, duration, fixed, percent } from '../format.ts';
import type { Sample, Stage, Timeline } from './timeline.ts';
import { WORDS } from './words.ts';

/** Height of a drawing in its own units; CSS gives it the page's. */
const TALL = 100;
/** Width of a drawing over time. */
const WIDE = 1000;
/** A step that takes less of the time has no room for its name. */
const ROOM = 0.15;

/** The charts of a run as it is: seconds a layer for each step, shares over time, and memory over time. */
export function drawTimeline(timeline: Timeline): HTMLElement[] {
  const layered = timeline.stages.filter(({ layers }) => layers.length > 0);
  const figure = (title: string, ...children: (Node | null)[]) =>
    h('div', { class: 'live-chart' }, h('p', { class: 'live-title' }, title), ...children);
  const end = timeline.samples.at(-1)?.at ?? 0;
  const axis = () => h('p', { class: 'live-axis' }, h('span', {}, '0'), h('span', {}, duration(end)));
  return [
    figure(WORDS.perLayer, h('div', { class: 'strips' }, ...layered.map(strip))),
    figure(WORDS.share, ...shares(timeline.samples, end), axis()),
    ...(timeline.peak > 0
      ? [figure(`${WORDS.device}, ${WORDS.most(bytes(timeline.peak))}`, memory(timeline, end), axis())]
      : []),
  ];
}

/** One bar a layer. */
function strip({ phase, layers }: Stage): HTMLElement {
  const most = Math.max(...layers.filter((seconds) => seconds > 0), 0);
  const bars = Array.from(layers, (spent: number | undefined, layer) => {
    const seconds = spent ?? 0;
    const height = most > 0 ? (TALL * seconds) / most : 0;
    const told = svg('title', {}, WORDS.bar(layer + 1, seconds));
    return svg('rect', { x: layer + 0.1, y: TALL - height, width: 0.8, height, class: phase }, told);
  });
  return h(
    'div',
    { class: 'strip' },
    svg('svg', { viewBox: `0 0 ${Math.max(layers.length, 1)} ${TALL}`, preserveAspectRatio: 'none' }, ...bars),
    h('p', {}, h('span', {}, WORDS.phases[phase]), h('span', {}, WORDS.seconds(most))),
  );
}

/** A saw: each step from nothing to all of it, with its name below where there is room. */
function shares(samples: readonly Sample[], end: number): Node[] {
  const lines: Sample[][] = [];
  for (const sample of samples) {
    const line = lines.at(-1);
    if (line?.[0]?.phase === sample.phase) line.push(sample);
    else lines.push([sample]);
  }
  const names = h('p', { class: 'live-names' });
  const saw = lines.flatMap((line) => {
    const [first, last] = [line[0], line.at(-1)];
    if (!first || !last || line.length < 2) return [];
    if (last.at - first.at > ROOM * end) {
      const name = h('span', {}, WORDS.phases[first.phase]);
      name.style.left = `${(100 * first.at) / end}%`;
      name.style.width = `${(100 * (last.at - first.at)) / end}%`;
      names.append(name);
    }
    const points = line.map(({ at, fraction }) => `${x(at, end)},${TALL * (1 - fraction)}`);
    return [svg('polyline', { points: points.join(' '), class: `line ${first.phase}` })];
  });
  return [overTime(...saw), names];
}

function memory({ samples, peak }: Timeline, end: number): SVGElement {
  const points = samples.map(({ at, bytes: live = 0 }) => `${x(at, end)},${TALL * (1 - live / peak)}`);
  return overTime(svg('polygon', { points: `0,${TALL} ${points.join(' ')} ${WIDE},${TALL}`, class: 'area' }));
}

function x(at: number, end: number): number {
  return end > 0 ? (WIDE * at) / end : 0;
}

function overTime(...marks: SVGElement[]): SVGElement {
  return svg('svg', { viewBox: `0 0 ${WIDE} ${TALL}`, preserveAspectRatio: 'none', class: 'over-time' }, ...marks);
}

/** All of it as a table: a column a step. */
export function tableOfTimeline({ stages }: Timeline): HTMLElement {
  const depth = Math.max(...stages.map(({ layers }) => layers.length), 0);
  const row = (title: string, of: (stage: Stage) => string) =>
    h('tr', {}, h('th', { scope: 'row' }, title), ...stages.map((stage) => h('td', {}, of(stage))));
  const seconds = (value: number | undefined) => (value === undefined ? WORDS.none : fixed(value, 2));
  return h(
    'table',
    { 'data-testid': 'timeline-table' },
    h('caption', {}, WORDS.tableCaption),
    h(
      'thead',
      {},
      h('tr', {}, h('td', {}), ...stages.map(({ phase }) => h('th', { scope: 'col' }, WORDS.phases[phase]))),
    ),
    h(
      'tbody',
      {},
      row(WORDS.whole, (stage) => seconds(stage.seconds)),
      row(WORDS.done, ({ fraction }) => percent(fraction, 0)),
      row(WORDS.device, ({ peak }) => (peak > 0 ? bytes(peak) : WORDS.none)),
      ...Array.from({ length: depth }, (_, layer) =>
        row(`${WORDS.column} ${layer + 1}`, ({ layers }) => seconds(layers[layer])),
      ),
    ),
  );
}
