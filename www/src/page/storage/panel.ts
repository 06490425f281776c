import { byId, h, headings } from '../dom.ts';
import { bytes } from '../format.ts';
import { CACHED, DEMOS, type Group, NOTE, SCRATCH } from './groups.ts';
import { Row } from './row.ts';
import { clearScratch } from './scratch.ts';
import { clearCaches, clearPage, isRefused, keepPage, obstacle, refuse } from './shell.ts';
import { WORDS } from './words.ts';

/** In the footer: what this browser keeps for the page, and the ways to keep less or more of it. */
export class StoragePanel {
  readonly #obstacle = obstacle();
  readonly #rows: readonly Row[];
  readonly #title = h('summary', { 'data-testid': 'storage-show' }, WORDS.title);
  readonly #total = h('p', { class: 'hint', 'data-testid': 'storage-total' });
  readonly #status = h('p', { class: 'hint', role: 'status', 'data-testid': 'storage-status' });
  readonly #later = h('input', { type: 'checkbox', id: 'storage-later', 'data-testid': 'storage-later' });
  /** What is under way; what is asked for meanwhile comes after it. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #pending = new Set<string>();

  constructor() {
    const groups = this.#obstacle === undefined ? [...CACHED, NOTE, SCRATCH] : [SCRATCH];
    this.#rows = groups.map(
      (group) =>
        new Row(
          group,
          () => void this.#keep([group]),
          () => void this.#clear(group),
        ),
    );
    const table = h(
      'table',
      { 'data-testid': 'storage-table' },
      h('caption', {}, WORDS.caption),
      h('thead', {}, headings(WORDS.columns)),
      h('tbody', {}, ...this.#rows.map(({ element }) => element)),
    );
    const root = byId('storage');
    root.append(
      this.#title,
      h('p', { hidden: this.#obstacle === undefined }, this.#obstacle),
      h('div', { class: 'scroller', tabindex: '0', role: 'region', 'aria-label': WORDS.caption }, table),
      this.#controls(),
      this.#status,
      this.#total,
      h('p', {}, WORDS.others),
      h('p', {}, WORDS.policy),
    );
    root.addEventListener('toggle', () => void this.#refresh());
    this.#tellOfNewer();
  }

  /** Keeps the page, unless the person wants nothing kept. What goes wrong is no matter of the moment: the panel shows that it is not kept. */
  async keepPage(): Promise<void> {
    if (this.#obstacle === undefined) {
      await this.#inTurn('page', async () => {
        if (await isRefused()) return;
        await keepPage().catch(() => undefined);
      });
    }
    await this.#refresh();
  }

  #controls(): HTMLElement {
    const size = DEMOS.reduce((sum, { keep }) => sum + (keep?.bytes ?? 0), 0);
    const demos = h('button', { type: 'button', 'data-testid': 'storage-keep-demos' }, WORDS.keepDemos(size));
    demos.addEventListener('click', () => void this.#keep(DEMOS));
    const all = h('button', { type: 'button', 'data-testid': 'storage-clear-all' }, WORDS.clearAll);
    all.addEventListener('click', () => void this.#clearAll());
    this.#later.addEventListener('change', () => void this.#decide(this.#later.checked));
    this.#later.setAttribute('aria-describedby', 'storage-later-hint');
    const possible = this.#obstacle === undefined;
    demos.hidden = !possible;
    return h(
      'div',
      {},
      h('p', { class: 'row' }, demos, all),
      h('label', { class: 'choice', hidden: !possible }, this.#later, h('span', {}, WORDS.later)),
      h('p', { class: 'hint', id: 'storage-later-hint', hidden: !possible }, WORDS.laterHint),
    );
  }

  async #keep(groups: readonly Group[]): Promise<void> {
    const all = groups.length > 1;
    await this.#inTurn(all ? 'demos' : (groups[0]?.id ?? ''), async () => {
      for (const { title, keep } of groups) {
        if (!keep) continue;
        this.#say(WORDS.keeping(title, keep.bytes));
        try {
          // A model alone is of no use without a network.
          await keepPage();
        } catch (error) {
          this.#say(WORDS.pageNotKept(reason(error)));
          return;
        }
        try {
          await keep.run();
        } catch (error) {
          this.#say(WORDS.demoNotKept(title, reason(error)));
          return;
        }
        this.#say(keep.done);
        if (all) await this.#refresh();
      }
      if (all) this.#say(WORDS.keptDemos(groups.length));
    });
  }

  async #clear({ id, title, clear }: Group): Promise<void> {
    await this.#inTurn(id, async () => {
      this.#say(await clear().catch((error: unknown) => WORDS.notCleared(title, reason(error))));
    });
  }

  async #clearAll(): Promise<void> {
    await this.#inTurn('all', async () => {
      if (this.#obstacle === undefined) await clearCaches();
      this.#say((await clearScratch()) ? WORDS.clearedAll : WORDS.clearedAllButScratch);
    });
  }

  /** Whether later visits keep the page. */
  async #decide(later: boolean): Promise<void> {
    await this.#inTurn('later', async () => {
      await refuse(!later);
      if (later) await keepPage();
      else await clearPage();
      this.#say(later ? WORDS.keptPage : WORDS.never);
    });
  }

  /** Does one thing after the other, and the same not twice at a time. */
  async #inTurn(name: string, act: () => Promise<void>): Promise<void> {
    if (this.#pending.has(name)) return;
    this.#pending.add(name);
    const turn = this.#last.then(act).catch((error: unknown) => {
      this.#say(WORDS.pageNotKept(reason(error)));
    });
    this.#last = turn;
    await turn;
    this.#pending.delete(name);
    await this.#refresh();
  }

  async #refresh(): Promise<void> {
    const sizes = await Promise.all(this.#rows.map((row) => row.refresh()));
    const kept = sizes.reduce((sum, size) => sum + size, 0);
    this.#title.textContent = WORDS.titleWith(bytes(kept));
    if (this.#obstacle === undefined) this.#later.checked = !(await isRefused());
    const { usage, quota } = await estimate();
    this.#total.textContent = usage === undefined || quota === undefined ? WORDS.noTotal : WORDS.total(usage, quota);
  }

  #tellOfNewer(): void {
    if (this.#obstacle !== undefined || !navigator.serviceWorker.controller) return;
    navigator.serviceWorker.addEventListener('controllerchange', () => {
      this.#say(WORDS.newer);
      void this.#refresh();
    });
  }

  #say(sentence: string): void {
    this.#status.textContent = sentence;
  }
}

async function estimate(): Promise<StorageEstimate> {
  try {
    return await navigator.storage.estimate();
  } catch {
    return {};
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
