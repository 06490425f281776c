import { h } from './dom.ts';

/** Asks in a dialog of the page's own; false where the person says no, or leaves it. */
export function ask(question: string, yes: string, no: string): Promise<boolean> {
  const button = (id: string, title: string, value: string) => {
    const element = h('button', { type: 'button', 'data-testid': id }, title);
    element.addEventListener('click', () => {
      dialog.close(value);
    });
    return element;
  };
  const buttons = h('p', { class: 'row' });
  const dialog = h(
    'dialog',
    { class: 'ask', 'aria-labelledby': 'ask-question', 'data-testid': 'ask' },
    h('p', { id: 'ask-question' }, question),
    buttons,
  );
  // The one that changes nothing comes first, and has the focus.
  buttons.append(button('ask-no', no, ''), button('ask-yes', yes, 'yes'));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
