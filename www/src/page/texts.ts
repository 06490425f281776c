import demos from './demos.json' with { type: 'json' };
import { byId, inputById, radio } from './dom.ts';

/** A text and what to call it in the recipe. */
export interface NamedText {
  name: string;
  text: string;
}

const [demo] = demos;

/** Section 2: which texts calibrate and compare. */
export class TextsStep {
  /** Called when the calibration text's name may have changed. */
  onChange: () => void = () => undefined;

  constructor() {
    for (const group of ['calibration', 'evaluation']) {
      const file = inputById(`${group}-file`);
      file.addEventListener('change', () => {
        if ((file.files?.length ?? 0) > 0) check(group, 'own');
        this.#update();
      });
      for (const input of document.querySelectorAll(`input[name="${group}"]`)) {
        input.addEventListener('change', () => {
          this.#update();
        });
      }
    }
    this.#update();
  }

  /** What the recipe calls the calibration text. */
  get calibrationName(): string {
    const file = inputById('calibration-file').files?.[0];
    return radio('calibration') === 'own' ? (file?.name ?? 'calibration.txt') : baseName(demo?.calibration.path ?? '');
  }

  async calibration(): Promise<string> {
    const { text } = await load('calibration', demo?.calibration.path ?? '');
    return text;
  }

  /** The labelled lines to compare on, cut to the number asked for, or nothing. */
  async evaluation(): Promise<string | undefined> {
    if (radio('evaluation') === 'none') return undefined;
    const rows = inputById('evaluation-rows');
    const most = rows.value === '' ? Infinity : rows.valueAsNumber;
    if (!(most >= 1)) throw new Error('The number of comparison lines must be at least 1; leave it empty to use all.');
    const { text } = await load('evaluation', demo?.evaluation.path ?? '');
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return lines.slice(0, most).join('\n');
  }

  #update(): void {
    for (const group of ['calibration', 'evaluation']) {
      byId(`${group}-file`)
        .closest('label')
        ?.toggleAttribute('hidden', radio(group) !== 'own');
    }
    byId('evaluation-rows')
      .closest('label')
      ?.toggleAttribute('hidden', radio('evaluation') === 'none');
    this.onChange();
  }
}

function check(group: string, value: string): void {
  const input = document.querySelector<HTMLInputElement>(`input[name="${group}"][value="${value}"]`);
  if (input) input.checked = true;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

async function load(group: string, path: string): Promise<NamedText> {
  if (radio(group) === 'own') {
    const file = inputById(`${group}-file`).files?.[0];
    if (!file)
      throw new Error(
        `No ${group === 'calibration' ? 'calibration' : 'labelled'} file is chosen; choose one in step 2.`,
      );
    return { name: file.name, text: await file.text() };
  }
  const response = await fetch(path);
  if (!response.ok)
    throw new Error(`The demo text ${path} could not be fetched (status ${response.status}); reload the page.`);
  return { name: baseName(path), text: await response.text() };
}
