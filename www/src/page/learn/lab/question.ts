import { h } from '../../dom.ts';
import { digits, parse } from '../../format.ts';
import type { Answer } from './exercise.ts';
import { type Asked, LAB } from './words.ts';

/** A question with its field, its button and what is said to an answer. */
export class QuestionView {
  /** Called when an answer was judged. */
  onJudged: () => void = () => undefined;
  right = false;
  readonly element: HTMLFormElement;
  readonly #asked: Asked;
  readonly #answer: () => Answer;
  readonly #id: string;
  readonly #said: HTMLElement;
  readonly #show: HTMLButtonElement;

  constructor(id: string, asked: Asked, answer: () => Answer) {
    this.#id = id;
    this.#asked = asked;
    this.#answer = answer;
    this.#said = h('p', { class: 'lab-said', role: 'status', 'data-testid': `${id}-said` });
    this.#show = h('button', { type: 'button', class: 'link', 'data-testid': `${id}-show`, hidden: true }, LAB.show);
    this.#show.addEventListener('click', () => {
      this.#tell();
    });
    const check = h(
      'button',
      { type: 'submit', 'data-testid': `${id}-check`, 'aria-label': LAB.checkOf(asked.ask) },
      LAB.check,
    );
    this.element = h(
      'form',
      { class: 'lab-question', novalidate: true },
      asked.options ? this.#choice(asked.options) : this.#number(),
      h('p', { class: 'row' }, check, this.#show),
      this.#said,
    );
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#judge();
    });
  }

  #number(): HTMLElement {
    const { ask, unit = '' } = this.#asked;
    return h(
      'label',
      { class: 'field' },
      h('span', {}, ask),
      h(
        'span',
        { class: 'unit' },
        h('input', { type: 'text', inputmode: 'decimal', autocomplete: 'off', 'data-testid': this.#id }),
        h('span', {}, unit),
      ),
    );
  }

  #choice(options: readonly string[]): HTMLElement {
    const choices = options.map((option, place) =>
      h(
        'label',
        { class: 'choice' },
        h('input', { type: 'radio', name: this.#id, value: String(place), 'data-testid': `${this.#id}-${place}` }),
        h('span', {}, option),
      ),
    );
    return h('fieldset', {}, h('legend', {}, this.#asked.ask), ...choices);
  }

  /** What was answered: a number, the place of an option, or nothing that is one. */
  get #given(): number | undefined {
    if (this.#asked.options) {
      const chosen = this.element.querySelector<HTMLInputElement>('input:checked');
      return chosen ? Number(chosen.value) : undefined;
    }
    return parse(this.element.querySelector('input')?.value ?? '');
  }

  #judge(): void {
    const [given, answer] = [this.#given, this.#answer()];
    if ('missing' in answer) {
      this.#say(answer.missing, 'missing');
    } else if (given === undefined) {
      this.#say(this.#asked.options ? LAB.noChoice : LAB.noNumber, 'missing');
    } else {
      this.right = isRight(given, answer);
      this.#say(this.right ? LAB.isRight(answer.why) : LAB.isWrong(this.#asked.hint), this.right ? 'right' : 'wrong');
      this.#show.hidden = this.right;
      this.onJudged();
    }
  }

  #tell(): void {
    const answer = this.#answer();
    if ('missing' in answer) {
      this.#say(answer.missing, 'missing');
      return;
    }
    const shown =
      'option' in answer
        ? (this.#asked.options?.[answer.option] ?? '')
        : [...new Set(answer.values.map((value) => digits(value, 4)))].join(LAB.or);
    this.#say(LAB.isShown(shown, answer.why), 'missing');
  }

  #say(sentence: string, verdict: 'right' | 'wrong' | 'missing'): void {
    this.#said.textContent = sentence;
    this.#said.dataset.verdict = verdict;
  }
}

function isRight(given: number, answer: Exclude<Answer, { missing: string }>): boolean {
  if ('option' in answer) return given === answer.option;
  // Sums of floats: a tolerance of nothing still forgives the last bits.
  return answer.values.some((value) => Math.abs(given - value) <= answer.tolerance + 1e-9 * Math.abs(value));
}
