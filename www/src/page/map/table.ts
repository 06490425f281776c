import { h, headings } from '../dom.ts';
import { count, percent } from '../format.ts';
import type { LayerView, Units, View } from './view.ts';
import { WORDS } from './words.ts';

/** The map as tables, folded away: layers with their units, or matrices where single weights or ranks went. */
export function tableOf(view: View, id: string): HTMLElement {
  const matrices = view.layers.some(({ linears }) => linears.length > 0);
  const label = view.result ? WORDS.tableOfResult : WORDS.tableOfModel;
  const scroll = { class: 'map-scroll', tabindex: '0', role: 'region', 'aria-label': label };
  return h(
    'details',
    {},
    h('summary', {}, WORDS.table),
    h('div', scroll, matrices ? tableOfLinears(view, id) : tableOfUnits(view, id)),
  );
}

function tableOfUnits(view: View, id: string): HTMLElement {
  const { tableColumns: names } = WORDS;
  const pruned = view.result !== undefined;
  const sized = view.layers.some(({ parameters }) => parameters !== undefined);
  const counted = view.layers.some(({ flops }) => flops !== undefined);
  const columns: [string, (layer: LayerView) => string][] = [
    [names.heads, ({ heads }) => WORDS.keptShare(heads.kept.size, heads.of)],
    ...(pruned ? ([[names.headsGone, ({ heads }) => missing(heads)]] as [string, (l: LayerView) => string][]) : []),
    [names.neurons, ({ neurons }) => WORDS.keptShare(neurons.kept.size, neurons.of)],
  ];
  if (sized) columns.push([names.parameters, ({ parameters: one }) => (one ? WORDS.change(one) : WORDS.unknown)]);
  if (counted) {
    const rounded = (one: LayerView['flops']) =>
      one ? WORDS.change({ before: Math.round(one.before), after: Math.round(one.after) }) : WORDS.unknown;
    columns.push([names.flops, ({ flops }) => rounded(flops)]);
  }
  if (pruned) {
    columns.push(
      [names.attentionError, ({ heads }) => errorsOf(heads)],
      [names.ffnError, ({ neurons }) => errorsOf(neurons)],
    );
  }
  const rows = view.layers.map((layer) => [String(layer.index + 1), ...columns.map(([, text]) => text(layer))]);
  return table(WORDS.captionOfUnits, [names.layer, ...columns.map(([title]) => title)], rows, id);
}

function tableOfLinears(view: View, id: string): HTMLElement {
  const { tableColumns: names } = WORDS;
  const ranked = view.layers.some(({ linears }) => linears.some(({ rank }) => rank !== undefined));
  const rows = view.layers.flatMap(({ index, linears }) =>
    linears.map(({ tensor, with: others = [], shape: [outputs, inputs], kept, rank, error, error_after: after }) => [
      String(index + 1),
      WORDS.tensors([tensor, ...others]),
      `${count(outputs)} × ${count(inputs)}`,
      WORDS.keptShare(kept, outputs * inputs),
      ...(ranked ? [rank === undefined ? WORDS.unknown : count(rank)] : []),
      error === undefined ? WORDS.unknown : percent(error),
      after === undefined ? WORDS.unknown : percent(after),
    ]),
  );
  const titles = [names.layer, names.matrix, names.shape, names.kept, ...(ranked ? [names.rank] : [])];
  return table(WORDS.captionOfLinears, [...titles, names.error, names.errorAfter], rows, id);
}

function table(caption: string, titles: string[], rows: string[][], id: string): HTMLElement {
  return h(
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
  );
}

function missing({ of, kept }: Units): string {
  const gone = Array.from({ length: of }, (_, unit) => unit).filter((unit) => !kept.has(unit));
  return gone.length === 0 ? WORDS.none : gone.join(', ');
}

function errorsOf({ outcome }: Units): string {
  return WORDS.errors(outcome?.error_without, outcome?.error_with);
}
