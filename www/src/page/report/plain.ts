import { h } from '../dom.ts';

/** A copy of a part of the page for paper: nothing to press, nothing folded, and no name that the page's own part has. */
export function printable<E extends Element>(part: E): E {
  const copy = part.cloneNode(true) as E;
  for (const element of [copy, ...copy.querySelectorAll('*')]) {
    for (const name of ['data-testid', 'id', 'tabindex', 'aria-describedby', 'aria-live'])
      element.removeAttribute(name);
    if (element instanceof HTMLDetailsElement) element.open = true;
  }
  for (const control of copy.querySelectorAll('button, input, select')) control.remove();
  return copy;
}

/** Rows that surely fit on a sheet. */
const SHORT = 16;

/** Lets wide tables scroll on a narrow screen, and keeps those that fit on a sheet of paper from being cut in two. */
export function frameTables(report: Element): void {
  for (const table of report.querySelectorAll('table')) {
    table.classList.toggle('short', table.rows.length <= SHORT);
    const title = table.caption?.textContent ?? table.closest('section')?.querySelector('h2')?.textContent ?? '';
    const frame = h('div', { class: 'scroller', tabindex: '0', role: 'region', 'aria-label': title });
    table.replaceWith(frame);
    frame.append(table);
  }
}

/** A picture of what the tables say too. */
export function picture<E extends Element>(part: E): E {
  const copy = printable(part);
  for (const element of [copy, ...copy.querySelectorAll('*')]) {
    for (const name of ['role', 'aria-label', 'data-attempt', 'data-index']) element.removeAttribute(name);
  }
  copy.setAttribute('aria-hidden', 'true');
  return copy;
}
