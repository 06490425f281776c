import { h } from '../dom.ts';
import { FIRST_WORDS } from './first-words.ts';

/** The page of methods, which the build makes of docs/METHODS.md. */
export const METHODS = 'methods.html';

/** Address of what the page of methods says of a name that a menu offers. */
export function addressOf(menu: string, name: string): string {
  return `${METHODS}#${menu}-${name}`;
}

/** A link from a menu's hint to its method; in another tab, since models and attempts are this tab's. */
export function methodLink(menu: string, name: string, title: string): HTMLAnchorElement {
  return h(
    'a',
    {
      class: 'method-link',
      href: addressOf(menu, name),
      target: '_blank',
      rel: 'noopener',
      'data-testid': `${menu}-method`,
      'aria-label': FIRST_WORDS.methodOf(title),
    },
    FIRST_WORDS.method,
  );
}
