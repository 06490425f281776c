import type { Recipe } from '../../lib/coppice.ts';
import { clearError, showError } from '../alert.ts';
import { type Demo, demos } from '../demos.ts';
import { h } from '../dom.ts';
import type { Fields } from '../recipe/defaults.ts';
import { decode, encode, isLink } from './codec.ts';
import { checkedView, GROUPS, restoreView, type View, viewOfPage } from './view.ts';
import { WORDS } from './words.ts';

/** What a device is asked for by. */
interface Asked {
  device: string;
  memory: string;
}

/** What links know of the page, and may do on it. */
export interface LinkPage {
  recipe: () => Recipe;
  /** The demo that is open, if one is. */
  demo: () => Demo | undefined;
  openDemo: (demo: Demo) => Promise<boolean>;
  asked: () => Asked;
  /** Asks for a device; nothing comes of one that the menus do not offer. */
  ask: (asked: Asked) => boolean;
  /** Waits for the engine, which is started if none runs. */
  started: () => Promise<unknown>;
  busy: () => boolean;
  /** Checks a recipe and fills it in; rejects with a sentence. */
  fill: (recipe: Fields) => Promise<unknown>;
  chooseText: (group: (typeof GROUPS)[number], choice: string) => void;
  say: (sentence: string) => void;
}

/** A link, once it is known to be sound. */
interface Linked {
  view: View;
  asked: Asked;
  demo: Demo | undefined;
  recipe: Fields;
}

/** Makes links that hold recipe and view in the fragment of the page's address, and takes them. */
export class Links {
  readonly #field = h('input', {
    type: 'text',
    readonly: true,
    hidden: true,
    'aria-label': WORDS.label,
    'data-testid': 'link-text',
  });
  readonly #page: LinkPage;

  constructor(page: LinkPage) {
    this.#page = page;
    window.addEventListener('hashchange', () => void this.take());
  }

  /** Puts the button into the block below the recipe form. */
  mount({ row, hint, status }: { row: HTMLElement; hint: HTMLElement; status: HTMLElement }): void {
    const button = h('button', { type: 'button', 'data-testid': 'link-copy' }, WORDS.copy);
    button.addEventListener('click', () => void this.#copy());
    row.append(button);
    hint.append(' ', WORDS.hint);
    status.after(this.#field);
  }

  /** Takes the link that the page was opened with, or a new one in the same tab; where there is none, nothing happens. */
  async take(): Promise<void> {
    const { hash } = location;
    if (!isLink(hash)) return;
    const before = this.#page.asked();
    try {
      if (this.#page.busy()) throw new Error(WORDS.busy);
      clearError();
      const linked = checked(await decode(hash));
      if (!linked || !this.#page.ask(linked.asked)) throw new Error(WORDS.broken);
      await this.#restore(linked);
    } catch (error) {
      this.#page.ask(before);
      showError(error);
    }
  }

  async #restore({ view, demo, recipe }: Linked): Promise<void> {
    await this.#page.started();
    const fill = async () => {
      try {
        await this.#page.fill(recipe);
      } catch (error) {
        throw new Error(WORDS.wrongRecipe(error instanceof Error ? error.message : String(error)), { cause: error });
      }
    };
    // First without the model, so that a wrong recipe fetches none.
    await fill();
    if (demo) {
      // Where it failed, the page has said so; where another model was chosen meanwhile, that one counts.
      if (!(await this.#page.openDemo(demo))) return;
      await fill();
    }
    for (const group of GROUPS) this.#page.chooseText(group, view.texts[group]);
    const own = GROUPS.some((group) => view.texts[group] === 'own');
    this.#page.say([WORDS.restored, demo ? '' : WORDS.ownModel, own ? WORDS.ownText : ''].filter(Boolean).join(' '));
    restoreView(view);
  }

  async #copy(): Promise<void> {
    const field = this.#field;
    try {
      const address = new URL(location.href);
      address.hash = await encode(this.#content());
      field.value = address.href;
      field.hidden = false;
    } catch (error) {
      field.hidden = true;
      this.#page.say(error instanceof Error ? error.message : String(error));
      return;
    }
    try {
      await navigator.clipboard.writeText(field.value);
      this.#page.say(WORDS.copied);
    } catch {
      field.select();
      this.#page.say(WORDS.copyByHand);
    }
  }

  /** Recipe and view, without the names of texts: those are names of the person's files. */
  #content(): Record<string, unknown> {
    const { calibration, evaluation, ...recipe } = this.#page.recipe();
    const unnamed = (section: object) =>
      Object.fromEntries(Object.entries(section).filter(([name]) => name !== 'source'));
    const demo = this.#page.demo()?.id;
    return {
      recipe: { ...recipe, calibration: unnamed(calibration), ...(evaluation && { evaluation: unnamed(evaluation) }) },
      ...(demo !== undefined && { demo }),
      ...this.#page.asked(),
      ...viewOfPage(),
    };
  }
}

/** What a link says, where all of it is something that the page has; the recipe is for the core to check. */
function checked(value: unknown): Linked | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Fields;
  const { device, memory, demo: id, recipe } = fields;
  const view = checkedView(fields);
  const demo = demos.find((one) => one.id === id);
  if (!view || (id !== undefined && !demo)) return undefined;
  if (typeof device !== 'string' || typeof memory !== 'string') return undefined;
  if (typeof recipe !== 'object' || recipe === null || Array.isArray(recipe)) return undefined;
  return { view, asked: { device, memory }, demo, recipe: recipe as Fields };
}
