import { h } from '../dom.ts';
import type { LearnPage } from './page.ts';

export class Lab {
  readonly element = h('div', { class: 'learn-view' });
  constructor(page: LearnPage) {
    void page;
  }
  enter(focus: boolean): void {
    void focus;
  }
  refresh(): void {
    this.element.hidden = this.element.hidden;
  }
}
