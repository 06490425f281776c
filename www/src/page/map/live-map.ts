import type { Inspection, Phase, Progress } from '../../lib/types.ts';
import { layerRow } from './draw.ts';
import { Scale } from './order.ts';
import { viewOfModel } from './view.ts';

/** How dark a layer is once a phase has passed it, as steps of the colour scale. */
const SHADES: Record<Phase, number> = {
  open: 0,
  evaluate_dense: 1,
  calibrate: 2,
  score: 3,
  reconstruct: 4,
  export: 5,
  evaluate_pruned: 6,
};

/** The model while a run passes over it: layers light up one after another. A picture of what the progress says in words. */
export class LiveMap {
  readonly #root: HTMLElement;
  #rows: HTMLElement[] = [];
  #phase: Phase | undefined;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  begin(model: Inspection): void {
    this.#phase = undefined;
    const view = viewOfModel(model);
    const scales = { heads: new Scale(view, 'heads'), neurons: new Scale(view, 'neurons') };
    this.#rows = view.layers.map((layer) => layerRow(layer, { view, scales, after: false }));
    for (const cell of this.#rows.flatMap((row) => [...row.querySelectorAll('[tabindex]')])) {
      cell.removeAttribute('tabindex');
    }
    this.#root.classList.toggle('many', this.#rows.length > 16);
    this.#root.replaceChildren(...this.#rows);
  }

  update({ phase, layer, layers, fraction }: Progress): void {
    // A phase that is over has passed every layer, whether it said so of the last one or not.
    const passed = this.#phase !== undefined && this.#phase !== phase ? String(SHADES[this.#phase]) : undefined;
    this.#phase = phase;
    const at = typeof layer === 'number' ? layer : Math.floor(fraction * layers);
    this.#rows.forEach((row, index) => {
      if (passed !== undefined) row.dataset.shade = passed;
      if (index < at || fraction >= 1) row.dataset.shade = String(SHADES[phase]);
      row.classList.toggle('current', index === layer);
    });
  }

  end(): void {
    this.#rows = [];
    this.#root.replaceChildren();
  }
}
