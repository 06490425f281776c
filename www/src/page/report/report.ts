import type { Catalog } from '../../lib/coppice.ts';
import { version } from '../../../package.json';
import type { Attempt } from '../attempts/attempt.ts';
import { h } from '../dom.ts';
import { language } from '../language.ts';
import { comparisonOf, notesOf, summaryOf } from '../result-parts.ts';
import { caveatsOf } from './caveats.ts';
import { factsOf } from './facts.ts';
import { mapOf } from './map.ts';
import { methodsOf, recipeOf } from './method.ts';
import { frameTables, picture, printable } from './plain.ts';
import { WORDS } from './words.ts';

const WHEN = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' });

/** Lays a sheet over the page with all that is known of an attempt, to be read, printed or saved as PDF. */
export function openReport(attempt: Attempt, catalog: Catalog | undefined): void {
  const title = document.title;
  const [from, place] = [document.activeElement, scrollY];
  const sheet = reportOf(attempt, catalog);
  frameTables(sheet);
  const close = () => {
    sheet.remove();
    document.body.classList.remove('reporting');
    document.removeEventListener('keydown', onKey);
    document.title = title;
    scrollTo(0, place);
    if (from instanceof HTMLElement) from.focus({ preventScroll: true });
  };
  const onKey = ({ key }: KeyboardEvent) => {
    if (key === 'Escape') close();
  };
  const press = (id: string, text: string, act: () => void) => {
    const button = h('button', { type: 'button', 'data-testid': id }, text);
    button.addEventListener('click', act);
    return button;
  };
  const print = press('report-print', WORDS.print, () => {
    window.print();
  });
  print.className = 'main';
  sheet.prepend(h('p', { class: 'row report-tools' }, print, press('report-close', WORDS.close, close)));
  document.addEventListener('keydown', onKey);
  // Browsers name the file after it.
  document.title = WORDS.documentTitle(attempt.subject.name, attempt.name);
  document.body.classList.add('reporting');
  document.body.append(sheet);
  scrollTo(0, 0);
  sheet.querySelector('h1')?.focus({ preventScroll: true });
}

function reportOf(attempt: Attempt, catalog: Catalog | undefined): HTMLElement {
  const { subject, result, name, made } = attempt;
  const { report } = result;
  return h(
    'main',
    { class: 'report wide', 'data-testid': 'report' },
    h('h1', { tabindex: '-1' }, WORDS.title(subject.name)),
    h('p', { class: 'report-made' }, WORDS.made(name, WHEN.format(made), version)),
    printable(summaryOf(report)),
    h('section', {}, h('h2', {}, WORDS.result), printable(comparisonOf(report)), printableNotes(attempt)),
    caveatsOf(attempt, catalog),
    factsOf(attempt),
    methodsOf(report.recipe, catalog),
    ...mapOf(attempt),
    chartOf(attempt),
    recipeOf(attempt),
  );
}

function printableNotes({ result }: Attempt): HTMLElement | string {
  const notes = notesOf(result.report);
  return typeof notes === 'string' ? notes : printable(notes);
}

/** The chart of all attempts as it is drawn now, where this one is in it. */
function chartOf({ id }: Attempt): HTMLElement | string {
  const chart = document.querySelector('[data-testid="chart"] svg');
  if (!chart?.querySelector(`[data-attempt="${id}"]`)) return '';
  const table = document.querySelector('[data-testid="chart-table"]');
  return h(
    'section',
    {},
    h('h2', {}, WORDS.chart),
    picture(chart),
    h('p', { class: 'hint' }, WORDS.chartHint),
    table ? printable(table) : null,
  );
}
