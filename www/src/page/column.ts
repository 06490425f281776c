import type { Ending, Token } from '../lib/coppice.ts';
import { byId, h } from './dom.ts';
import { count, fixed } from './format.ts';
import type { Stretch } from './side/diff.ts';
import { WORDS } from './side/words.ts';

/** One model's text and figures as it writes. */
export class Column {
  /** What the model wrote, without the prompt. */
  written = '';
  readonly #root: HTMLElement;
  readonly #text: HTMLElement;
  readonly #tokens: HTMLElement;
  readonly #rate: HTMLElement;
  readonly #ending: HTMLElement;
  #prompt = h('span', { class: 'prompt' });
  #count = 0;
  /** Seconds of all tokens but the first, which takes the prompt along. */
  #seconds = 0;

  constructor(which: 'dense' | 'pruned') {
    this.#root = byId(`try-${which}`);
    const find = (part: string) => byId(`try-${which}-${part}`);
    [this.#text, this.#tokens, this.#rate, this.#ending] = [find('text'), find('tokens'), find('rate'), find('ending')];
  }

  set hidden(hidden: boolean) {
    this.#root.hidden = hidden;
  }

  /** Tokens a second, once there is more than one. */
  get rate(): number | undefined {
    return this.#seconds > 0 ? (this.#count - 1) / this.#seconds : undefined;
  }

  clear(): void {
    this.#count = this.#seconds = 0;
    this.written = '';
    this.#text.replaceChildren();
    this.#ending.textContent = '';
    this.#figures();
  }

  begin(prompt: string): void {
    this.clear();
    this.#root.setAttribute('aria-busy', 'true');
    this.#prompt = h('span', { class: 'prompt' }, prompt);
    this.#text.replaceChildren(this.#prompt);
    this.say(WORDS.readingModel);
  }

  push({ text, seconds }: Token): void {
    if (this.#count > 0) this.#seconds += seconds;
    this.#count += 1;
    this.written += text;
    // Pieces stay pieces, so that selecting text while it grows does not lose the selection.
    this.#text.append(text);
    this.#ending.textContent = '';
    this.#figures();
  }

  /** Shows the text again with what differs marked. */
  mark(stretches: readonly Stretch[]): void {
    if (!stretches.some(({ differs }) => differs)) return;
    const pieces = stretches.map(({ text, differs }) => (differs ? h('mark', {}, text) : text));
    this.#text.replaceChildren(this.#prompt, ...pieces);
  }

  end(ending: Ending): void {
    this.#root.removeAttribute('aria-busy');
    this.say(WORDS.endings[ending]);
  }

  say(sentence: string): void {
    this.#ending.textContent = sentence;
  }

  #figures(): void {
    this.#tokens.textContent = count(this.#count);
    this.#rate.textContent = this.rate === undefined ? WORDS.none : fixed(this.rate, 1);
  }
}
