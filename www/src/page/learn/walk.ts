import type { Recipe } from '../../lib/coppice.ts';
import type { Attempt, Subject } from '../attempts/attempt.ts';
import { h } from '../dom.ts';
import type { LearnPage } from './page.ts';
import type { Runs } from './runs.ts';
import type { Spotlight } from './spotlight.ts';
import { STEPS, type Step } from './steps/steps.ts';
import { WORDS } from './words.ts';

/** What a step knows, and may do. */
export interface Walking {
  page: LearnPage;
  subject: Subject | undefined;
  /** What the walk has run on this model. */
  runs: Runs;
  /** Whether a run of the walk is under way. */
  running: boolean;
  /** Runs recipes one after the other, each under a name of {@link Runs}; the first that fails ends it. */
  start: (recipes: readonly [keyof Runs, () => Recipe][]) => void;
  /** Goes to the lab sheet. */
  toLab: () => void;
  redraw: () => void;
}

/** The guided walk: eight steps, one at a time, on the model that is open. */
export class Walk {
  /** Called when a person goes on to the lab sheet. */
  onLab: () => void = () => undefined;
  readonly #page: LearnPage;
  readonly #spotlight: Spotlight;
  readonly #count = h('p', { class: 'learn-count', 'data-testid': 'walk-count' });
  readonly #title = h('h2', { tabindex: '-1', 'data-testid': 'walk-title' });
  readonly #body = h('div', { class: 'learn-body', 'data-testid': 'walk-body' });
  readonly #status = h('p', { class: 'hint', role: 'status', 'data-testid': 'walk-status' });
  readonly #back = h('button', { type: 'button', 'data-testid': 'walk-back' }, WORDS.back);
  readonly #next = h('button', { type: 'button', class: 'main', 'data-testid': 'walk-next' }, WORDS.next);
  readonly #there = h(
    'button',
    { type: 'button', class: 'link', 'aria-label': WORDS.goThereAll, 'data-testid': 'walk-there' },
    WORDS.goThere,
  );
  readonly element = h('div', { class: 'learn-view', 'data-testid': 'walk' });
  /** Runs by model, so that another one starts anew and the first is not forgotten. */
  readonly #runs = new Map<string, Runs>();
  #place = 0;
  #running = false;

  constructor(page: LearnPage, spotlight: Spotlight) {
    this.#page = page;
    this.#spotlight = spotlight;
    this.#back.addEventListener('click', () => {
      this.#go(this.#place - 1);
    });
    this.#next.addEventListener('click', () => {
      this.#go(this.#place + 1 < STEPS.length ? this.#place + 1 : 0);
    });
    this.#there.addEventListener('click', () => {
      this.#spotlight.focus();
    });
    const steps = h('p', { class: 'row learn-nav' }, this.#back, this.#next, this.#there);
    this.element.append(h('div', { class: 'learn-head' }, this.#count, this.#title), this.#body, this.#status, steps);
  }

  get begun(): boolean {
    return this.#place > 0;
  }

  get resumeTitle(): string {
    return WORDS.resume(this.#place + 1, STEPS.length);
  }

  /** The walk is shown, at the step where it was left. */
  enter(focus: boolean): void {
    this.#draw(true);
    if (focus) this.#title.focus({ preventScroll: true });
  }

  refresh(): void {
    if (!this.element.hidden) this.#draw(false);
  }

  get #step(): Step {
    return STEPS[this.#place] ?? STEPS[0];
  }

  #go(place: number): void {
    this.#place = place;
    this.#status.textContent = '';
    this.#draw(true);
    this.element.scrollTop = 0;
    this.#title.focus({ preventScroll: true });
  }

  #draw(scroll: boolean): void {
    const subject = this.#page.subject();
    const runs = (subject && this.#runs.get(subject.key)) ?? {};
    const walking: Walking = {
      page: this.#page,
      subject,
      runs,
      running: this.#running,
      start: (recipes) => void this.#start(recipes),
      toLab: () => {
        this.onLab();
      },
      redraw: () => {
        this.#draw(false);
      },
    };
    const step = this.#step;
    // What has the focus is made anew too, and keeps it.
    const focused = this.#body.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.testid
      : undefined;
    this.#count.textContent = WORDS.step(this.#place + 1, STEPS.length);
    this.#title.textContent = step.title;
    this.#body.replaceChildren(...step.draw(walking));
    if (focused) this.#body.querySelector<HTMLElement>(`[data-testid="${focused}"]`)?.focus({ preventScroll: true });
    this.#back.hidden = this.#place === 0;
    this.#next.textContent = this.#place + 1 < STEPS.length ? WORDS.next : WORDS.again;
    this.#spotlight.point(this.#running ? ['#run'] : step.targets, scroll);
  }

  async #start(recipes: readonly [keyof Runs, () => Recipe][]): Promise<void> {
    const subject = this.#page.subject();
    if (!subject) return;
    if (this.#running || this.#page.busy()) {
      this.#status.textContent = WORDS.busy;
      return;
    }
    this.#running = true;
    this.#status.textContent = WORDS.running;
    this.#draw(true);
    let attempt: Attempt | undefined;
    for (const [name, recipe] of recipes) {
      attempt = await this.#page.run(recipe);
      if (!attempt) break;
      this.#runs.set(subject.key, { ...this.#runs.get(subject.key), [name]: attempt });
    }
    this.#running = false;
    this.#status.textContent = attempt ? WORDS.done : WORDS.failed;
    const { main } = this.#runs.get(subject.key) ?? {};
    // The other steps speak of the first run, and point at it.
    if (main && attempt !== main) this.#page.show(main);
    if (this.element.hidden) return;
    this.#draw(true);
    // The page has put the focus on the result.
    this.#title.focus({ preventScroll: true });
  }
}
