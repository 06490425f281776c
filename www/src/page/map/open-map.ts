import type { Inspection } from '../../lib/types.ts';
import { h } from '../dom.ts';
import { Detail } from './detail.ts';
import type { Drawing } from './draw.ts';
import { Grid } from './grid.ts';
import { columnTitles } from './legend.ts';
import { Scale } from './order.ts';
import { tableOf } from './table.ts';
import { viewOfModel } from './view.ts';
import { WORDS } from './words.ts';

/** Draws a model as soon as its headers are read: every layer's heads and neurons, and what it weighs. */
export class OpenMap {
  readonly #root: HTMLElement;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  clear(): void {
    this.#root.replaceChildren();
  }

  show(model: Inspection): void {
    const view = viewOfModel(model);
    const scales = { heads: new Scale(view, 'heads'), neurons: new Scale(view, 'neurons') };
    const drawing: Drawing = { view, scales, after: false };
    const grid = new Grid(WORDS.gridOfModel, 'model-map', 'model-map-keys');
    const detail = new Detail('model-map-detail');
    grid.onCell = (cell) => {
      detail.show(cell, drawing);
    };
    grid.draw(drawing);
    this.#root.replaceChildren(
      h(
        'figure',
        { class: 'map opened' },
        h('figcaption', {}, WORDS.figureOfModel),
        columnTitles(view),
        grid.element,
        detail.element,
        h('p', { class: 'hint', id: 'model-map-keys' }, WORDS.keys),
        tableOf(view, 'model-map-table'),
      ),
    );
  }
}
