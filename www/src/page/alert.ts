import { CoppiceError } from '../lib/coppice.ts';
import { byId, h } from './dom.ts';
import { WORDS } from './words.ts';

/** Shows one sentence about what went wrong; the page stays ready for the next try. */
export function showError(error: unknown): void {
  const sentence = error instanceof Error ? error.message : String(error);
  const dismiss = h('button', { type: 'button', 'data-testid': 'alert-dismiss' }, WORDS.dismiss);
  dismiss.addEventListener('click', clearError);
  // The core and its module speak English, whatever the page speaks.
  const spoken = error instanceof CoppiceError ? { lang: 'en' } : {};
  byId('alert').replaceChildren(h('p', spoken, sentence), dismiss);
}

export function clearError(): void {
  byId('alert').replaceChildren();
}
