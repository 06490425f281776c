import { h } from '../dom.ts';
import type { Ground, Statistics } from './statistics.ts';
import { WORDS } from './words.ts';

/** The line above the run button that says which statistics are kept, with a button that lets go of them. */
export class KeptLine {
  readonly element = h('p', { class: 'hint kept', 'data-testid': 'kept', hidden: true });
  readonly #said = h('span');
  readonly #release = h('button', { type: 'button', class: 'link', 'data-testid': 'kept-release' }, WORDS.release);
  readonly #statistics: Statistics;
  /** What the next run will be on; nothing where that is not known. */
  readonly #next: () => Ground | undefined;

  constructor(statistics: Statistics, next: () => Ground | undefined) {
    this.#statistics = statistics;
    this.#next = next;
    this.#release.addEventListener('click', () => {
      statistics.release();
    });
    this.element.append(this.#said, ' ', this.#release);
  }

  /** Says it as the form stands. */
  update(): void {
    const { kept } = this.#statistics;
    this.element.hidden = !kept || kept.bytes === 0;
    if (!kept) return;
    const says = this.#next()?.key === kept.ground.key ? WORDS.kept : WORDS.keptOfOther;
    this.#said.textContent = says(kept.bytes);
  }

  /** While a run uses them they stay. */
  set blocked(blocked: boolean) {
    this.#release.disabled = blocked;
  }
}
