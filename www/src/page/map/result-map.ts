import type { Inspection, Plan, PruneResult } from '../../lib/types.ts';
import { h } from '../dom.ts';
import type { Cell } from './cell.ts';
import { Detail } from './detail.ts';
import type { Drawing } from './draw.ts';
import { EditedPlan } from './edit.ts';
import { Editor } from './editor.ts';
import { Grid } from './grid.ts';
import { columnTitles, legend } from './legend.ts';
import { Scale } from './order.ts';
import { tableOf } from './table.ts';
import { type Scores, type View, viewOfResult } from './view.ts';
import { WORDS } from './words.ts';

/** The map in the result: scores, what stays and what goes, before and after, and a copy of the plan to change by hand. */
export class ResultMap {
  /** Called when a person asks to prune by a plan that was changed by hand. */
  onPlan: (plan: Plan, model: Inspection) => void = () => undefined;
  /** Scores behind the plans that were asked for, by model and plan: a run by a plan has none of its own. */
  readonly #behind = new Map<string, Scores>();
  #editor: Editor | undefined;
  #blocked = false;

  /** While a run is under way no other can start. */
  set blocked(blocked: boolean) {
    this.#blocked = blocked;
    if (this.#editor) this.#editor.blocked = blocked;
  }

  /** Draws the map of a result. */
  show(model: Inspection, result: PruneResult): HTMLElement {
    const { report, plan } = result;
    const scores = report.scores ?? this.#behind.get(JSON.stringify([model, plan]));
    const edited = new EditedPlan(model, plan, scores);
    const view = () => viewOfResult(model, result, edited.plan, scores);
    const first = view();
    const scales = { heads: new Scale(first, 'heads'), neurons: new Scale(first, 'neurons') };
    const drawing: Drawing = { view: first, scales, after: false };
    const grid = new Grid(WORDS.gridOfResult, 'result-map', 'result-map-keys');
    const detail = new Detail('result-map-detail');
    const planned = (report.linears ?? []).length === 0;
    const editor = planned ? new Editor(edited, first) : undefined;
    const [titles, key, table] = [h('div'), h('div'), h('div')];
    let at: Cell | undefined;

    const redraw = () => {
      drawing.view = view();
      // What fills at first stands still from then on.
      grid.element.classList.toggle('fresh', grid.element.childElementCount === 0);
      grid.draw(drawing);
      titles.replaceChildren(columnTitles(drawing.view));
      key.replaceChildren(legend(drawing.view, report.scores === undefined));
      const open = table.querySelector('details')?.open ?? false;
      table.replaceChildren(tableOf(drawing.view, 'layers-table'));
      table.querySelector('details')?.toggleAttribute('open', open);
      editor?.update(drawing.view);
    };
    grid.onCell = (cell, focused) => {
      at = cell;
      detail.show(cell, drawing);
      if (focused && cell && 'layer' in cell) editor?.follow(cell.layer);
    };
    grid.onAct = (cell, key) => {
      const sentence = editor && act(edited, cell, key, drawing.view);
      if (sentence === undefined) return false;
      if (sentence === '') redraw();
      else editor?.say(sentence);
      if (at) detail.show(at, drawing);
      return true;
    };
    if (editor) {
      editor.onChange = redraw;
      editor.onPrune = () => {
        if (scores) this.#behind.set(JSON.stringify([model, edited.plan]), scores);
        this.onPlan(structuredClone(edited.plan), model);
      };
      editor.blocked = this.#blocked;
    }
    this.#editor = editor;
    redraw();
    return h(
      'figure',
      { class: 'map' },
      h('figcaption', {}, caption(first)),
      planned ? switcher(drawing, redraw) : null,
      key,
      titles,
      grid.element,
      detail.element,
      h('p', { class: 'hint', id: 'result-map-keys' }, planned ? `${WORDS.keys} ${WORDS.keysToEdit}` : WORDS.keys),
      editor?.element,
      table,
    );
  }
}

function caption({ layers }: View): string {
  const linears = layers.flatMap((layer) => layer.linears);
  if (linears.length === 0) return WORDS.figureOfResult;
  return linears.some(({ rank }) => rank !== undefined) ? WORDS.figureOfRanks : WORDS.figureOfSparse;
}

/** Chooses between all units and what is left of them. */
function switcher(drawing: Drawing, redraw: () => void): HTMLElement {
  const choice = (title: string, after: boolean) => {
    const id = after ? 'map-after' : 'map-before';
    const input = h('input', { type: 'radio', name: 'map-view', 'data-testid': id, checked: !after });
    input.addEventListener('change', () => {
      drawing.after = after;
      redraw();
    });
    return h('label', { class: 'choice' }, input, h('span', {}, title));
  };
  return h(
    'div',
    { class: 'row map-switch', role: 'radiogroup', 'aria-label': WORDS.view },
    choice(WORDS.before, false),
    choice(WORDS.after, true),
  );
}

/** Share of a layer's neurons that a press of + or − moves. */
const STRIDE = 1 / 48;

/** Carries out a click or a key on a cell: nothing where it means nothing, a sentence where it cannot be done, else the empty one. */
function act(edited: EditedPlan, cell: Cell, key: string, view: View): string | undefined {
  const press = key === 'Enter' || key === ' ';
  if (cell.kind === 'heads' && (press || key === 'click')) {
    return edited.toggle(cell.layer, 'heads', cell.unit) ? '' : WORDS.lastUnit('heads');
  }
  if (cell.kind === 'layer' && press) return edited.toggleLayer(cell.layer) ? '' : WORDS.lastLayer;
  if ('layer' in cell && (key === '+' || key === '-' || key === '=')) {
    const neurons = view.layers[cell.layer]?.neurons;
    if (!neurons || !edited.scored(cell.layer, 'neurons')) return WORDS.editUnscored;
    const stride = Math.max(1, Math.round(neurons.of * STRIDE));
    edited.keepBest(cell.layer, 'neurons', neurons.kept.size + (key === '-' ? -stride : stride));
    return '';
  }
  return undefined;
}
