import { byId, h } from './dom.ts';

/** Shows one sentence about what went wrong; the page stays ready for the next try. */
export function showError(error: unknown): void {
  const sentence = error instanceof Error ? error.message : String(error);
  const dismiss = h('button', { type: 'button', 'data-testid': 'alert-dismiss' }, 'Dismiss');
  dismiss.addEventListener('click', clearError);
  byId('alert').replaceChildren(h('p', {}, sentence), dismiss);
}

export function clearError(): void {
  byId('alert').replaceChildren();
}
