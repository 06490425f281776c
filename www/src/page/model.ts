import type { Inspection, NamedBlob } from '../lib/coppice.ts';
import { clearError, showError } from './alert.ts';
import { fromDrop, fromInput, type ModelFiles } from './collect.ts';
import { type Demo, demos } from './demos.ts';
import { byId, h } from './dom.ts';
import { bytes, count, headsName, short, spread } from './format.ts';
import type { Session } from './session.ts';

/** Section 1: where the model comes from, and what it is. */
export class ModelStep {
  files: NamedBlob[] = [];
  name = 'model';
  inspection: Inspection | undefined;
  /** The demo that is open, if one is. */
  demo: Demo | undefined;
  /** Called when another model was understood, with the demo that it is. */
  onChange: (inspection: Inspection, demo: Demo | undefined) => void = () => undefined;
  /** Called when the model is gone and another may come. */
  onLeave: () => void = () => undefined;
  readonly #session: Session;
  readonly #facts = byId('model-facts');
  /** Counts attempts, so that a slow one never overwrites a later one. */
  #attempt = 0;

  constructor(session: Session) {
    this.#session = session;
    this.#listenForDrops();
    for (const input of document.querySelectorAll<HTMLInputElement>('#model input[type="file"]')) {
      input.addEventListener('change', () => {
        // A cancelled chooser leaves nothing and asks for nothing.
        if ((input.files?.length ?? 0) > 0) void this.#take(() => fromInput(input));
      });
    }
    byId('demos').append(...demos.map((demo) => this.#demoButton(demo)));
  }

  /** Opens a demo; whether it came to be the model of the page. */
  async openDemo(demo: Demo): Promise<boolean> {
    await this.#take(() => fetchDemo(demo), demo);
    return this.demo === demo && this.inspection !== undefined;
  }

  #demoButton(demo: Demo): HTMLElement {
    const button = h(
      'button',
      { type: 'button', class: 'demo', 'data-testid': `demo-${demo.id}` },
      h('strong', {}, `Demo: ${demo.title}`),
      h('span', {}, demo.summary),
    );
    button.addEventListener('click', () => void this.openDemo(demo));
    return button;
  }

  #listenForDrops(): void {
    const zone = byId('drop');
    // The whole window takes the drop: a file that misses the zone would otherwise replace the page.
    window.addEventListener('dragover', (event) => {
      event.preventDefault();
      zone.classList.add('over');
    });
    window.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) zone.classList.remove('over');
    });
    window.addEventListener('drop', (event) => {
      event.preventDefault();
      zone.classList.remove('over');
      const transfer = event.dataTransfer;
      if (transfer && transfer.items.length > 0) {
        const collected = fromDrop(transfer);
        void this.#take(() => collected);
      }
    });
  }

  async #take(collect: () => ModelFiles | Promise<ModelFiles>, demo?: Demo): Promise<void> {
    const attempt = ++this.#attempt;
    clearError();
    this.files = [];
    this.inspection = this.demo = undefined;
    this.onLeave();
    this.#facts.replaceChildren(h('p', { class: 'hint' }, 'Reading the headers…'));
    try {
      const { name, files } = await collect();
      const coppice = await this.#session.engine();
      const inspection = await coppice.inspect(files);
      if (attempt !== this.#attempt) return;
      Object.assign(this, { name, files, inspection, demo });
      this.#facts.replaceChildren(facts(name, inspection));
      this.onChange(inspection, demo);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#facts.replaceChildren();
      showError(error);
    }
  }
}

async function fetchDemo(demo: Demo): Promise<ModelFiles> {
  const files = demo.files.map(async (name) => {
    const response = await fetch(`${demo.folder}/${name}`);
    if (!response.ok)
      throw new Error(`The demo file ${name} could not be fetched (status ${response.status}); reload the page.`);
    return new File([await response.blob()], name);
  });
  return { name: demo.id, files: await Promise.all(files) };
}

const HEADS: Record<string, string> = {
  classifier: 'sequence classification',
  masked_lm: 'masked language model',
  causal_lm: 'causal language model',
  none: 'no head (sentence embeddings)',
};

function facts(name: string, model: Inspection): HTMLElement {
  const labels = model.labels.length > 0 ? `: ${model.labels.join(', ')}` : '';
  const rows: [string, string][] = [
    ['Architecture', `${model.class} (${model.family})`],
    ['Task', (HEADS[model.head] ?? model.head) + labels],
    ['Layers', count(model.layers.length)],
    [`${headsName(model)} a layer`, `${spread(model.layers.map(({ heads }) => heads))}, ${count(model.head_dim)} wide`],
    ['Neurons a layer', spread(model.layers.map(({ neurons }) => neurons))],
    ['Hidden size', count(model.hidden)],
    ['Parameters', `${short(model.parameters)}, of which ${short(model.linear_parameters)} in the layers`],
    ['Weights', `${bytes(model.bytes)}, ${Object.keys(model.dtypes).join(' and ')}`],
    ['Tokenizer', model.tokenizer ? 'found' : 'missing: texts cannot be read'],
    ['Stock config can hold', stock(model)],
  ];
  return h(
    'div',
    { class: 'facts' },
    h('h3', {}, name),
    h('dl', {}, ...rows.map(([term, text]) => h('div', {}, h('dt', {}, term), h('dd', {}, text)))),
  );
}

function stock({ stock_units: units }: Inspection): string {
  if (units.length === 0) return 'these widths only';
  return `fewer ${units.join(' and ')}, the same number in every layer`;
}
