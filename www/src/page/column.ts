import type { Ending, Token } from '../lib/coppice.ts';
import { byId, h } from './dom.ts';
import { count } from './format.ts';

const ENDINGS: Record<Ending, string> = {
  stop_token: 'The model ended the text.',
  stop_text: 'A stop string came.',
  max_tokens: 'As many tokens as were asked for.',
  context_full: 'The model’s context is full.',
  stopped: 'Stopped.',
};

/** One model's text and figures as it writes. */
export class Column {
  readonly #root: HTMLElement;
  readonly #text: HTMLElement;
  readonly #tokens: HTMLElement;
  readonly #rate: HTMLElement;
  readonly #ending: HTMLElement;
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

  clear(): void {
    this.#count = this.#seconds = 0;
    this.#text.replaceChildren();
    this.#ending.textContent = '';
    this.#figures();
  }

  begin(prompt: string): void {
    this.clear();
    this.#root.setAttribute('aria-busy', 'true');
    this.#text.replaceChildren(h('span', { class: 'prompt' }, prompt));
    this.say('Reading the model…');
  }

  push({ text, seconds }: Token): void {
    if (this.#count > 0) this.#seconds += seconds;
    this.#count += 1;
    // Pieces stay pieces, so that selecting text while it grows does not lose the selection.
    this.#text.append(text);
    this.#ending.textContent = '';
    this.#figures();
  }

  end(ending: Ending): void {
    this.#root.removeAttribute('aria-busy');
    this.say(ENDINGS[ending]);
  }

  say(sentence: string): void {
    this.#ending.textContent = sentence;
  }

  #figures(): void {
    this.#tokens.textContent = count(this.#count);
    this.#rate.textContent = this.#seconds > 0 ? ((this.#count - 1) / this.#seconds).toFixed(1) : '–';
  }
}
