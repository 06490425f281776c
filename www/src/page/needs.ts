import { CoppiceError, type Estimate } from '../lib/coppice.ts';
import { byId } from './dom.ts';
import { WORDS } from './words.ts';

/** How long the form must rest before the run is estimated. */
const REST_MS = 600;

/** The line above the run button: what the run will need, kept up to date with the form. */
export class NeedsLine {
  /** Asks for an estimate of the run as the form stands; nothing where there is none to make. */
  ask: () => Promise<Estimate | undefined> = () => Promise.resolve(undefined);
  /** What the form's run was estimated to need, where that is known. */
  last: Estimate | undefined;
  readonly #line = byId('needs');
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  /** Asks again once the form rests; never while a run is under way. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.last = undefined;
    const asked = ++this.#asked;
    this.#timer = setTimeout(() => void this.#show(asked), REST_MS);
  }

  /** Forgets a question that was not asked yet. */
  hold(): void {
    clearTimeout(this.#timer);
    this.#asked += 1;
  }

  async #show(asked: number): Promise<void> {
    let sentence = '';
    let found: Estimate | undefined;
    try {
      found = await this.ask();
      if (found) sentence = WORDS.needs(found);
    } catch (error) {
      // Anything else is said when the run is started; this is what a person can change beforehand.
      if (error instanceof CoppiceError && error.kind === 'budget') sentence = error.message;
    }
    // A newer question has overtaken this one.
    if (asked !== this.#asked) return;
    this.last = found;
    this.#line.textContent = sentence;
  }
}
