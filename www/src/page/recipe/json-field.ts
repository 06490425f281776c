import { h } from '../dom.ts';
import { copyButton } from './copy.ts';
import { WORDS } from './words.ts';

/** The recipe as a text that can be changed and applied. What was typed stays until it is applied or given up. */
export class JsonField {
  /** Called with the text when it is to be applied. */
  onApply: (text: string) => void = () => undefined;
  readonly element: HTMLDetailsElement;
  readonly #text = h('textarea', {
    id: 'recipe-json',
    rows: '18',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-label': WORDS.jsonLabel,
    'aria-describedby': 'recipe-json-state',
    'data-testid': 'recipe-json',
  });
  readonly #state = h('p', { class: 'hint', id: 'recipe-json-state', 'data-testid': 'recipe-json-state' });
  readonly #error = h('p', { class: 'wrong', role: 'alert', 'data-testid': 'recipe-error' });
  readonly #apply = button('recipe-apply', WORDS.apply);
  readonly #revert = button('recipe-revert', WORDS.revert);
  /** What the form says, and why it says nothing where a field is wrong. */
  #form = { text: '', wrong: '' };
  #typed = false;

  constructor() {
    this.#text.addEventListener('input', () => {
      this.#typed = true;
      this.#tell(WORDS.changedHere, '');
    });
    this.#apply.addEventListener('click', () => {
      this.onApply(this.#text.value);
    });
    this.#revert.addEventListener('click', () => {
      this.settle();
      this.#text.focus();
    });
    this.element = h(
      'details',
      { id: 'json-details' },
      h('summary', { 'data-testid': 'recipe-show' }, WORDS.json),
      this.#state,
      this.#text,
      this.#error,
      h(
        'p',
        { class: 'row' },
        this.#apply,
        this.#revert,
        copyButton('recipe-copy', this.#text, () => this.#text.value),
      ),
    );
    this.settle();
  }

  /** Takes note of what the form says, and shows it unless something was typed. */
  show(text: string | undefined, wrong: string): void {
    const changed = text !== this.#form.text;
    this.#form = { text: text ?? '', wrong };
    if (!this.#typed) this.settle();
    else if (changed) this.#tell(WORDS.formChanged, this.#error.textContent);
  }

  /** Shows what the form says in place of what was typed. */
  settle(): void {
    this.#typed = false;
    if (this.#text.value !== this.#form.text) this.#text.value = this.#form.text;
    this.#tell(WORDS.jsonHint, this.#form.wrong);
  }

  /** Keeps a text that could not be applied, opens it, and says what is wrong. */
  keep(text: string, sentence: string): void {
    this.#typed = true;
    if (this.#text.value !== text) this.#text.value = text;
    this.#tell(WORDS.changedHere, sentence);
    this.element.open = true;
    this.#text.focus();
  }

  #tell(state: string, error: string): void {
    this.#state.textContent = state;
    this.#error.textContent = error;
    this.#text.setAttribute('aria-invalid', String(error !== ''));
    this.#revert.disabled = !this.#typed;
  }
}

function button(id: string, title: string): HTMLButtonElement {
  return h('button', { type: 'button', 'data-testid': id }, title);
}
