import { h } from '../dom.ts';
import type { Attempt } from './attempt.ts';
import { type Figure, known, measuredOn, QUALITY, SIZE } from './figures.ts';
import { drawScatter, type Point } from './scatter.ts';
import { WORDS } from './words.ts';

/** Height of the chart, in pixels; its width is the page's. */
const HEIGHT = 380;

/** Quality against size of the attempts on one model, with the dense one as reference. */
export class QualityChart {
  /** Called when a person opens a point. */
  onOpen: (attempt: Attempt) => void = () => undefined;
  readonly element: HTMLElement;
  readonly #up = select('chart-quality');
  readonly #across = select('chart-size');
  readonly #text = select('chart-text');
  readonly #textField: HTMLElement;
  readonly #field = h('div', { class: 'scatter-field', 'data-testid': 'chart' });
  readonly #readout = h('p', { class: 'readout', 'aria-live': 'polite', 'data-testid': 'chart-readout' });
  readonly #note = h('p', { class: 'hint', 'data-testid': 'chart-note' });
  readonly #table = h('div', { class: 'scroller', tabindex: '0', role: 'region', 'aria-label': WORDS.chart });
  #attempts: readonly Attempt[] = [];
  #points: Point[] = [];
  /** The point that Tab reaches. */
  #current = 0;
  #width = 0;

  constructor() {
    const label = (text: string, field: HTMLElement) => h('label', { class: 'field' }, h('span', {}, text), field);
    this.#textField = label(WORDS.text, this.#text);
    this.element = h(
      'figure',
      { class: 'quality-chart' },
      h('figcaption', {}, WORDS.chart),
      h('div', { class: 'axes' }, label(WORDS.up, this.#up), label(WORDS.across, this.#across), this.#textField),
      this.#field,
      this.#readout,
      this.#note,
      h('details', {}, h('summary', { 'data-testid': 'chart-table-show' }, WORDS.table), this.#table),
    );
    for (const one of [this.#up, this.#across, this.#text])
      one.addEventListener('change', () => {
        this.#draw();
      });
    this.#field.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    for (const type of ['focusin', 'pointerover', 'click'] as const)
      this.#field.addEventListener(type, ({ target }) => {
        const index = indexOf(target);
        if (index === undefined) return;
        if (type === 'focusin') this.#rove(index);
        if (type === 'click') this.#open(index);
        else this.#read(index);
      });
    // The drawing has the page's own pixels, so that its words stay legible on a phone.
    new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0);
      if (width > 0 && width !== this.#width) {
        this.#width = width;
        this.#draw();
      }
    }).observe(this.#field);
  }

  /** Draws attempts on one model. */
  show(attempts: readonly Attempt[]): void {
    this.#attempts = attempts;
    offer(
      this.#up,
      known(QUALITY, attempts).map(({ name, title }) => [name, title]),
    );
    offer(
      this.#across,
      SIZE.filter((figure) => figure.name === 'time' || known([figure], attempts).length > 0).map(({ name, title }) => [
        name,
        title,
      ]),
    );
    const texts = [...new Set(attempts.map(measuredOn).filter((text) => text !== undefined))];
    // The newest text is the one that a person works with.
    offer(
      this.#text,
      texts.reverse().map((text) => [text, text]),
    );
    this.#textField.hidden = texts.length < 2;
    this.#draw();
  }

  #draw(): void {
    const [up, across] = [find(QUALITY, this.#up), find(SIZE, this.#across)];
    const compared = this.#attempts.filter((attempt) => measuredOn(attempt) === this.#text.value);
    const rows = up && across ? placed(compared, up, across) : [];
    const [first] = rows;
    const wanting = this.#attempts.length - compared.length + (compared.length - rows.length);
    if (!up || !across || !first) {
      this.#points = [];
      this.#field.replaceChildren();
      this.#table.replaceChildren();
      this.#readout.textContent = '';
      this.#note.textContent = up ? WORDS.noPoints.time : WORDS.noPoints.quality;
      return;
    }
    const told = (name: string, x: number, y: number) =>
      WORDS.point(name, up.show(y), up.title, across.show(x), across.title);
    const dense = { x: across.dense(first.attempt), y: up.dense(first.attempt) };
    this.#points = rows.map(({ attempt, x, y }) => {
      const { method } = attempt.result.report.recipe;
      return { id: attempt.id, kind: method.kind, x, y, label: told(`${attempt.id}. ${attempt.name}`, x, y) };
    });
    if (dense.x !== undefined && dense.y !== undefined) {
      const { x, y } = { x: dense.x, y: dense.y };
      this.#points.push({ id: undefined, kind: 'dense', x, y, label: told(WORDS.dense, x, y) });
    }
    this.#points.sort((a, b) => a.x - b.x || a.y - b.y);
    this.#current = Math.min(this.#current, this.#points.length - 1);
    if (this.#width > 0) {
      const focused = this.#field.contains(document.activeElement);
      const label = WORDS.chartLabel(up.title, across.title);
      this.#field.replaceChildren(drawScatter(this.#points, across, up, label, this.#width, HEIGHT));
      this.#rove(this.#current);
      if (focused) this.#marks[this.#current]?.focus();
    }
    this.#readout.textContent = WORDS.chartHint;
    this.#note.textContent = [WORDS.front, wanting > 0 ? WORDS.missing(wanting) : ''].join(' ').trim();
    this.#table.replaceChildren(table(this.#points, rows, across, up));
  }

  get #marks(): SVGElement[] {
    return [...this.#field.querySelectorAll<SVGElement>('.point')];
  }

  #key(event: KeyboardEvent): void {
    const { key } = event;
    const last = this.#points.length - 1;
    const next = {
      ArrowRight: this.#current + 1,
      ArrowUp: this.#current + 1,
      ArrowLeft: this.#current - 1,
      ArrowDown: this.#current - 1,
      Home: 0,
      End: last,
    }[key];
    if (next !== undefined) this.#marks[Math.min(Math.max(next, 0), last)]?.focus();
    else if (key === 'Enter' || key === ' ') this.#open(this.#current);
    else return;
    event.preventDefault();
  }

  #rove(index: number): void {
    this.#current = index;
    for (const [at, mark] of this.#marks.entries()) mark.setAttribute('tabindex', at === index ? '0' : '-1');
  }

  #read(index: number): void {
    this.#readout.textContent = this.#points[index]?.label ?? '';
  }

  #open(index: number): void {
    const attempt = this.#attempts.find(({ id }) => id === this.#points[index]?.id);
    if (attempt) this.onOpen(attempt);
  }
}

/** The attempts that have both figures. */
function placed(attempts: readonly Attempt[], up: Figure, across: Figure) {
  return attempts.flatMap((attempt) => {
    const [x, y] = [across.of(attempt), up.of(attempt)];
    return x === undefined || y === undefined ? [] : [{ attempt, x, y }];
  });
}

function table(points: readonly Point[], rows: { attempt: Attempt }[], across: Figure, up: Figure): HTMLElement {
  const nameOf = (id: number | undefined) => {
    const attempt = rows.find((one) => one.attempt.id === id)?.attempt;
    return attempt ? `${attempt.id}. ${attempt.name}` : WORDS.dense;
  };
  const cells = (point: Point) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, nameOf(point.id)),
      h('td', {}, across.show(point.x)),
      h('td', {}, up.show(point.y)),
    );
  return h(
    'table',
    { 'data-testid': 'chart-table' },
    h('caption', {}, WORDS.chart),
    h(
      'thead',
      {},
      h('tr', {}, ...[WORDS.attempt, across.title, up.title].map((title) => h('th', { scope: 'col' }, title))),
    ),
    h('tbody', {}, ...points.map(cells)),
  );
}

function indexOf(target: EventTarget | null): number | undefined {
  const mark = target instanceof Element ? target.closest<SVGElement>('.point') : null;
  return mark ? Number(mark.dataset.index) : undefined;
}

function select(id: string): HTMLSelectElement {
  return h('select', { 'data-testid': id });
}

function find(figures: readonly Figure[], { value }: HTMLSelectElement): Figure | undefined {
  return figures.find(({ name }) => name === value);
}

/** Fills a menu, and keeps what is chosen where it is still there. */
function offer(menu: HTMLSelectElement, choices: readonly (readonly [string, string])[]): void {
  const { value } = menu;
  menu.replaceChildren(...choices.map(([name, title]) => h('option', { value: name }, title)));
  if (choices.some(([name]) => name === value)) menu.value = value;
}
