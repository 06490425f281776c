import type { Catalog, Inspection, Plan, Recipe } from '../../lib/coppice.ts';
import { byId } from '../dom.ts';
import { isDecoder, SET, sharesKeys } from '../kind.ts';
import { methodLink } from '../learn/link.ts';
import { adviceOn } from './advice.ts';
import { type Complete, complete, type Fields } from './defaults.ts';
import { type Extra, extrasOf, inForce, pathOf, withExtras } from './extras.ts';
import { fillForm } from './fill.ts';
import { RecipeForm } from './form.ts';
import { MENUS } from './menus.ts';
import { percentOf } from './numbers.ts';
import { readRecipe, type TextsOfRecipe } from './read.ts';
import { WORDS } from './words.ts';

/** The texts, as far as the recipe tells of them. */
export interface Texts extends TextsOfRecipe {
  /** Takes over what a recipe says of them; gives back sentences on what it could not. */
  take: (calibration: unknown, comparison: Fields | undefined) => string[];
  /** Keeps what is chosen; what comes back puts it there again. */
  keep: () => () => void;
}

/** Section 3: the recipe form, and what a recipe sets that it has no field for. */
export class RecipeStep {
  texts: Texts | undefined;
  /** Called whenever the recipe may be another. */
  onChange: () => void = () => undefined;
  readonly #form = new RecipeForm();
  #inspection: Inspection | undefined;
  /** What a recipe from outside sets beside the form's fields. */
  #extras: readonly Extra[] = [];
  /** The plan of a recipe from outside. */
  #plan: Plan | undefined;
  /** A recipe that was filled in before there was a model, whose kind would change some fields. */
  #waiting: Complete | undefined;

  constructor() {
    const form = this.#form;
    const [slider, ratio] = [form.input('ratio-slider'), form.input('ratio')];
    slider.addEventListener('input', () => {
      ratio.value = slider.value;
    });
    ratio.addEventListener('input', () => {
      slider.value = ratio.value;
    });
    form.select('pattern').addEventListener('input', () => {
      const share = form.chosen('pattern')?.share;
      if (share !== undefined) slider.value = ratio.value = String(100 * share);
    });
    form.element.addEventListener('input', () => {
      this.#waiting = undefined;
      this.update();
    });
    form.element.addEventListener('submit', (event) => {
      event.preventDefault();
    });
    byId('recommend').addEventListener('click', () => {
      this.#recommend();
    });
    form.offerKind('plan', false);
  }

  /** Fills the menus with what the core declares, keeping what was chosen. */
  offer(catalog: Catalog): void {
    this.#form.offer(catalog);
    this.update();
  }

  /** Takes note of the model: what its stock config can hold, what its heads are, how long its sequences may be. */
  fit(inspection: Inspection): void {
    const decoder = isDecoder(inspection);
    const [sequences, length] = [this.#form.input('sequences'), this.#form.input('length')];
    if (decoder !== (this.#inspection !== undefined && isDecoder(this.#inspection))) {
      const set = SET[decoder ? 'decoder' : 'encoder'];
      [sequences.value, length.value] = [String(set.sequences), String(set.length)];
    }
    if (length.valueAsNumber > inspection.positions) length.value = String(inspection.positions);
    this.#inspection = inspection;
    const waiting = this.#waiting;
    if (waiting) this.#fill(waiting);
    byId('heads-name').textContent = sharesKeys(inspection) ? WORDS.groups : WORDS.heads;
    byId('set-hint').textContent = decoder ? WORDS.setOfDecoder : WORDS.setOfEncoder;
    this.update();
  }

  /** Sets the share to remove, where the form removes whole units. */
  setRatio(share: number): void {
    if (this.#form.kind !== 'structured') return;
    for (const name of ['ratio', 'ratio-slider']) this.#form.input(name).value = percentOf(share);
    this.update();
  }

  /** Chooses what did best on models of this kind; what goes, and how much, stays as it is. */
  #recommend(): void {
    if (!this.#inspection?.recommended) return;
    const { criterion, allocation, reconstruction, error_aware } = this.#inspection.recommended.method;
    for (const [name, value] of Object.entries({ criterion, allocation, reconstruction })) {
      const select = this.#form.select(name);
      if ([...select.options].some((option) => option.value === value)) select.value = value;
    }
    this.#form.input('error_aware').checked = error_aware;
    this.update();
  }

  /** The recipe as the form stands with what is set beside it, or one that keeps what a plan lists; an error names the field that is wrong. */
  read(plan = this.#form.kind === 'plan' ? this.#plan : undefined): Recipe {
    return withExtras(readRecipe(this.#form, this.texts, plan), this.#extras);
  }

  /** Fills in a recipe that the core takes; gives back sentences on texts that it names. An error leaves everything as it was. */
  fill(recipe: Fields): string[] {
    const wanted = complete(recipe);
    const notes = this.#fill(wanted);
    this.#waiting = this.#inspection ? undefined : wanted;
    this.update();
    return notes;
  }

  #fill(wanted: Complete): string[] {
    const [plan, extras] = [this.#plan, this.#extras];
    const putBack = [this.#form.keep(), this.texts?.keep()];
    try {
      this.#setPlan((wanted.method.plan as Plan | undefined) ?? plan);
      fillForm(this.#form, wanted);
      this.#extras = [];
      const notes = this.texts?.take(wanted.calibration.source, wanted.evaluation) ?? [];
      this.#extras = extrasOf(wanted, this.read());
      return notes;
    } catch (error) {
      this.#setPlan(plan);
      for (const one of putBack) one?.();
      this.#extras = extras;
      this.update();
      throw error;
    }
  }

  #setPlan(plan: Plan | undefined): void {
    this.#plan = plan;
    this.#form.offerKind('plan', plan !== undefined);
  }

  /** What the recipe sets that has no field, as it would be told; and how it is dropped. */
  get also(): { name: string; value: string; drop: () => void }[] {
    const told = this.#told().map((extra) => ({
      name: pathOf(extra),
      value: JSON.stringify(extra.value),
      drop: () => {
        this.#extras = this.#extras.filter((one) => one !== extra);
        this.update();
      },
    }));
    if (this.#form.kind !== 'plan' || !this.#plan) return told;
    const { layers } = this.#plan;
    const sum = (kind: 'heads' | 'neurons') => layers.reduce((total, layer) => total + layer[kind].length, 0);
    const drop = () => {
      this.#setPlan(undefined);
      this.#form.select('kind').value = 'structured';
      this.update();
    };
    return [{ name: 'method.plan', value: WORDS.planOf(layers.length, sum('heads'), sum('neurons')), drop }, ...told];
  }

  #told(): Extra[] {
    try {
      return inForce(
        this.#extras,
        readRecipe(this.#form, this.texts, this.#form.kind === 'plan' ? this.#plan : undefined),
      );
    } catch {
      // A field is wrong: which of them are in force is told once it is right.
      return [...this.#extras];
    }
  }

  /** Brings hints, dependent fields and advice up to date. */
  update(): void {
    const form = this.#form;
    for (const part of form.element.querySelectorAll<HTMLElement>('[data-kind]')) part.hidden = !form.isFor(part);
    const kind = form.select('kind');
    // A plan has no method of its own to read about.
    explain(
      'kind',
      form.kind === 'plan' ? undefined : kind.value,
      kind.selectedOptions[0]?.text,
      WORDS.kinds[form.kind],
    );
    form.offerOutputs();
    for (const [name] of MENUS) {
      const choice = form.chosen(name);
      explain(name, choice?.name, choice?.title, choice?.summary);
    }
    const data = new FormData(form.element);
    byId('recommend').hidden = !this.#inspection?.recommended || form.kind !== 'structured';
    for (const field of form.element.querySelectorAll<HTMLElement>('[data-option]')) {
      field.hidden = !form.takes(field.dataset.option ?? '');
    }
    byId('repair-options').hidden = !form.takes('ridge');
    byId('target-field').hidden = !data.has('error_aware');
    byId('ridge-field').hidden = data.has('ridge_auto');
    byId('pad-choice').hidden = !form.pads;
    const advice = adviceOn(form, this.#inspection);
    byId('recipe-advice').hidden = advice === '';
    byId('recipe-advice').textContent = advice;
    this.onChange();
  }
}

/** Puts below a menu what its choice does, and where more is told of it. */
function explain(menu: string, name: string | undefined, title = '', summary = ''): void {
  byId(`${menu}-hint`).replaceChildren(summary, ...(name === undefined ? [] : [' ', methodLink(menu, name, title)]));
}
