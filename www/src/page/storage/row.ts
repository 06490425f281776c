import { exchange, h } from '../dom.ts';
import { bytes } from '../format.ts';
import type { Group } from './groups.ts';
import { WORDS } from './words.ts';

/** A line of the table: how much of a group is kept, and the button that keeps or clears it. */
export class Row {
  readonly element: HTMLElement;
  readonly group: Group;
  readonly #size: HTMLElement;
  readonly #keep: HTMLButtonElement | undefined;
  readonly #clear: HTMLButtonElement;

  constructor(group: Group, onKeep: () => void, onClear: () => void) {
    this.group = group;
    const { id, title, use, keep } = group;
    const button = (name: 'keep' | 'clear', label: string, act: () => void) => {
      const attributes = { 'data-testid': `storage-${name}`, 'data-group': id, 'aria-label': label };
      const element = h('button', { type: 'button', hidden: true, ...attributes }, WORDS[name]);
      element.addEventListener('click', act);
      return element;
    };
    this.#keep = keep && button('keep', WORDS.keepThis(title, keep.bytes), onKeep);
    this.#clear = button('clear', WORDS.clearThis(title), onClear);
    this.#size = h('td', { 'data-testid': 'storage-size', 'data-group': id });
    this.element = h(
      'tr',
      {},
      h('th', { scope: 'row' }, title),
      this.#size,
      h('td', { class: 'hint' }, use),
      h('td', {}, this.#keep, this.#clear),
    );
  }

  /** Shows how much there is now, and gives that. */
  async refresh(): Promise<number> {
    const size = await this.group.size();
    const otherwise = this.#keep ? WORDS.none : WORDS.nothing;
    this.#size.textContent = size === undefined ? otherwise : size === 0 ? WORDS.empty : bytes(size);
    if (this.#keep) {
      if (size === undefined) exchange(this.#clear, this.#keep);
      else exchange(this.#keep, this.#clear);
    } else {
      this.#clear.hidden = size === undefined;
    }
    return size ?? 0;
  }
}
