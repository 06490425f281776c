import type { Inspection, NamedBlob } from '../lib/coppice.ts';
import { clearError, showError } from './alert.ts';
import { fromDrop, fromInput, type ModelFiles } from './collect.ts';
import { type Demo, demos } from './demos.ts';
import { byId, h } from './dom.ts';
import { count, spread } from './format.ts';
import { sharesKeys } from './kind.ts';
import { ownFile } from './own-file.ts';
import type { Session } from './session.ts';
import { WORDS as ALL } from './words.ts';

const { model: WORDS } = ALL;

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
      h('strong', {}, WORDS.demo(WORDS.demos[demo.id])),
      h('span', {}, WORDS.summary(demo.layers, demo.parameters, demo.bytes)),
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
    this.#facts.replaceChildren(h('p', { class: 'hint' }, WORDS.reading));
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
  const files = demo.files.map(async (name) => new File([await ownFile(`${demo.folder}/${name}`)], name));
  return { name: demo.id, files: await Promise.all(files) };
}

function facts(name: string, model: Inspection): HTMLElement {
  const { facts: terms } = WORDS;
  const labels = model.labels.length > 0 ? `: ${model.labels.join(', ')}` : '';
  const tasks: Record<string, string> = WORDS.tasks;
  const rows: [string, string][] = [
    [terms.architecture, `${model.class} (${model.family})`],
    [terms.task, (tasks[model.head] ?? model.head) + labels],
    [terms.layers, count(model.layers.length)],
    [
      sharesKeys(model) ? terms.groups : terms.heads,
      WORDS.wide(spread(model.layers.map(({ heads }) => heads)), model.head_dim),
    ],
    [terms.neurons, spread(model.layers.map(({ neurons }) => neurons))],
    [terms.hidden, count(model.hidden)],
    [terms.parameters, WORDS.inLayers(model.parameters, model.linear_parameters)],
    [terms.weights, WORDS.weights(model.bytes, Object.keys(model.dtypes))],
    [terms.tokenizer, model.tokenizer ? WORDS.found : WORDS.missing],
    [terms.stock, stock(model)],
  ];
  return h(
    'div',
    { class: 'facts' },
    h('h3', {}, name),
    h('dl', {}, ...rows.map(([term, text]) => h('div', {}, h('dt', {}, term), h('dd', {}, text)))),
  );
}

function stock({ stock_units: units }: Inspection): string {
  const names: Record<string, string> = WORDS.units;
  return units.length === 0 ? WORDS.theseWidths : WORDS.fewer(units.map((unit) => names[unit] ?? unit));
}
