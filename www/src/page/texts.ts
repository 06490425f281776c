import type { Inspection, Recipe } from '../lib/coppice.ts';
import { type Demo, demos } from './demos.ts';
import { byId, inputById, radio } from './dom.ts';
import { isDecoder, SET } from './kind.ts';
import { ownFile } from './own-file.ts';
import { WORDS as RECIPE_WORDS } from './recipe/words.ts';
import { WORDS as ALL } from './words.ts';

const { texts: WORDS } = ALL;

type Group = 'calibration' | 'evaluation';

const GROUPS = ['calibration', 'evaluation'] as const;

/** Section 2: which texts calibrate and compare. */
export class TextsStep {
  /** Called when what the recipe says of the texts may have changed. */
  onChange: () => void = () => undefined;
  #kind: keyof typeof SET = 'encoder';
  /** Whose texts the page offers; absent where it has none that suit the model. */
  #bundled: Demo | undefined = demos[0];

  constructor() {
    for (const group of GROUPS) {
      inputById(`${group}-file`).addEventListener('change', () => {
        this.#update();
      });
      for (const input of document.querySelectorAll(`input[name="${group}"]`)) {
        input.addEventListener('change', () => {
          this.#update();
        });
      }
    }
    for (const id of ['evaluation-rows', 'evaluation-window']) {
      inputById(id).addEventListener('input', () => {
        this.onChange();
      });
    }
    this.#update();
  }

  /** Offers the texts that suit a model: a demo's own, SST-2 for any encoder, none for a decoder of the person's own. */
  fit(inspection: Inspection, demo: Demo | undefined): void {
    const kind = isDecoder(inspection) ? 'decoder' : 'encoder';
    const bundled = demo ?? (kind === 'encoder' ? demos[0] : undefined);
    const window = inputById('evaluation-window');
    if (kind !== this.#kind) {
      inputById('evaluation-rows').value = String(SET[kind].limit);
      window.value = String(SET.decoder.window);
    }
    if (kind === 'decoder' && window.valueAsNumber > inspection.positions) window.value = String(inspection.positions);
    if (bundled !== this.#bundled) {
      check('calibration', bundled ? 'demo' : 'own');
      check('evaluation', bundled ? 'demo' : 'none');
    }
    this.#kind = kind;
    this.#bundled = bundled;
    this.#update();
  }

  /** What the recipe calls the calibration text. */
  get calibrationName(): string {
    return this.#nameOf('calibration');
  }

  /** The same while the same texts are chosen. */
  get identity(): string {
    const one = (group: Group) => {
      const { name, size, lastModified } = chosen(group) ?? {};
      return radio(group) === 'own' ? [name, size, lastModified] : [radio(group), this.#bundled?.[group].path];
    };
    return JSON.stringify(GROUPS.map(one));
  }

  /** What the recipe says of the comparison. */
  get comparison(): Recipe['evaluation'] | undefined {
    if (radio('evaluation') === 'none') return undefined;
    const decoder = this.#kind === 'decoder';
    const limit = number('evaluation-rows', WORDS.rows[this.#kind], 1);
    const window = decoder ? number('evaluation-window', WORDS.window, 2) : undefined;
    return {
      source: this.#nameOf('evaluation'),
      ...(limit !== undefined && { limit }),
      ...(window !== undefined && { window }),
    };
  }

  /** Takes over what a recipe says of the texts; gives back sentences on those that it names and the page does not have. */
  take(calibration: unknown, comparison: Record<string, unknown> | undefined): string[] {
    if (!comparison) check('evaluation', 'none');
    else {
      if (radio('evaluation') === 'none') check('evaluation', this.#bundled ? 'demo' : 'own');
      inputById('evaluation-rows').value = typeof comparison.limit === 'number' ? String(comparison.limit) : '';
      if (typeof comparison.window === 'number') inputById('evaluation-window').value = String(comparison.window);
    }
    const notes: string[] = [];
    for (const [group, source] of [
      ['calibration', calibration],
      ['evaluation', comparison?.source],
    ] as const) {
      const name = typeof source === 'string' ? (source.split('/').at(-1) ?? source) : undefined;
      if (name === undefined || name === this.#nameOf(group)) continue;
      if (this.#bundled?.[group].path.endsWith(`/${name}`)) check(group, 'demo');
      else if (chosen(group)?.name === name) check(group, 'own');
      else notes.push(RECIPE_WORDS.otherText(group, name, this.#nameOf(group)));
    }
    this.#update();
    return notes;
  }

  /** Chooses whose text: the page's, where it has one that suits the model, the person's own, or none. */
  choose(group: Group, choice: string): void {
    if (choice !== 'demo' || this.#bundled) check(group, choice);
    this.#update();
  }

  /** Keeps what is chosen; what comes back puts it there again. */
  keep(): () => void {
    const numbers = ['evaluation-rows', 'evaluation-window'].map((id) => [inputById(id), inputById(id).value] as const);
    const choices = GROUPS.map((group) => [group, radio(group)] as const);
    return () => {
      for (const [input, value] of numbers) input.value = value;
      for (const [group, value] of choices) check(group, value);
      this.#update();
    };
  }

  async calibration(): Promise<Blob> {
    return this.#load('calibration');
  }

  async evaluation(): Promise<Blob | undefined> {
    return radio('evaluation') === 'none' ? undefined : this.#load('evaluation');
  }

  #update(): void {
    for (const group of GROUPS) {
      hideField(`${group}-file`, radio(group) !== 'own');
      hideField(`${group}-title`, this.#bundled === undefined);
      if (this.#bundled) byId(`${group}-title`).textContent = WORDS.bundled[this.#bundled.id][group];
    }
    for (const [id, words] of Object.entries(WORDS[this.#kind])) byId(id).textContent = words;
    for (const hint of document.querySelectorAll<HTMLElement>('#texts [data-for]'))
      hint.hidden = hint.dataset.for !== this.#kind;
    byId('texts-wanted').hidden = this.#bundled !== undefined;
    hideField('evaluation-rows', radio('evaluation') === 'none');
    hideField('evaluation-window', radio('evaluation') === 'none' || this.#kind === 'encoder');
    this.onChange();
  }

  #nameOf(group: Group): string {
    if (radio(group) === 'own') return chosen(group)?.name ?? `${group}.txt`;
    return this.#bundled?.[group].path.split('/').at(-1) ?? '';
  }

  async #load(group: Group): Promise<Blob> {
    if (radio(group) === 'own') {
      const file = chosen(group);
      if (file) return file;
      throw new Error(WORDS.noFile[group === 'calibration' ? group : this.#kind]);
    }
    return ownFile(this.#bundled?.[group].path ?? '');
  }
}

function chosen(group: Group): File | undefined {
  return inputById(`${group}-file`).files?.[0];
}

function check(group: Group, value: string): void {
  const input = document.querySelector<HTMLInputElement>(`input[name="${group}"][value="${value}"]`);
  if (input) input.checked = true;
}

function hideField(id: string, hidden: boolean): void {
  const label = byId(id).closest('label');
  if (label) label.hidden = hidden;
}

/** The number in a field, where there is one; `wrong` is said where it is none that the field takes. */
function number(id: string, wrong: string, least: number): number | undefined {
  const { value, valueAsNumber, validity } = inputById(id);
  if (value === '' && !validity.badInput) return undefined;
  if (!Number.isInteger(valueAsNumber) || valueAsNumber < least) throw new Error(wrong);
  return valueAsNumber;
}
