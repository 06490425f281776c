import { h } from '../dom.ts';
import { Lab } from './lab/lab.ts';
import type { LearnPage, ViewName } from './page.ts';
import { Spotlight } from './spotlight.ts';
import { Walk } from './walk.ts';
import { WORDS } from './words.ts';

/** The sheet beside the page, with the walk and the lab sheet. It is left and opened again where it was. */
export class Panel {
  readonly #root: HTMLElement;
  readonly #spotlight = new Spotlight();
  readonly #views: { walk: Walk; lab: Lab };
  readonly #tabs: Record<ViewName, HTMLButtonElement>;
  #view: ViewName = 'walk';
  /** What the focus goes back to. */
  #from: HTMLElement | undefined;

  constructor(page: LearnPage) {
    this.#views = { walk: new Walk(page, this.#spotlight), lab: new Lab(page) };
    this.#views.walk.onLab = () => {
      this.#show('lab', true);
    };
    const tab = (view: ViewName) => {
      const button = h('button', { type: 'button', 'data-testid': `learn-view-${view}` }, WORDS.views[view]);
      button.addEventListener('click', () => {
        this.#show(view, false);
      });
      return button;
    };
    this.#tabs = { walk: tab('walk'), lab: tab('lab') };
    const close = h(
      'button',
      { type: 'button', class: 'learn-close', 'aria-label': WORDS.close, 'data-testid': 'learn-close' },
      '×',
    );
    close.addEventListener('click', () => {
      this.#close();
    });
    const tabs = h('div', { class: 'learn-tabs', role: 'group', 'aria-label': WORDS.viewsLabel });
    tabs.append(this.#tabs.walk, this.#tabs.lab);
    this.#root = h(
      'aside',
      { class: 'learn', 'aria-label': WORDS.panel, 'data-testid': 'learn', hidden: true },
      h('div', { class: 'learn-top' }, tabs, close),
      this.#views.walk.element,
      this.#views.lab.element,
    );
    this.#root.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#close();
    });
    // Before the steps, so that Tab leads from the sheet into the page that it points at.
    document.querySelector('main')?.before(this.#root);
  }

  open(view: ViewName, from: HTMLElement): void {
    this.#from = from;
    this.#root.hidden = false;
    document.body.classList.add('learning');
    this.#show(view, true);
  }

  /** Model, attempts or what runs may be others. */
  refresh(): void {
    for (const view of Object.values(this.#views)) view.refresh();
  }

  #show(view: ViewName, focus: boolean): void {
    this.#view = view;
    for (const [name, { element }] of Object.entries(this.#views)) element.hidden = name !== view;
    for (const [name, tab] of Object.entries(this.#tabs)) {
      if (name === view) tab.setAttribute('aria-current', 'true');
      else tab.removeAttribute('aria-current');
    }
    this.#spotlight.clear();
    this.#views[view].enter(focus);
  }

  #close(): void {
    this.#root.hidden = true;
    document.body.classList.remove('learning');
    this.#spotlight.clear();
    const { walk } = this.#views;
    if (this.#view === 'walk' && this.#from && walk.begun) this.#from.textContent = walk.resumeTitle;
    this.#from?.focus();
  }
}
