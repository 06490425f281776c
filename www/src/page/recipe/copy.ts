import { h } from '../dom.ts';
import { WORDS } from './words.ts';

/** A button that copies a text, or selects it where the browser does not let it. */
export function copyButton(id: string, shown: HTMLElement, text: () => string): HTMLButtonElement {
  const button = h('button', { type: 'button', 'data-testid': id }, WORDS.copy);
  button.addEventListener('click', () => {
    void navigator.clipboard.writeText(text()).then(
      () => (button.textContent = WORDS.copied),
      () => {
        button.textContent = WORDS.copyByHand;
        if (shown instanceof HTMLTextAreaElement) shown.select();
        else getSelection()?.selectAllChildren(shown);
      },
    );
  });
  button.addEventListener('blur', () => (button.textContent = WORDS.copy));
  return button;
}
