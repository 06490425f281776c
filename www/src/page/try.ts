import type { GenerateOptions, NamedBlob } from '../lib/coppice.ts';
import { clearError, showError } from './alert.ts';
import { type Attempt, type Subject, taskOf } from './attempts/attempt.ts';
import { Column } from './column.ts';
import { byId, exchange, h, inputById } from './dom.ts';
import type { Session } from './session.ts';
import { Classifier } from './side/classifier.ts';
import { diffWords } from './side/diff.ts';
import { WORDS } from './side/words.ts';
import { WORDS as STEPS } from './words.ts';

const { settings: SETTINGS } = STEPS;

/** Section 6: what the dense model and one of the attempts write after the same prompt, or make of the same sentence. */
export class TryStep {
  /** Called when texts begin and when the last one has ended. */
  onBusy: (busy: boolean) => void = () => undefined;
  readonly #session: Session;
  readonly #generate = byId('generate') as HTMLButtonElement;
  readonly #stop = byId('generate-stop') as HTMLButtonElement;
  readonly #prompt = byId('prompt') as HTMLTextAreaElement;
  readonly #columns = { dense: new Column('dense'), pruned: new Column('pruned') };
  readonly #menu = byId('try-attempt') as HTMLSelectElement;
  readonly #classifier: Classifier;
  #subject: Subject | undefined;
  #attempts: readonly Attempt[] = [];
  #running: AbortController | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#classifier = new Classifier(session);
    this.#classifier.onBusy = (busy) => {
      this.onBusy(busy);
    };
    this.#menu.addEventListener('change', () => {
      this.#running?.abort();
      this.#clear();
    });
    byId('try-form').addEventListener('submit', (event) => {
      event.preventDefault();
      // Enter in a field submits also while the button is disabled or gone.
      if (!this.#running && !this.#generate.disabled) void this.#run();
    });
    this.#stop.addEventListener('click', () => {
      this.#running?.abort();
    });
  }

  /** Takes note of another model and its attempts; texts of the one before end. */
  fit(subject: Subject, attempts: readonly Attempt[]): void {
    this.#running?.abort();
    this.#subject = subject;
    this.#prompt.value = subject.prompt;
    const task = taskOf(subject);
    byId('try').hidden = task === 'features';
    byId('try-form').hidden = task !== 'decoder';
    byId('sentence-form').hidden = task !== 'classifier';
    this.#menu.value = '';
    this.offer(attempts);
  }

  /** Offers attempts for the pruned side; `chosen`, or the one that was chosen, or the first. */
  offer(attempts: readonly Attempt[], chosen = this.#chosen): void {
    const before = this.#chosen;
    this.#attempts = attempts;
    this.#menu.replaceChildren(
      ...attempts.map(({ id, name }) => h('option', { value: String(id) }, WORDS.attempt(id, name))),
    );
    if (chosen && attempts.includes(chosen)) this.#menu.value = String(chosen.id);
    byId('try-attempt-field').hidden = attempts.length === 0;
    // Another name alone leaves the texts where they are.
    if (this.#chosen === undefined || this.#chosen !== before) this.#clear();
  }

  /** While another run is under way nothing is generated. */
  set blocked(blocked: boolean) {
    this.#generate.disabled = blocked;
    this.#classifier.blocked = blocked;
  }

  get #chosen(): Attempt | undefined {
    return this.#attempts.find(({ id }) => String(id) === this.#menu.value);
  }

  #clear(): void {
    const both = this.#chosen !== undefined;
    if (this.#subject) this.#classifier.fit(this.#subject, this.#chosen);
    byId('try-title').textContent = both ? WORDS.titleBoth : WORDS.titleOne;
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
      const [dense, pruned] = [this.#subject?.files ?? [], this.#chosen?.result.files];
      await Promise.all([
        this.#write('dense', dense, options, abort),
        pruned && this.#write('pruned', pruned, options, abort),
      ]);
      if (!abort.signal.aborted) byId('generation-status').textContent = this.#outcome(pruned !== undefined);
    } catch (error) {
      showError(error);
    } finally {
      if (this.#running === abort) this.#end();
    }
  }

  /** Marks the words that differ, and says how it went. */
  #outcome(both: boolean): string {
    if (!both) return WORDS.done;
    const { dense, pruned } = this.#columns;
    const { before, after, words } = diffWords(dense.written, pruned.written);
    dense.mark(before);
    pruned.mark(after);
    const faster = dense.rate && pruned.rate ? WORDS.faster(pruned.rate / dense.rate) : '';
    return [WORDS.done, WORDS.differ(...words), faster].join(' ').trim();
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
        if (typeof layer === 'number') column.say(WORDS.readingLayer(layer + 1, layers));
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
    byId('generation-status').textContent = WORDS.writing;
    exchange(this.#generate, this.#stop);
    this.onBusy(true);
  }

  #end(): void {
    if (this.#running?.signal.aborted) byId('generation-status').textContent = WORDS.stopped;
    this.#running = undefined;
    exchange(this.#stop, this.#generate);
    this.onBusy(false);
  }

  #read(): GenerateOptions {
    const { value: prompt } = this.#prompt;
    return {
      prompt,
      maxTokens: number('max-tokens', SETTINGS.tokens, 1, Infinity, true),
      temperature: number('temperature', SETTINGS.temperature, 0, Infinity, false),
      topK: number('top-k', SETTINGS.topK, 0, Infinity, true),
      topP: number('top-p', SETTINGS.topP, Number.MIN_VALUE, 1, false),
      seed: number('generation-seed', SETTINGS.seed, 0, Number.MAX_SAFE_INTEGER, true),
    };
  }
}

/** The number in a field; `wrong` is said where it is none that the field takes. */
function number(id: string, wrong: string, least: number, most: number, whole: boolean): number {
  const { valueAsNumber: value } = inputById(id);
  if (!Number.isFinite(value) || value < least || value > most || (whole && !Number.isInteger(value)))
    throw new Error(wrong);
  return value;
}
