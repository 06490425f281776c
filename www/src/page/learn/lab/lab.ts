import { byId, h, inputById } from '../../dom.ts';
import { isDecoder } from '../../kind.ts';
import { setForm } from '../form.ts';
import type { LearnPage } from '../page.ts';
import { EXERCISES } from './exercises/exercises.ts';
import { QuestionView } from './question.ts';
import { type ExerciseName, LAB, type Sheet } from './words.ts';

/** Lines, or tokens, that runs of the lab are compared on. */
const ROWS = { encoder: 200, decoder: 2000 } as const;

/** The lab sheet: exercises whose answers are checked. Nothing of it outlives the visit. */
export class Lab {
  readonly #page: LearnPage;
  readonly #title = h('h2', { tabindex: '-1', 'data-testid': 'lab-title' }, LAB.title);
  readonly #total = h('p', { class: 'learn-count', 'data-testid': 'lab-total' });
  readonly element: HTMLElement;
  readonly #all: QuestionView[] = [];

  constructor(page: LearnPage) {
    this.#page = page;
    const exercises = (Object.keys(EXERCISES) as ExerciseName[]).map((name, place) => this.#exercise(name, place + 1));
    this.element = h(
      'div',
      { class: 'learn-view', 'data-testid': 'lab' },
      h('div', { class: 'learn-head' }, this.#total, this.#title),
      h('div', { class: 'learn-body' }, h('p', {}, LAB.intro), h('p', { class: 'hint' }, LAB.sets), ...exercises),
    );
    this.#count();
  }

  enter(focus: boolean): void {
    if (focus) this.#title.focus({ preventScroll: true });
  }

  /** Answers are looked up when they are checked, so nothing changes here. */
  refresh(): void {
    this.#count();
  }

  #exercise(name: ExerciseName, number: number): HTMLElement {
    const sheet: Sheet = LAB.exercises[name];
    const { answers } = EXERCISES[name];
    const count = h('span', { class: 'hint' });
    const questions = Object.entries(sheet.questions).map(([key, asked]) => {
      const view = new QuestionView(`lab-${name}-${key}`, asked, () => {
        const [inspection, attempts] = [this.#page.subject()?.inspection, this.#page.attempts()];
        return answers[key]?.({ inspection, attempts }) ?? { missing: LAB.missing.model };
      });
      view.onJudged = () => {
        tally();
        this.#count();
      };
      return view;
    });
    const tally = () => {
      count.textContent = LAB.right(questions.filter(({ right }) => right).length, questions.length);
    };
    tally();
    this.#all.push(...questions);
    return h(
      'details',
      { class: 'lab-exercise', 'data-testid': `lab-${name}` },
      h('summary', {}, h('strong', {}, `${number}. ${sheet.title}`), count),
      h('p', {}, sheet.aim),
      h('ol', {}, ...sheet.steps.map((step) => h('li', {}, step))),
      this.#setups(name, sheet),
      ...questions.map(({ element }) => element),
    );
  }

  /** Buttons that set the recipe form for the runs of an exercise. */
  #setups(name: ExerciseName, sheet: Sheet): HTMLElement | null {
    const setups = Object.entries(sheet.setups);
    if (setups.length === 0) return null;
    const said = h('p', { class: 'hint', role: 'status', 'data-testid': `lab-${name}-set` });
    const buttons = setups.map(([key, title]) => {
      const button = h('button', { type: 'button', 'data-testid': `lab-${name}-set-${key}` }, title);
      button.addEventListener('click', () => {
        const model = this.#page.subject()?.inspection;
        const fields = model && EXERCISES[name].setups[key]?.(model);
        if (!fields) {
          said.textContent = LAB.missing.model;
          return;
        }
        setForm(fields);
        const rows = inputById('evaluation-rows');
        rows.value = String(ROWS[isDecoder(model) ? 'decoder' : 'encoder']);
        rows.dispatchEvent(new Event('input', { bubbles: true }));
        said.textContent = LAB.formSet;
        byId('recipe').scrollIntoView({ block: 'start' });
      });
      return button;
    });
    return h('div', { class: 'lab-setups' }, h('p', { class: 'row' }, ...buttons), said);
  }

  #count(): void {
    this.#total.textContent = LAB.right(this.#all.filter(({ right }) => right).length, this.#all.length);
  }
}
