import { h, svg } from '../dom.ts';
import { count, short } from '../format.ts';
import { sharesKeys } from '../kind.ts';
import { bind, type Cell } from './cell.ts';
import { binsOf, mean, type Scale, widest } from './order.ts';
import type { Change, Kind, LayerView, View } from './view.ts';
import { WORDS } from './words.ts';

/** What drawing a view takes beside it. */
export interface Drawing {
  view: View;
  scales: Record<Kind, Scale>;
  /** Only what is left, as narrow as it is. */
  after: boolean;
}

/** A cell of the grid; it gets into the tab order when it is the current one. */
function gridCell(cell: Cell, classes: string, label: string): HTMLElement {
  return bind(h('div', { class: `map-cell ${classes}`, role: 'gridcell', tabindex: '-1', 'aria-label': label }), cell);
}

function nameCell(cell: Cell, title: string): HTMLElement {
  return bind(h('div', { class: 'map-cell map-name', role: 'rowheader', tabindex: '-1' }, h('span', {}, title)), cell);
}

function row(classes: string, ...children: (Node | string)[]): HTMLElement {
  return h('div', { class: `map-row ${classes}`, role: 'row' }, ...children);
}

/** What comes before the layers: the token table, and the stream of channels that runs through them. */
export function embeddingRow({ view, after }: Drawing): HTMLElement {
  const { hidden, embedding } = view;
  return row(
    'map-end',
    nameCell({ kind: 'embedding' }, WORDS.embedding),
    h(
      'div',
      { class: 'map-wide', 'aria-hidden': 'true' },
      share(hidden.kept.size / hidden.of, after),
      h('span', { class: 'map-note' }, WORDS.channels(hidden.kept.size, hidden.of)),
    ),
    sizeOutside(embedding),
  );
}

/** What comes after them. */
export function outputRow({ view }: Drawing): HTMLElement {
  return row(
    'map-end',
    nameCell({ kind: 'output' }, WORDS.output),
    h('div', { class: 'map-wide', 'aria-hidden': 'true' }, h('span', { class: 'map-note' }, outputOf(view))),
    sizeOutside(view.rest),
  );
}

/** What comes out of the model's head. */
export function outputOf({ model }: View): string {
  const outputs: Record<string, string> = WORDS.outputs;
  return outputs[model.head] ?? model.head;
}

/** One layer: its name, its units or matrices, its size and its error. */
export function layerRow(layer: LayerView, drawing: Drawing): HTMLElement {
  const { view } = drawing;
  const lanes = layer.linears.length > 0 ? [linearLane(layer)] : [headLane(layer, drawing), neuronLane(layer, drawing)];
  const element = row(
    layer.removed ? 'map-removed' : '',
    nameCell({ kind: 'layer', layer: layer.index }, WORDS.layer(layer.index)),
    ...lanes,
    layer.parameters ? size(layer.parameters, view) : h('div', { class: 'map-size' }),
    errors(layer, view),
  );
  element.style.setProperty('--layer', String(layer.index));
  return element;
}

/** A row of cells, as wide as the units that are shown among those of the widest layer; behind what is left, an outline of what was. */
function lane(layer: LayerView, kind: Kind, { view, after }: Drawing, cells: HTMLElement[]): HTMLElement {
  const { kept, of } = layer[kind];
  const width = (units: number) => `${(100 * units) / widest(view.layers, kind)}%`;
  const inner = h('div', { class: 'map-units' }, ...cells);
  inner.style.width = width(after ? kept.size : of);
  const element = h('div', { class: `map-lane ${kind} ${after ? 'after' : ''}`, role: 'presentation' }, inner);
  element.style.setProperty('--dense', width(of));
  return element;
}

function headLane(layer: LayerView, drawing: Drawing): HTMLElement {
  const { view, scales, after } = drawing;
  const { of, kept, scores, close, changed } = layer.heads;
  const units = Array.from({ length: of }, (_, unit) => unit).filter((unit) => !after || kept.has(unit));
  const cells = units.map((unit) => {
    const classes = [
      scores ? `s${scales.heads.step(scores[unit] ?? 0)}` : 'plain',
      kept.has(unit) ? '' : 'gone',
      close.has(unit) ? 'close' : '',
      changed.has(unit) ? 'changed' : '',
    ];
    const name = sharesKeys(view.model) ? WORDS.group(unit) : WORDS.unit('heads', unit);
    const label = view.result ? `${name}, ${kept.has(unit) ? WORDS.kept : WORDS.gone}` : name;
    return gridCell({ kind: 'heads', layer: layer.index, unit }, classes.join(' '), label);
  });
  const element = lane(layer, 'heads', drawing, cells);
  const queries = view.shape?.queries ?? 1;
  element.classList.toggle('grouped', queries > 1);
  element.style.setProperty('--queries', String(queries));
  return element;
}

function neuronLane(layer: LayerView, drawing: Drawing): HTMLElement {
  const { view, scales, after } = drawing;
  const { kept, scores, close, changed } = layer.neurons;
  const has = (units: readonly number[], set: ReadonlySet<number>) => units.some((unit) => set.has(unit));
  const cells = binsOf(layer.neurons, after).map((bin) => {
    const stay = bin.units.filter((unit) => kept.has(unit)).length;
    const classes = [
      scores ? `s${scales.neurons.step(mean(bin.units, scores))}` : 'plain',
      has(bin.units, close) ? 'close' : '',
      has(bin.units, changed) ? 'changed' : '',
      stay === 0 ? 'gone' : '',
    ];
    const name = nameOfBin(bin.units, bin.ranks);
    const label = view.result ? `${name}, ${WORDS.keptOf(stay, bin.units.length)}` : name;
    const cell = gridCell({ kind: 'neurons', layer: layer.index, bin }, `bin ${classes.join(' ')}`, label);
    cell.style.setProperty('--kept', String(stay / Math.max(bin.units.length, 1)));
    return cell;
  });
  return lane(layer, 'neurons', drawing, cells);
}

/** What a cell of neurons is called: by ranks where they are in the order of scores. */
export function nameOfBin(units: readonly number[], ranks: [number, number] | undefined): string {
  return ranks
    ? WORDS.cellOfNeurons(ranks[0], ranks[1], true)
    : WORDS.cellOfNeurons(units[0] ?? 0, units.at(-1) ?? 0, false);
}

/** Names of a block's matrices in the order of src/model/layer.rs, with a gate and without. */
const MATRICES: Record<number, string[]> = {
  6: ['q', 'k', 'v', 'o', 'up', 'down'],
  7: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
};

function linearLane(layer: LayerView): HTMLElement {
  // Layers that share a factor are one entry with the names of all of them, and follow each other.
  const names = layer.linears.map(({ tensor, with: others = [] }) => [tensor, ...others]);
  const titles = MATRICES[names.flat().length];
  let at = 0;
  const cells = layer.linears.map((linear, place) => {
    const own = names[place] ?? [];
    const title = (titles?.slice(at, at + own.length) ?? own).join(' ');
    at += own.length;
    const [outputs, inputs] = linear.shape;
    const label = linear.rank === undefined ? title : `${title} ${count(linear.rank)}`;
    const cell = gridCell({ kind: 'linear', layer: layer.index, linear, title }, 'matrix', label);
    cell.style.flexGrow = String(outputs * inputs);
    cell.append(share(linear.kept / (outputs * inputs), false), h('span', { class: 'map-note' }, label));
    return cell;
  });
  return h('div', { class: 'map-wide matrices', role: 'presentation' }, ...cells);
}

/** A bar of what stays, and what goes hatched beside it. */
function share(part: number, onlyKept: boolean): HTMLElement {
  const kept = h('i', { class: 'stays' });
  kept.style.width = `${100 * Math.min(part, 1)}%`;
  const gone = h('i', { class: 'goes' });
  gone.style.width = `${100 * Math.max(1 - part, 0)}%`;
  return h('span', { class: 'map-share', 'aria-hidden': 'true' }, kept, onlyKept ? null : gone);
}

/** Parameters outside of the layers: a number alone, since they may be many times those of a layer. */
function sizeOutside({ after }: Change): HTMLElement {
  return h(
    'div',
    { class: 'map-size', 'aria-hidden': 'true' },
    h('span'),
    h('span', { class: 'map-note' }, short(after)),
  );
}

/** Parameters of a layer before, as an outline, and after, as a bar, on the scale of the largest layer. */
function size({ before, after }: Change, view: View): HTMLElement {
  const most = Math.max(1, ...view.layers.map(({ parameters }) => parameters?.before ?? 0));
  const bar = (width: number, kind: string) => {
    const element = h('i', { class: kind });
    element.style.width = `${(100 * width) / most}%`;
    return element;
  };
  return h(
    'div',
    { class: 'map-size', 'aria-hidden': 'true' },
    h('span', { class: 'map-bar' }, bar(before, 'was'), bar(after, 'is')),
    h('span', { class: 'map-note' }, short(after)),
  );
}

const ERROR_WIDTH = 88;

/** Errors of a layer's two halves on one scale for all layers: a ring without repair, a dot with it. */
function errors({ heads, neurons }: LayerView, view: View): HTMLElement {
  const element = h('div', { class: 'map-error', 'aria-hidden': 'true' });
  const most = largestError(view);
  if (most === 0) return element;
  const x = (error: number) => 4 + ((ERROR_WIDTH - 8) * error) / most;
  const marks = [heads.outcome, neurons.outcome].flatMap((outcome, half) => {
    const y = half === 0 ? 6 : 16;
    if (outcome?.error_without === undefined) return [];
    const [ring, dot] = [x(outcome.error_without), x(outcome.error_with ?? outcome.error_without)];
    return [
      svg('line', { x1: dot, x2: ring, y1: y, y2: y }),
      svg('circle', { cx: ring, cy: y, r: 3, class: 'without' }),
      ...(outcome.error_with === undefined ? [] : [svg('circle', { cx: dot, cy: y, r: 3, class: 'with' })]),
    ];
  });
  const base = svg('line', { x1: 4, x2: 4, y1: 0, y2: 22, class: 'zero' });
  element.append(svg('svg', { viewBox: `0 0 ${ERROR_WIDTH} 22`, width: ERROR_WIDTH, height: 22 }, base, ...marks));
  return element;
}

/** The largest error of any layer, which the drawings of all of them end at; 0 where none was measured. */
export function largestError({ layers }: View): number {
  return Math.max(
    0,
    ...layers.flatMap(({ heads, neurons }) =>
      [heads, neurons].flatMap(({ outcome }) => [outcome?.error_without ?? 0, outcome?.error_with ?? 0]),
    ),
  );
}
