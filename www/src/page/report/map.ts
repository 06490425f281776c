import { h } from '../dom.ts';
import type { Attempt } from '../attempts/attempt.ts';
import type { Drawing } from '../map/draw.ts';
import { Grid } from '../map/grid.ts';
import { columnTitles, legend } from '../map/legend.ts';
import { Scale } from '../map/order.ts';
import { tableOf } from '../map/table.ts';
import { viewOfResult } from '../map/view.ts';
import { picture, printable } from './plain.ts';
import { WORDS } from './words.ts';

/** The map of what stays, as the result section draws it, and the table of the layers behind it. */
export function mapOf({ subject, result }: Attempt): HTMLElement[] {
  const view = viewOfResult(subject.inspection, result, result.plan, result.report.scores);
  const scales = { heads: new Scale(view, 'heads'), neurons: new Scale(view, 'neurons') };
  const drawing: Drawing = { view, scales, after: false };
  const grid = new Grid('', '', '');
  grid.draw(drawing);
  const table = tableOf(view, 'layers').querySelector('table');
  return [
    h(
      'section',
      {},
      h('h2', {}, WORDS.map),
      h('div', { class: 'map' }, legend(view, false), columnTitles(view), picture(grid.element)),
    ),
    h('section', {}, h('h2', {}, WORDS.layersTitle), ...(table ? [printable(table)] : [])),
  ];
}
