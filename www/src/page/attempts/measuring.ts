import { clearError, showError } from '../alert.ts';
import { exchange, h } from '../dom.ts';
import type { Session } from '../session.ts';
import type { Attempt } from './attempt.ts';
import { measureSpeed } from './speed.ts';
import { WORDS } from './words.ts';

/** The buttons that measure attempts against their dense model, and stop that. */
export class Measuring {
  /** Called when it begins and when it has ended. */
  onBusy: (busy: boolean) => void = () => undefined;
  /** Called with what happens. */
  onSay: (sentence: string) => void = () => undefined;
  readonly start = h('button', { type: 'button', 'data-testid': 'attempts-measure' }, WORDS.measureAll);
  readonly stop = h('button', { type: 'button', 'data-testid': 'attempts-measure-stop' }, WORDS.stopMeasuring);
  readonly #session: Session;
  #running: AbortController | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.stop.hidden = true;
    this.stop.addEventListener('click', () => this.#running?.abort());
  }

  /** Whether it is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Measures one after the other; each is told as it is done. */
  async run(attempts: readonly Attempt[]): Promise<void> {
    clearError();
    const abort = new AbortController();
    this.#running = abort;
    exchange(this.start, this.stop);
    // The button of a single attempt is disabled now, and would lose the focus to nowhere.
    this.stop.focus();
    this.onBusy(true);
    try {
      const coppice = await this.#session.engine();
      for (const attempt of attempts) {
        this.onSay(WORDS.reading(attempt.name));
        attempt.speed = await measureSpeed(coppice, attempt, abort.signal, (round, rounds) => {
          this.onSay(WORDS.measuring(attempt.name, round, rounds));
        });
        this.onSay(WORDS.measured(attempt.name, attempt.speed.ratio));
      }
    } catch (error) {
      this.onSay(abort.signal.aborted ? WORDS.measureStopped : '');
      if (!abort.signal.aborted) showError(error);
    } finally {
      this.#running = undefined;
      this.start.disabled = false;
      exchange(this.stop, this.start);
      this.onBusy(false);
    }
  }
}
