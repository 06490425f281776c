import { showError } from '../alert.ts';
import { byId } from '../dom.ts';
import type { LearnPage, ViewName } from './page.ts';
import type { Panel } from './panel.ts';

/** Opens the learning part, which is loaded when it is first asked for. */
export class LearnDoor {
  readonly #page: LearnPage;
  #panel: Promise<Panel> | undefined;

  constructor(page: LearnPage) {
    this.#page = page;
    for (const view of ['walk', 'lab'] as const) {
      const button = byId(`learn-${view}`);
      button.addEventListener('click', () => {
        this.#open(view, button).catch((error: unknown) => {
          // What could not be loaded is asked for again the next time.
          this.#panel = undefined;
          showError(error);
        });
      });
    }
  }

  /** Tells the part, where it is there, that model, attempts or what runs may be others. */
  refresh(): void {
    void this.#panel?.then((panel) => {
      panel.refresh();
    });
  }

  async #open(view: ViewName, from: HTMLElement): Promise<void> {
    this.#panel ??= import('./panel.ts').then(({ Panel }) => new Panel(this.#page));
    (await this.#panel).open(view, from);
  }
}
