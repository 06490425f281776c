import type { Catalog, Choice, Inspection, Plan, Recipe, RepairRecipe } from '../lib/coppice.ts';
import { byId, h, inputById } from './dom.ts';
import { isDecoder, SET, sharesKeys } from './kind.ts';
import { methodLink } from './learn/link.ts';

const MENUS = [
  ['criterion', 'criteria', 'flap'],
  ['allocation', 'allocations', 'uniform'],
  ['reconstruction', 'reconstructions', 'liar'],
  ['weight_criterion', 'weight_criteria', 'wanda'],
  ['pattern', 'patterns', 'unstructured'],
  ['sparsity_allocation', 'sparsity_allocations', 'uniform'],
  ['layer_budgets', 'layer_budgets', 'uniform'],
  ['update', 'updates', 'none'],
  ['factorisation', 'factorisations', 'whitened'],
  ['rank_allocation', 'rank_allocations', 'uniform'],
  ['output', 'outputs', 'stock'],
] as const;

const KINDS = {
  structured: 'Heads, neurons, layers or channels go: the model gets smaller and faster everywhere.',
  sparse: 'Zeros among the weights: packed, the file gets smaller; nothing runs faster on WebGPU.',
  low_rank: 'Each weight becomes two narrow ones: smaller, and faster where ranks are low.',
};

/** Section 3: the recipe form and its JSON. */
export class RecipeStep {
  /** What the recipe calls the calibration text, and what it says of the comparison. */
  texts: { calibrationName: string; comparison: Recipe['evaluation'] | undefined } | undefined;
  /** Called whenever the recipe may be another. */
  onChange: () => void = () => undefined;
  readonly #form = byId('recipe-form') as HTMLFormElement;
  #catalog: Catalog | undefined;
  #inspection: Inspection | undefined;

  constructor() {
    const slider = inputById('ratio-slider');
    const ratio = inputById('ratio');
    slider.addEventListener('input', () => {
      ratio.value = slider.value;
    });
    ratio.addEventListener('input', () => {
      slider.value = ratio.value;
    });
    this.#select('pattern').addEventListener('input', () => {
      const share = this.#chosen('pattern', 'patterns')?.share;
      if (share !== undefined) slider.value = ratio.value = String(100 * share);
    });
    this.#form.addEventListener('input', () => {
      this.update();
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
    });
    byId('recommend').addEventListener('click', () => {
      this.#recommend();
    });
    const copy = byId('recipe-copy');
    copy.addEventListener('click', () => {
      void navigator.clipboard.writeText(this.#json()).then(
        () => (copy.textContent = 'Copied'),
        () => (copy.textContent = 'Select the text and copy it by hand'),
      );
    });
  }

  /** Fills the menus with what the core declares, keeping what was chosen. */
  offer(catalog: Catalog): void {
    this.#catalog = catalog;
    for (const [name, list, preferred] of MENUS) {
      const select = this.#select(name);
      const chosen = select.value || preferred;
      const choices = catalog[list] ?? [];
      select.replaceChildren(...choices.map((choice) => h('option', { value: choice.name }, choice.title)));
      select.value = chosen;
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    }
    for (const [kind, needed] of [
      ['sparse', catalog.weight_criteria],
      ['low_rank', catalog.factorisations],
    ] as const) {
      const option = this.#form.querySelector<HTMLOptionElement>(`option[value="${kind}"]`);
      if (option) option.hidden = option.disabled = (needed ?? []).length === 0;
    }
    this.update();
  }

  /** Takes note of the model: what its stock config can hold, what its heads are, how long its sequences may be. */
  fit(inspection: Inspection): void {
    const decoder = isDecoder(inspection);
    const [sequences, length] = [this.#input('sequences'), this.#input('length')];
    if (decoder !== (this.#inspection !== undefined && isDecoder(this.#inspection))) {
      const set = SET[decoder ? 'decoder' : 'encoder'];
      [sequences.value, length.value] = [String(set.sequences), String(set.length)];
    }
    if (length.valueAsNumber > inspection.positions) length.value = String(inspection.positions);
    this.#inspection = inspection;
    byId('heads-name').textContent = sharesKeys(inspection) ? 'Key/value heads, with their queries' : 'Attention heads';
    byId('set-hint').textContent = decoder
      ? 'So many stretches of so many tokens are drawn from the text.'
      : 'At most so many are drawn from the text, and longer ones are cut.';
    this.update();
  }

  /** Chooses what did best on models of this kind; what goes, and how much, stays as it is. */
  #recommend(): void {
    if (!this.#inspection?.recommended) return;
    const { criterion, allocation, reconstruction, error_aware } = this.#inspection.recommended.method;
    for (const [name, value] of Object.entries({ criterion, allocation, reconstruction })) {
      const select = this.#select(name);
      if ([...select.options].some((option) => option.value === value)) select.value = value;
    }
    this.#input('error_aware').checked = error_aware;
    this.update();
  }

  /** The recipe as the form stands, or one that keeps what a plan lists; an error names the field that is wrong. */
  read(plan?: Plan): Recipe {
    const data = new FormData(this.#form);
    const text = (name: string) => {
      const value = data.get(name);
      return typeof value === 'string' ? value : '';
    };
    const evaluation = this.texts?.comparison;
    return {
      version: 1,
      calibration: {
        source: this.texts?.calibrationName ?? 'calibration.txt',
        sequences: number(text('sequences'), 'The number of calibration sequences', 1, true),
        length: number(text('length'), 'The number of tokens each', 2, true),
        seed: number(text('seed'), 'The seed', 0, true),
      },
      method: plan ? { kind: 'plan', plan, ...this.#repair(data, text) } : this.#method(data, text),
      output: { kind: text('output'), dtype: text('dtype'), pad: this.#pads() && data.has('pad') },
      ...(evaluation && { evaluation }),
    };
  }

  /** What is removed, and how. */
  #method(data: FormData, text: (name: string) => string): Recipe['method'] {
    const asked = ratio(text('ratio'));
    if (this.#kind === 'sparse') {
      return {
        kind: 'sparse',
        criterion: text('weight_criterion'),
        pattern: text('pattern'),
        allocation: text('sparsity_allocation'),
        ...(this.#takes('layer_budgets') && { layer_budgets: text('layer_budgets') }),
        ratio: asked,
        update: text('update'),
      };
    }
    if (this.#kind === 'low_rank') {
      const [factorisation, allocation] = [text('factorisation'), text('rank_allocation')];
      const sparse = share(
        text('single_share'),
        'The share of single weights',
        'at least 0',
        (part) => part < 100,
        'below 100',
      );
      return {
        kind: 'low_rank',
        factorisation,
        allocation,
        ratio: asked,
        ...(this.#takes('floor') && { floor: share(text('rank_floor'), 'The floor', 'at least 0', () => true) }),
        ...(data.has('joint') && { joint: true }),
        ...(sparse > 0 && { sparse }),
      };
    }
    const units = data.getAll('units').map(String);
    if (units.length === 0) throw new Error('Nothing is chosen to go; tick what may go in step 3.');
    return {
      kind: 'structured',
      units,
      criterion: text('criterion'),
      allocation: text('allocation'),
      ratio: asked,
      ...this.#repair(data, text),
      ...(this.#takes('swaps') && { swaps: number(text('swaps'), 'The number of swaps', 0, true) }),
      ...(this.#takes('screen') && { screen: share(text('screen'), 'The screen', 'above 0', (part) => part > 0) }),
      ...(this.#takes('score_sequences') && {
        score_sequences: number(text('score_sequences'), 'The number of sequences to score on', 1, true),
      }),
      ...(this.#takes('floor') && { floor: share(text('floor'), 'The floor', 'at least 0', () => true) }),
    };
  }

  /** How what stays is repaired. */
  #repair(data: FormData, text: (name: string) => string): RepairRecipe {
    const aware = this.#takes('error_aware') && data.has('error_aware');
    return {
      reconstruction: text('reconstruction'),
      ...(this.#takes('ridge') && {
        ridge: data.has('ridge_auto') ? ('auto' as const) : number(text('ridge'), 'The ridge', 0, false),
      }),
      error_aware: aware,
      ...(aware && text('target') === 'output' && { target: 'output' as const }),
      ...(this.#takes('affine') && !data.has('affine') && { affine: false }),
    };
  }

  /** Brings hints, dependent fields, advice and the JSON up to date. */
  update(): void {
    for (const part of this.#form.querySelectorAll<HTMLElement>('[data-kind]')) {
      part.hidden = part.dataset.kind !== this.#kind;
    }
    const kind = this.#select('kind');
    explain('kind', kind.value, kind.selectedOptions[0]?.text, KINDS[this.#kind]);
    this.#offerOutputs();
    for (const [name, list] of MENUS) {
      const choice = this.#chosen(name, list);
      explain(name, choice?.name, choice?.title, choice?.summary);
    }
    const data = new FormData(this.#form);
    byId('recommend').hidden = !this.#inspection?.recommended || this.#kind !== 'structured';
    for (const field of this.#form.querySelectorAll<HTMLElement>('[data-option]')) {
      field.hidden = !this.#takes(field.dataset.option ?? '');
    }
    byId('repair-options').hidden = !this.#takes('ridge');
    byId('target-field').hidden = !data.has('error_aware');
    byId('ridge-field').hidden = data.has('ridge_auto');
    byId('pad-choice').hidden = !this.#pads();
    byId('recipe-json').textContent = this.#json();
    byId('recipe-copy').textContent = 'Copy';
    const advice = this.#advice();
    byId('recipe-advice').hidden = advice === '';
    byId('recipe-advice').textContent = advice;
    this.onChange();
  }

  #advice(): string {
    const data = new FormData(this.#form);
    const units = data.getAll('units').map(String);
    const hidden = units.includes('hidden');
    if (this.#kind !== 'structured') return '';
    if (hidden && units.includes('layers'))
      return 'One ratio cannot share out layers and hidden channels: remove one of them, then the other from the result.';
    if (!this.#inspection || data.get('output') !== 'stock') return '';
    if (data.has('pad')) return hidden ? 'Hidden channels cannot be padded with zeros: leave “pad” or them out.' : '';
    const { family, stock_units: stock } = this.#inspection;
    const heads = units.includes('heads');
    if (!stock.includes('heads') && hidden && !heads)
      return `In a stock ${family} config heads fill the hidden channels: tick heads too, or choose the output kind “sliced”.`;
    // Where a config cannot hold fewer heads alone, it can with a narrower residual stream.
    const fits = (unit: string) =>
      stock.includes(unit) || ['layers', 'hidden'].includes(unit) || (unit === 'heads' && hidden);
    const misfits = units.filter((unit) => !fits(unit));
    if (misfits.length === 0) return '';
    return `A stock ${family} config cannot hold fewer ${misfits.join(' or ')}: choose the output kind “sliced”, tick “pad”, or leave ${misfits.join(' and ')} alone.`;
  }

  #json(): string {
    try {
      return JSON.stringify(this.read(), null, 2);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Whether something that is chosen in a menu of the kind of method goes with a field of the method. */
  #takes(field: string): boolean {
    return MENUS.some(([menu, list]) => {
      const kind = this.#select(menu).closest<HTMLElement>('[data-kind]')?.dataset.kind ?? this.#kind;
      return kind === this.#kind && (this.#chosen(menu, list)?.options?.includes(field) ?? false);
    });
  }

  /** What is chosen in a menu. */
  #chosen(menu: (typeof MENUS)[number][0], list: (typeof MENUS)[number][1]): Choice | undefined {
    return this.#catalog?.[list]?.find((one: Choice) => one.name === this.#select(menu).value);
  }

  /** Leaves the output kinds that go with the kind of method. */
  #offerOutputs(): void {
    const select = this.#select('output');
    for (const option of select.options) {
      const { methods } = this.#catalog?.outputs.find((one: Choice) => one.name === option.value) ?? {};
      option.hidden = option.disabled = !(methods?.includes(this.#kind) ?? true);
    }
    if (select.selectedOptions[0]?.disabled) {
      select.selectedIndex = [...select.options].findIndex((option) => !option.disabled);
    }
  }

  /** Whether removed units can be padded with zeros in what is written. */
  #pads(): boolean {
    return this.#kind === 'structured' && this.#select('output').value === 'stock';
  }

  get #kind(): keyof typeof KINDS {
    return this.#select('kind').value as keyof typeof KINDS;
  }

  #input(name: string): HTMLInputElement {
    return this.#form.elements.namedItem(name) as HTMLInputElement;
  }

  #select(name: string): HTMLSelectElement {
    return this.#form.elements.namedItem(name) as HTMLSelectElement;
  }
}

/** Puts below a menu what its choice does, and where more is told of it. */
function explain(menu: string, name: string | undefined, title = '', summary = ''): void {
  byId(`${menu}-hint`).replaceChildren(summary, ...(name === undefined ? [] : [' ', methodLink(menu, name, title)]));
}

function ratio(text: string): number {
  const percent = number(text, 'The ratio', 0, false);
  if (percent >= 100)
    throw new Error(`The ratio is ${percent} %, and something must stay; ask for less than 100 % in step 3.`);
  return percent / 100;
}

/** A share that is asked for in percent. */
function share(
  text: string,
  what: string,
  least: string,
  fits: (part: number) => boolean,
  most = 'at most 100',
): number {
  const percent = text.trim() === '' ? NaN : Number(text);
  if (!(percent >= 0 && percent <= 100 && fits(percent))) {
    throw new Error(`${what} must be a percentage ${least} and ${most}; correct it in step 3.`);
  }
  return percent / 100;
}

function number(text: string, what: string, least: number, whole: boolean): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value) || value < least || (whole && !Number.isInteger(value))) {
    throw new Error(
      `${what} must be ${whole ? 'a whole number' : 'a number'} of at least ${least}; correct it in step 3.`,
    );
  }
  return value;
}
