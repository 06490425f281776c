import { clearError, showError } from '../alert.ts';
import type { Attempt, Subject } from '../attempts/attempt.ts';
import { byId, exchange } from '../dom.ts';
import type { Session } from '../session.ts';
import { changesOf, sumOfChanges, tableOfChanges } from './changed.ts';
import { type Classes, classesOf, labelledLines } from './classes.ts';
import { tableOfClasses, verdict } from './sentence.ts';
import { WORDS } from './words.ts';

/** What the dense and a pruned classifier make of a sentence, and of which sentences they think otherwise. */
export class Classifier {
  /** Called when the engine is asked and when it has answered. */
  onBusy: (busy: boolean) => void = () => undefined;
  readonly #session: Session;
  readonly #sentence = byId('sentence') as HTMLTextAreaElement;
  readonly #ask = byId('sentence-ask') as HTMLButtonElement;
  readonly #changed = byId('sentence-changed') as HTMLButtonElement;
  readonly #stop = byId('sentence-stop') as HTMLButtonElement;
  readonly #result = byId('sentence-result');
  readonly #changes = byId('sentence-changes');
  readonly #status = byId('sentence-status');
  #subject: Subject | undefined;
  #attempt: Attempt | undefined;
  #running: AbortController | undefined;
  #blocked = false;
  /** What the dense model gave on a comparison text: the same for all attempts on it. */
  #dense: { text: string; limit: number | undefined; classes: Classes[] } | undefined;

  constructor(session: Session) {
    this.#session = session;
    byId('sentence-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.#running && !this.#blocked) void this.#run((signal) => this.#one(signal));
    });
    this.#sentence.addEventListener('keydown', (event) => {
      // A sentence is one line, so Enter asks.
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      (byId('sentence-form') as HTMLFormElement).requestSubmit();
    });
    this.#changed.addEventListener('click', () => void this.#run((signal) => this.#all(signal), true));
    this.#stop.addEventListener('click', () => this.#running?.abort());
  }

  /** Takes note of another model or attempt. */
  fit(subject: Subject, attempt: Attempt | undefined): void {
    if (this.#subject?.key !== subject.key) this.#dense = undefined;
    this.#running?.abort();
    this.#subject = subject;
    this.#attempt = attempt;
    this.#changed.hidden = attempt === undefined;
    this.#result.replaceChildren();
    this.#changes.replaceChildren();
    this.#status.textContent = '';
  }

  set blocked(blocked: boolean) {
    this.#blocked = this.#ask.disabled = this.#changed.disabled = blocked;
  }

  async #run(work: (signal: AbortSignal) => Promise<string>, long = false): Promise<void> {
    clearError();
    const abort = new AbortController();
    this.#running = abort;
    this.#status.textContent = WORDS.asking;
    this.#ask.disabled = true;
    if (long) exchange(this.#changed, this.#stop);
    this.onBusy(true);
    try {
      this.#status.textContent = await work(abort.signal);
    } catch (error) {
      this.#status.textContent = abort.signal.aborted ? WORDS.stopped : '';
      if (!abort.signal.aborted) showError(error);
    } finally {
      if (this.#running === abort) this.#running = undefined;
      this.#ask.disabled = this.#blocked;
      if (long) exchange(this.#stop, this.#changed);
      this.#changed.hidden = this.#attempt === undefined;
      this.onBusy(false);
    }
  }

  /** Both models on the sentence in the field. */
  async #one(signal: AbortSignal): Promise<string> {
    const sentence = this.#sentence.value.replace(/\s+/g, ' ').trim();
    if (sentence === '') throw new Error(WORDS.noSentence);
    const [subject, attempt] = [this.#subject, this.#attempt];
    if (!subject) return '';
    const { labels } = subject.inspection;
    const coppice = await this.#session.engine();
    // The label counts for the accuracy alone, which nobody sees here.
    const [dense] = await classesOf(coppice, subject.files, `${sentence}\t0`, 1, signal);
    const [pruned] = attempt ? await classesOf(coppice, attempt.result.files, `${sentence}\t0`, 1, signal) : [];
    if (!dense) return '';
    this.#result.replaceChildren(tableOfClasses(labels, dense, pruned));
    return verdict(labels, dense, pruned);
  }

  /** Both models on the text that the attempt was compared on. */
  async #all(signal: AbortSignal): Promise<string> {
    const [subject, attempt] = [this.#subject, this.#attempt];
    if (!subject || !attempt?.evaluation) throw new Error(WORDS.noText);
    const text = await attempt.evaluation.text();
    const { labels } = subject.inspection;
    const { limit } = attempt.result.report.recipe.evaluation ?? {};
    const coppice = await this.#session.engine();
    const read = (files: Subject['files'], which: 'dense' | 'pruned') =>
      classesOf(coppice, files, text, limit, signal, ({ fraction }) => {
        this.#status.textContent = WORDS.reading(which, fraction);
      });
    if (this.#dense?.text !== text || this.#dense.limit !== limit)
      this.#dense = { text, limit, classes: await read(subject.files, 'dense') };
    const pruned = await read(attempt.result.files, 'pruned');
    const lines = labelledLines(text, labels).slice(0, limit);
    if (lines.length !== pruned.length || lines.length !== this.#dense.classes.length) throw new Error(WORDS.mismatch);
    const changes = changesOf(lines, this.#dense.classes, pruned);
    this.#changes.replaceChildren(...(changes.length > 0 ? [tableOfChanges(changes, labels)] : []));
    return sumOfChanges(changes, lines.length);
  }
}
