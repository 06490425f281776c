import type { Catalog, PruneResult } from '../../lib/coppice.ts';
import { byId, download, h } from '../dom.ts';
import { inLanguage } from '../menus/menus.ts';
import type { Session } from '../session.ts';
import { type Attempt, bytesOf, nameOf, type Subject } from './attempt.ts';
import { QualityChart } from './chart.ts';
import { tableOfDifferences } from './compare.ts';
import { csvOf } from './csv.ts';
import { tableOfAttempts } from './list.ts';
import { Measuring } from './measuring.ts';
import { WORDS } from './words.ts';

/** The last section: every finished run of this visit. */
export class AttemptsStep {
  /** Called with what the result section is to show: an attempt that a person returns to, or nothing where the one that it shows is deleted. */
  onShow: (attempt: Attempt | undefined) => void = () => undefined;
  /** Called when attempts came, went or have another name. */
  onChange: () => void = () => undefined;
  /** Called when a measurement begins and when it has ended. */
  onBusy: (busy: boolean) => void = () => undefined;
  readonly #session: Session;
  readonly #attempts: Attempt[] = [];
  /** Attempts that are ticked, by number. */
  readonly #chosen = new Set<number>();
  readonly #chart = new QualityChart();
  readonly #model = h('select', { 'data-testid': 'attempts-model' });
  readonly #modelField = h('label', { class: 'field' }, h('span', {}, WORDS.model), this.#model);
  readonly #list = h('div', { class: 'scroller' });
  readonly #differences = h('div', { 'data-testid': 'attempts-differences' });
  readonly #status = h('p', { class: 'hint', role: 'status', 'data-testid': 'attempts-status' });
  readonly #kept = h('p', { class: 'hint', 'data-testid': 'attempts-kept' });
  readonly #measuring: Measuring;
  #catalog: Catalog | undefined;
  #subject: Subject | undefined;
  #shown: Attempt | undefined;
  #blocked = false;
  #nextId = 1;

  constructor(session: Session) {
    this.#session = session;
    const csv = button(WORDS.csv, 'attempts-csv');
    csv.addEventListener('click', () => {
      download(new Blob([csvOf(this.#attempts)], { type: 'text/csv' }), WORDS.csvFile);
      this.#say(WORDS.csvSaved(this.#attempts.length));
    });
    this.#measuring = new Measuring(session);
    this.#measuring.onSay = (sentence) => {
      this.#say(sentence);
    };
    this.#measuring.onBusy = (busy) => {
      this.onBusy(busy);
      this.#draw();
    };
    this.#measuring.start.addEventListener('click', () => {
      const unmeasured = this.#here.filter(({ speed }) => !speed);
      if (unmeasured.length === 0) this.#say(WORDS.allMeasured);
      else void this.#measuring.run(unmeasured);
    });
    this.#model.addEventListener('change', () => {
      this.#subject = this.#subjects.find(({ key }) => key === this.#model.value);
      this.#draw();
    });
    this.#chart.onOpen = (attempt) => {
      this.open(attempt);
    };
    byId('attempts-empty').textContent = WORDS.empty;
    // Outside of what is hidden without attempts: the last one can be taken back too.
    byId('attempts-body').before(this.#status);
    byId('attempts-body').append(
      this.#modelField,
      this.#list,
      h('p', { class: 'row' }, this.#measuring.start, this.#measuring.stop, csv),
      this.#kept,
      h('p', { class: 'hint' }, WORDS.speedHint),
      this.#differences,
      this.#chart.element,
    );
  }

  /** Keeps a finished run under a name of its own. */
  async add(subject: Subject, result: PruneResult, evaluation: Blob | undefined): Promise<Attempt> {
    const catalog = inLanguage((await this.#session.engine()).catalog);
    this.#catalog = catalog;
    const attempt = {
      id: this.#nextId++,
      subject,
      result,
      evaluation,
      made: new Date(),
      name: this.#free(nameOf(result.report.recipe, catalog)),
    };
    this.#attempts.push(attempt);
    this.#subject = subject;
    this.#say(WORDS.added(attempt.name));
    this.#changed();
    return attempt;
  }

  /** Takes the result of an attempt that was measured afterwards. */
  update(attempt: Attempt, result: PruneResult): void {
    attempt.result = result;
    this.#changed();
  }

  /** The attempt that the result section shows. */
  get shown(): Attempt | undefined {
    return this.#shown;
  }

  /** Shows an attempt in the result section. */
  open(attempt: Attempt): void {
    this.#shown = attempt;
    this.#draw();
    this.onShow(attempt);
  }

  /** How many there are, on all models. */
  get size(): number {
    return this.#attempts.length;
  }

  /** The attempts on a model, the newest first. */
  on(subject: Subject | undefined): Attempt[] {
    return this.#attempts.filter((attempt) => attempt.subject.key === subject?.key).reverse();
  }

  /** While another run is under way nothing is measured. */
  set blocked(blocked: boolean) {
    this.#blocked = blocked;
    this.#draw();
  }

  get #here(): Attempt[] {
    return this.on(this.#subject).reverse();
  }

  get #subjects(): Subject[] {
    return [...new Map(this.#attempts.map(({ subject }) => [subject.key, subject])).values()];
  }

  #free(name: string): string {
    const taken = new Set(this.#attempts.map((attempt) => attempt.name));
    let free = name;
    for (let number = 2; taken.has(free); number += 1) free = WORDS.again(name, number);
    return free;
  }

  #changed(): void {
    this.#draw();
    this.onChange();
  }

  #draw(): void {
    const here = this.#here;
    byId('attempts-empty').hidden = this.#attempts.length > 0;
    byId('attempts-body').hidden = this.#attempts.length === 0;
    if (this.#attempts.length === 0) return;
    const subjects = this.#subjects;
    this.#modelField.hidden = subjects.length < 2;
    this.#model.replaceChildren(...subjects.map(({ key, name }) => h('option', { value: key }, name)));
    if (this.#subject) this.#model.value = this.#subject.key;
    const blocked = this.#blocked || this.#measuring.busy;
    this.#measuring.start.disabled = blocked;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : undefined;
    this.#list.replaceChildren(
      tableOfAttempts(
        here,
        { chosen: this.#chosen, shown: this.#shown?.id, blocked },
        {
          choose: (attempt, chosen) => {
            if (chosen) this.#chosen.add(attempt.id);
            else this.#chosen.delete(attempt.id);
            this.#compare();
          },
          rename: (attempt, name) => {
            attempt.name = name;
            this.#changed();
          },
          show: (attempt) => {
            this.open(attempt);
          },
          remove: (attempt) => {
            this.#remove(attempt);
          },
          measure: (attempt) => void this.#measuring.run([attempt]),
        },
      ),
    );
    // The table is made anew, and the focus stays where it was.
    if (focused instanceof HTMLElement) this.#focus(focused.dataset.testid ?? '', Number(focused.dataset.attempt));
    this.#kept.textContent = WORDS.kept(
      this.#attempts.length,
      this.#attempts.reduce((sum, attempt) => sum + bytesOf(attempt), 0),
    );
    this.#chart.show(here);
    this.#compare();
  }

  #focus(testid: string, id: number): void {
    this.#list.querySelector<HTMLElement>(`[data-testid="${testid}"][data-attempt="${id}"]`)?.focus();
  }

  #compare(): void {
    const chosen = this.#here.filter(({ id }) => this.#chosen.has(id));
    this.#differences.replaceChildren(
      chosen.length > 1 ? tableOfDifferences(chosen, this.#catalog) : h('p', { class: 'hint' }, WORDS.tick),
    );
  }

  #remove(attempt: Attempt): void {
    const place = this.#attempts.indexOf(attempt);
    this.#attempts.splice(place, 1);
    const wasShown = this.#shown === attempt;
    if (wasShown) {
      this.#shown = undefined;
      this.onShow(undefined);
    }
    if (this.#here.length === 0) this.#subject = this.#attempts.at(-1)?.subject;
    this.#changed();
    const undo = button(WORDS.undo, 'attempts-undo');
    undo.className = 'link';
    undo.addEventListener('click', () => {
      this.#attempts.splice(place, 0, attempt);
      this.#subject = attempt.subject;
      if (wasShown) {
        this.#shown = attempt;
        this.onShow(attempt);
      }
      this.#changed();
      this.#say(WORDS.restored(attempt.name));
      this.#focus('attempt-delete', attempt.id);
    });
    // Until something else is said: then nothing refers to the attempt any more, and the browser lets go of its files.
    this.#say(WORDS.removed(attempt.name, bytesOf(attempt)), ' ', undo);
    undo.focus();
  }

  #say(...said: (string | Node)[]): void {
    this.#status.replaceChildren(...said);
  }
}

function button(title: string, id: string): HTMLButtonElement {
  return h('button', { type: 'button', 'data-testid': id }, title);
}
