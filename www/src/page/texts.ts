import type { Recipe } from '../lib/coppice.ts';
import demos from './demos.json' with { type: 'json' };
import { byId, inputById, radio } from './dom.ts';

type Group = 'calibration' | 'evaluation';

const [demo] = demos;

/** Section 2: which texts calibrate and compare. */
export class TextsStep {
  /** Called when what the recipe says of the texts may have changed. */
  onChange: () => void = () => undefined;

  constructor() {
    for (const group of ['calibration', 'evaluation'] as const) {
      inputById(`${group}-file`).addEventListener('change', () => {
        this.#update();
      });
      for (const input of document.querySelectorAll(`input[name="${group}"]`)) {
        input.addEventListener('change', () => {
          this.#update();
        });
      }
    }
    inputById('evaluation-rows').addEventListener('input', () => {
      this.onChange();
    });
    this.#update();
  }

  /** What the recipe calls the calibration text. */
  get calibrationName(): string {
    return nameOf('calibration');
  }

  /** What the recipe says of the comparison. */
  get comparison(): Recipe['evaluation'] | undefined {
    if (radio('evaluation') === 'none') return undefined;
    const { value, valueAsNumber: limit } = inputById('evaluation-rows');
    if (value === '') return { source: nameOf('evaluation') };
    if (!Number.isInteger(limit) || limit < 1) {
      throw new Error(
        'The number of comparison lines must be a whole number of at least 1, or empty for all; correct it in step 2.',
      );
    }
    return { source: nameOf('evaluation'), limit };
  }

  async calibration(): Promise<Blob> {
    return load('calibration');
  }

  async evaluation(): Promise<Blob | undefined> {
    return radio('evaluation') === 'none' ? undefined : load('evaluation');
  }

  #update(): void {
    for (const group of ['calibration', 'evaluation']) {
      const label = byId(`${group}-file`).closest('label');
      if (label) label.hidden = radio(group) !== 'own';
    }
    const rows = byId('evaluation-rows').closest('label');
    if (rows) rows.hidden = radio('evaluation') === 'none';
    this.onChange();
  }
}

function chosen(group: Group): File | undefined {
  return inputById(`${group}-file`).files?.[0];
}

function nameOf(group: Group): string {
  if (radio(group) === 'own') return chosen(group)?.name ?? `${group}.txt`;
  return demo?.[group].path.split('/').at(-1) ?? '';
}

async function load(group: Group): Promise<Blob> {
  if (radio(group) === 'own') {
    const file = chosen(group);
    if (file) return file;
    throw new Error(`No ${group === 'calibration' ? 'calibration' : 'labelled'} file is chosen; choose one in step 2.`);
  }
  const path = demo?.[group].path ?? '';
  const response = await fetch(path);
  if (!response.ok)
    throw new Error(`The demo text ${path} could not be fetched (status ${response.status}); reload the page.`);
  return response.blob();
}
