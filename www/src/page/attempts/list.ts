import { h } from '../dom.ts';
import { bytes, percent } from '../format.ts';
import { type Attempt, bytesOf } from './attempt.ts';
import { BRIEF, type Figure, known } from './figures.ts';
import { WORDS } from './words.ts';

/** What a person does with an attempt of the list. */
export interface Deeds {
  choose: (attempt: Attempt, chosen: boolean) => void;
  rename: (attempt: Attempt, name: string) => void;
  show: (attempt: Attempt) => void;
  remove: (attempt: Attempt) => void;
  measure: (attempt: Attempt) => void;
}

/** How the list stands. */
export interface State {
  chosen: ReadonlySet<number>;
  shown: number | undefined;
  /** Whether the engine works, so that nothing can be measured. */
  blocked: boolean;
}

/** The attempts on one model as a table, the dense model first. */
export function tableOfAttempts(attempts: readonly Attempt[], state: State, deeds: Deeds): HTMLElement {
  const figures = known(BRIEF, attempts).slice(0, 2);
  const titles = [
    WORDS.columns.choose,
    WORDS.columns.name,
    WORDS.columns.removed,
    ...figures.map(headingOf),
    WORDS.columns.size,
    WORDS.columns.speed,
    WORDS.columns.actions,
  ];
  const cell = (title: string, ...children: (Node | string)[]) => h('td', { 'data-title': title }, ...children);
  const denseRow = ([first]: readonly Attempt[]) =>
    first &&
    h(
      'tr',
      { class: 'reference' },
      h('td', { class: 'choose' }),
      h('th', { scope: 'row' }, WORDS.dense),
      cell(WORDS.columns.removed, percent(0)),
      ...figures.map((figure) => cell(headingOf(figure), shown(figure.dense(first), figure.show))),
      cell(WORDS.columns.size, bytes(first.result.report.before.bytes)),
      cell(WORDS.columns.speed, WORDS.times(1)),
      h('td', {}),
    );
  const row = (attempt: Attempt) => {
    const { report } = attempt.result;
    return h(
      'tr',
      { ...mark('attempt', attempt), ...(state.shown === attempt.id && { 'aria-current': 'true' }) },
      h('td', { class: 'choose' }, choice(attempt, state.chosen.has(attempt.id), deeds)),
      h('th', { scope: 'row' }, nameField(attempt, deeds)),
      cell(WORDS.columns.removed, percent(report.ratio.linear)),
      ...figures.map((figure) => cell(headingOf(figure), shown(figure.of(attempt), figure.show))),
      cell(WORDS.columns.size, bytes(report.after.bytes)),
      cell(WORDS.columns.speed, speed(attempt, state.blocked, deeds)),
      h('td', { class: 'deeds' }, ...buttons(attempt, state.shown === attempt.id, deeds)),
    );
  };
  return h(
    'table',
    { class: 'attempts', 'data-testid': 'attempts-table' },
    h('caption', {}, WORDS.caption(attempts[0]?.subject.name ?? '')),
    h('thead', {}, h('tr', {}, ...titles.map((title) => h('th', { scope: 'col' }, title)))),
    h('tbody', {}, denseRow(attempts), ...attempts.map(row)),
  );
}

/** A figure's title, as short as a column wants it. */
function headingOf({ name, title }: Figure): string {
  const brief: Record<string, string> = WORDS.headings;
  return brief[name] ?? title;
}

/** What tests and the focus find an element by. */
function mark(testid: string, { id }: Attempt): Record<string, string> {
  return { 'data-testid': testid, 'data-attempt': String(id) };
}

function shown(value: number | undefined, show: (value: number) => string): string {
  return value === undefined ? WORDS.none : show(value);
}

function choice(attempt: Attempt, chosen: boolean, deeds: Deeds): HTMLElement {
  const box = h('input', {
    type: 'checkbox',
    'aria-label': WORDS.choose(attempt.name),
    ...mark('attempt-choose', attempt),
  });
  box.checked = chosen;
  box.addEventListener('change', () => {
    deeds.choose(attempt, box.checked);
  });
  return h('label', { class: 'choice' }, box, h('span', { 'aria-hidden': 'true' }, String(attempt.id)));
}

function nameField(attempt: Attempt, deeds: Deeds): HTMLElement {
  const field = h('input', {
    type: 'text',
    class: 'name-field',
    value: attempt.name,
    'aria-label': WORDS.nameOf(attempt.id),
    ...mark('attempt-name', attempt),
    autocomplete: 'off',
    maxlength: '120',
  });
  field.addEventListener('change', () => {
    // An attempt always has a name: an empty field gives the old one back.
    const name = field.value.trim();
    if (name === '') field.value = attempt.name;
    else deeds.rename(attempt, name);
  });
  field.addEventListener('keydown', ({ key }) => {
    if (key === 'Enter') field.blur();
    if (key === 'Escape') field.value = attempt.name;
  });
  return field;
}

function speed(attempt: Attempt, blocked: boolean, deeds: Deeds): HTMLElement {
  const { name, speed: measured } = attempt;
  if (measured) {
    const told = WORDS.rates(measured.what, measured.dense, measured.pruned);
    return h(
      'span',
      { ...mark('attempt-speed', attempt) },
      WORDS.times(measured.ratio),
      h('span', { class: 'aside' }, told),
    );
  }
  const button = h(
    'button',
    { type: 'button', class: 'small', 'aria-label': WORDS.measureOne(name), ...mark('attempt-measure', attempt) },
    WORDS.measure,
  );
  button.disabled = blocked;
  button.addEventListener('click', () => {
    deeds.measure(attempt);
  });
  return button;
}

function buttons(attempt: Attempt, current: boolean, deeds: Deeds): HTMLElement[] {
  const { name } = attempt;
  const show = h(
    'button',
    { type: 'button', class: 'small', 'aria-label': WORDS.showOne(name), ...mark('attempt-show', attempt) },
    WORDS.show,
  );
  show.addEventListener('click', () => {
    deeds.show(attempt);
  });
  const remove = h(
    'button',
    {
      type: 'button',
      class: 'small',
      'aria-label': WORDS.removeOne(name),
      title: bytes(bytesOf(attempt)),
      ...mark('attempt-delete', attempt),
    },
    WORDS.remove,
  );
  remove.addEventListener('click', () => {
    deeds.remove(attempt);
  });
  return [current ? h('span', { class: 'shown' }, WORDS.shown) : show, remove];
}
