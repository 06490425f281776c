import type { GenerateOptions, Inspection, NamedBlob } from '../lib/coppice.ts';
import { clearError, showError } from './alert.ts';
import { Column } from './column.ts';
import type { Demo } from './demos.ts';
import { byId, exchange, inputById } from './dom.ts';
import { isDecoder } from './kind.ts';
import type { Session } from './session.ts';

const PROMPT = 'Once upon a time';

/** Section 6, for decoders: what the dense and the pruned model write after the same prompt. */
export class TryStep {
  /** Called when texts begin and when the last one has ended. */
  onBusy: (busy: boolean) => void = () => undefined;
  readonly #session: Session;
  readonly #generate = byId('generate') as HTMLButtonElement;
  readonly #stop = byId('generate-stop') as HTMLButtonElement;
  readonly #prompt = byId('prompt') as HTMLTextAreaElement;
  readonly #columns = { dense: new Column('dense'), pruned: new Column('pruned') };
  #files: { dense: readonly NamedBlob[]; pruned: readonly NamedBlob[] | undefined } = { dense: [], pruned: undefined };
  #running: AbortController | undefined;

  constructor(session: Session) {
    this.#session = session;
    byId('try-form').addEventListener('submit', (event) => {
      event.preventDefault();
      // Enter in a field submits also while the button is disabled or gone.
      if (!this.#running && !this.#generate.disabled) void this.#run();
    });
    this.#stop.addEventListener('click', () => {
      this.#running?.abort();
    });
  }

  /** Takes note of another model; texts of the one before end. */
  fit(files: readonly NamedBlob[], inspection: Inspection, demo: Demo | undefined): void {
    this.#running?.abort();
    this.#files = { dense: files, pruned: undefined };
    this.#prompt.value = demo?.prompt ?? PROMPT;
    byId('try').hidden = !isDecoder(inspection);
    this.#clear();
  }

  /** Offers the pruned model beside the dense one. */
  offer(pruned: readonly NamedBlob[]): void {
    this.#files.pruned = pruned;
    this.#clear();
  }

  /** While another run is under way nothing is generated. */
  set blocked(blocked: boolean) {
    this.#generate.disabled = blocked;
  }

  #clear(): void {
    const both = this.#files.pruned !== undefined;
    byId('try-title').textContent = both ? 'Try both' : 'Try it';
    byId('try-texts').classList.toggle('both', both);
    byId('try-texts').hidden = true;
    this.#columns.pruned.hidden = !both;
    for (const column of Object.values(this.#columns)) column.clear();
    byId('generation-status').textContent = '';
  }

  async #run(): Promise<void> {
    clearError();
    const abort = new AbortController();
    try {
      const options = { ...this.#read(), signal: abort.signal };
      this.#begin(abort);
      const { dense, pruned } = this.#files;
      await Promise.all([
        this.#write('dense', dense, options, abort),
        pruned && this.#write('pruned', pruned, options, abort),
      ]);
      if (!abort.signal.aborted) byId('generation-status').textContent = 'Done.';
    } catch (error) {
      showError(error);
    } finally {
      if (this.#running === abort) this.#end();
    }
  }

  /** One model's text; an error of one ends the other. */
  async #write(
    which: 'dense' | 'pruned',
    files: readonly NamedBlob[],
    options: GenerateOptions,
    abort: AbortController,
  ): Promise<void> {
    const column = this.#columns[which];
    column.begin(options.prompt);
    const coppice = await this.#session.engine();
    const generation = coppice.generate(files, {
      ...options,
      onProgress: ({ layer, layers }) => {
        if (typeof layer === 'number') column.say(`Reading the model: layer ${layer + 1} of ${layers}…`);
      },
    });
    try {
      for await (const token of generation) column.push(token);
    } catch (error) {
      if (!abort.signal.aborted) {
        abort.abort();
        throw error;
      }
    } finally {
      column.end(generation.ending ?? 'stopped');
    }
  }

  #begin(abort: AbortController): void {
    this.#running = abort;
    byId('try-texts').hidden = false;
    byId('generation-status').textContent = 'Writing…';
    exchange(this.#generate, this.#stop);
    this.onBusy(true);
  }

  #end(): void {
    if (this.#running?.signal.aborted) byId('generation-status').textContent = 'Stopped.';
    this.#running = undefined;
    exchange(this.#stop, this.#generate);
    this.onBusy(false);
  }

  #read(): GenerateOptions {
    const { value: prompt } = this.#prompt;
    return {
      prompt,
      maxTokens: number('max-tokens', 'The number of tokens', 1, Infinity, true),
      temperature: number('temperature', 'The temperature', 0, Infinity, false),
      topK: number('top-k', 'Top-k', 0, Infinity, true),
      topP: number('top-p', 'Top-p', Number.MIN_VALUE, 1, false),
      seed: number('generation-seed', 'The seed', 0, Number.MAX_SAFE_INTEGER, true),
    };
  }
}

function number(id: string, what: string, least: number, most: number, whole: boolean): number {
  const { valueAsNumber: value } = inputById(id);
  if (!Number.isFinite(value) || value < least || value > most || (whole && !Number.isInteger(value))) {
    const kind = whole ? 'a whole number' : 'a number';
    const from = least === Number.MIN_VALUE ? 'above 0' : `of at least ${least}`;
    const to = most === 1 ? ' and at most 1' : '';
    throw new Error(`${what} must be ${kind} ${from}${to}; correct it in step 6.`);
  }
  return value;
}
