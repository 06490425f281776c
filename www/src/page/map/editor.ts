import { download, h } from '../dom.ts';
import { percent } from '../format.ts';
import { sharesKeys } from '../kind.ts';
import type { EditedPlan } from './edit.ts';
import { parameters } from './shape.ts';
import type { Kind, View } from './view.ts';
import { WORDS } from './words.ts';

const EVERY = 'every';

/** The form under a map that changes its plan: how many of the best units of one layer, or of every one, stay. */
export class Editor {
  readonly element: HTMLElement;
  /** Called after the plan has changed. */
  onChange: () => void = () => undefined;
  /** Called when the person asks to prune by the plan. */
  onPrune: () => void = () => undefined;
  readonly #edited: EditedPlan;
  readonly #layer: HTMLSelectElement;
  readonly #counts: Record<Kind, Count>;
  readonly #cut = h('button', { type: 'button', 'data-testid': 'map-cut-layer' });
  readonly #prune = h('button', { type: 'button', class: 'main', 'data-testid': 'map-prune' }, WORDS.prune);
  readonly #undo = h('button', { type: 'button', 'data-testid': 'map-undo' }, WORDS.undo);
  readonly #said = h('p', { role: 'status', 'data-testid': 'map-changed' });
  #view: View;
  #blocked = false;

  constructor(edited: EditedPlan, view: View) {
    this.#edited = edited;
    this.#view = view;
    const option = (index: number) => h('option', { value: String(index) }, WORDS.layer(index));
    this.#layer = h(
      'select',
      { 'data-testid': 'map-layer' },
      h('option', { value: EVERY }, WORDS.everyLayer),
      ...view.layers.map(({ index }) => option(index)),
    );
    this.#layer.addEventListener('change', () => {
      this.update(this.#view);
    });
    const grouped = sharesKeys(view.model);
    this.#counts = {
      heads: new Count(WORDS.editHeads(grouped), 'map-keep-heads', (most) => {
        this.#keep('heads', most);
      }),
      neurons: new Count(WORDS.editNeurons, 'map-keep-neurons', (most) => {
        this.#keep('neurons', most);
      }),
    };
    this.#cut.addEventListener('click', () => {
      this.cutLayer(Number(this.#layer.value));
    });
    this.#undo.addEventListener('click', () => {
      edited.undo();
      this.onChange();
      this.#said.textContent = WORDS.unchanged;
      this.#layer.focus();
    });
    this.#prune.addEventListener('click', () => {
      this.onPrune();
    });
    const save = h('button', { type: 'button', 'data-testid': 'map-save' }, WORDS.save);
    save.addEventListener('click', () => {
      download(new Blob([JSON.stringify(edited.plan)], { type: 'application/json' }), 'plan.json');
    });
    this.element = h(
      'fieldset',
      { class: 'map-edit' },
      h('legend', {}, WORDS.editTitle),
      h(
        'div',
        { class: 'map-edit-fields' },
        h('label', { class: 'field' }, h('span', {}, WORDS.editLayer), this.#layer),
        this.#counts.heads.element,
        this.#counts.neurons.element,
      ),
      this.#said,
      h('p', { class: 'row' }, this.#prune, this.#undo, this.#cut, save),
    );
    this.update(view);
  }

  /** While a run is under way no other can start. */
  set blocked(blocked: boolean) {
    this.#blocked = blocked;
    this.#prune.disabled = blocked || !this.#edited.changed;
  }

  /** Follows the cell that has the focus, unless every layer is meant. */
  follow(layer: number): void {
    if (this.#layer.value === EVERY || this.#layer.value === String(layer)) return;
    this.#layer.value = String(layer);
    this.update(this.#view);
  }

  /** Cuts a layer or keeps it again. */
  cutLayer(layer: number): void {
    const done = this.#edited.toggleLayer(layer);
    this.onChange();
    if (!done) this.say(WORDS.lastLayer);
  }

  say(sentence: string): void {
    this.#said.textContent = sentence;
  }

  /** Keeps a number of best units in the layer that is chosen, or in every one that stays. */
  #keep(kind: Kind, most: number): void {
    for (const index of this.#chosen()) this.#edited.keepBest(index, kind, most);
    this.onChange();
  }

  #chosen(): number[] {
    if (this.#layer.value !== EVERY) return [Number(this.#layer.value)];
    return this.#view.layers.filter(({ removed }) => !removed).map(({ index }) => index);
  }

  /** Brings fields and sentence up to date. */
  update(view: View): void {
    this.#view = view;
    const layers = this.#chosen().flatMap((index) => view.layers[index] ?? []);
    for (const kind of ['heads', 'neurons'] as const) {
      const scored = layers.some(({ index }) => this.#edited.scored(index, kind));
      const kept = layers.map((layer) => layer[kind].kept.size);
      this.#counts[kind].show(kept, Math.max(1, ...layers.map((layer) => layer[kind].of)), scored);
    }
    this.#cut.hidden = this.#layer.value === EVERY;
    this.#cut.textContent = layers[0]?.removed ? WORDS.keepLayer : WORDS.cutLayer;
    this.#undo.disabled = !this.#edited.changed;
    this.blocked = this.#blocked;
    this.say(this.#summary(view));
  }

  #summary({ layers, shape, model }: View): string {
    if (!this.#edited.changed) return WORDS.unchanged;
    const sum = (kind: Kind) => layers.reduce((all, layer) => all + layer[kind].changed.size, 0);
    const touched = layers.filter(({ heads, neurons }) => heads.changed.size + neurons.changed.size > 0).length;
    const share = (plan: EditedPlan['plan']) => {
      if (!shape) return undefined;
      const kept = plan.layers.map((layer) =>
        parameters(shape, layer.heads.length, layer.neurons.length, plan.hidden?.length ?? model.hidden),
      );
      return percent(kept.reduce((all, { both }) => all + both, 0) / Math.max(model.linear_parameters, 1));
    };
    const [now, was] = [share(this.#edited.plan), share(this.#edited.made)];
    return WORDS.edited({ heads: sum('heads'), neurons: sum('neurons') }, touched, now, was);
  }
}

/** A number as a slider and as a field. */
class Count {
  readonly element: HTMLElement;
  readonly #slider: HTMLInputElement;
  readonly #number: HTMLInputElement;
  readonly #hint = h('span', { class: 'hint' });

  constructor(title: string, id: string, change: (value: number) => void) {
    this.#slider = h('input', {
      type: 'range',
      min: '1',
      step: '1',
      'aria-label': title,
      'data-testid': `${id}-slider`,
    });
    this.#number = h('input', { type: 'number', min: '1', step: '1', id, 'data-testid': id });
    this.#slider.addEventListener('input', () => {
      change(this.#slider.valueAsNumber);
    });
    this.#number.addEventListener('change', () => {
      if (Number.isFinite(this.#number.valueAsNumber)) change(this.#number.valueAsNumber);
    });
    this.element = h(
      'div',
      { class: 'map-count' },
      h('label', { for: id }, title),
      h('div', { class: 'slider' }, this.#slider, h('span', { class: 'unit' }, this.#number)),
      this.#hint,
    );
  }

  /** Shows how many stay of how many at most; where layers differ, the field is empty until a number is chosen for all. */
  show(kept: readonly number[], of: number, possible: boolean): void {
    const [fewest, most] = [Math.min(...kept, of), Math.max(...kept, 0)];
    const differ = kept.length > 1 && fewest < most;
    for (const input of [this.#slider, this.#number]) {
      input.max = String(of);
      input.disabled = !possible;
    }
    this.#slider.value = String(Math.max(1, most));
    this.#number.value = differ ? '' : String(most);
    this.#hint.textContent = !possible ? WORDS.editUnscored : differ ? WORDS.editDiffer(fewest, most) : '';
  }
}
