import { h } from '../dom.ts';
import type { Cell } from './cell.ts';
import { describe } from './describe.ts';
import type { Drawing } from './draw.ts';
import { WORDS } from './words.ts';

/** The line under a map with the numbers of the cell that is pointed at or has the focus; a live region. */
export class Detail {
  readonly element: HTMLElement;

  constructor(id: string) {
    this.element = h('p', { class: 'map-detail', role: 'status', 'data-testid': id }, WORDS.point);
  }

  show(cell: Cell | undefined, drawing: Drawing): void {
    if (!cell) {
      this.say(WORDS.point);
      return;
    }
    const { title, sentences } = describe(cell, drawing);
    this.element.replaceChildren(h('strong', {}, `${title}:`), ` ${sentences.join(' ')}`);
  }

  say(sentence: string): void {
    this.element.replaceChildren(sentence);
  }
}
