import { h } from '../dom.ts';
import { percentOf } from '../recipe/numbers.ts';
import { WORDS } from './words.ts';

/** How long the slider must rest before its ratio is tried: arrow keys pass over many. */
const REST_MS = 250;

const [LEAST, SLIDES_TO, BELOW] = [0, 90, 95];

/** What of the panel goes with what is shown. */
export interface PanelState {
  running: boolean;
  blocked: boolean;
  measurable: boolean;
  refinable: boolean;
}

/** The fields and buttons that try another ratio. */
export class AgainPanel {
  /** Called with the share that a person chose, once the slider rests. */
  onRatio: (share: number) => void = () => undefined;
  onMeasure: () => void = () => undefined;
  onRefine: () => void = () => undefined;
  onStop: () => void = () => undefined;
  /** Called with a sentence on what cannot be tried. */
  onWrong: (sentence: string) => void = () => undefined;
  readonly element: HTMLElement;
  readonly #slider = h('input', {
    type: 'range',
    id: 'again-slider',
    min: String(LEAST),
    max: String(SLIDES_TO),
    step: '1',
    'aria-describedby': 'again-hint',
    'data-testid': 'again-slider',
  });
  readonly #number = h('input', {
    type: 'number',
    min: String(LEAST),
    max: String(BELOW),
    step: '1',
    'aria-label': WORDS.number,
    'data-testid': 'again-ratio',
  });
  readonly #measure = button(WORDS.measure, 'again-measure');
  readonly #refine = button(WORDS.refine, 'again-refine');
  readonly #stop = button(WORDS.stop, 'again-stop');
  readonly #now = h('span', { class: 'hint', 'data-testid': 'again-now' });
  readonly #said = h('p', { role: 'status', 'data-testid': 'again-status' });
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether a person is about to choose a ratio. */
  #choosing = false;

  constructor() {
    this.element = h(
      'fieldset',
      { class: 'again', 'data-testid': 'again', hidden: true },
      h('legend', {}, WORDS.title),
      h('label', { for: 'again-slider' }, WORDS.ratio),
      h('div', { class: 'slider' }, this.#slider, h('span', { class: 'unit' }, this.#number, '%')),
      h('p', { class: 'hint', id: 'again-hint' }, WORDS.hint),
      this.#said,
      h('p', { class: 'row' }, this.#measure, this.#refine, this.#stop, this.#now),
    );
    this.#slider.addEventListener('input', () => {
      this.#choosing = true;
      this.#number.value = this.#slider.value;
    });
    this.#number.addEventListener('input', () => {
      this.#choosing = true;
      this.#slider.value = this.#number.value;
    });
    for (const field of [this.#slider, this.#number]) {
      field.addEventListener('change', () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#choose();
        }, REST_MS);
      });
    }
    this.#measure.addEventListener('click', () => {
      this.onMeasure();
    });
    this.#refine.addEventListener('click', () => {
      this.onRefine();
    });
    this.#stop.addEventListener('click', () => {
      this.onStop();
    });
  }

  /** Whether a person is at the panel, so that the focus should stay. */
  get focused(): boolean {
    return this.element.contains(document.activeElement);
  }

  /** Puts the slider to a share, unless a person is moving it. */
  set ratio(share: number) {
    if (!this.#choosing) this.#number.value = this.#slider.value = percentOf(share);
  }

  /** Where the run under way is. */
  set now(sentence: string) {
    this.#now.textContent = sentence;
  }

  /** What came of the last one. */
  say(...sentences: string[]): void {
    this.#said.textContent = sentences.join(' ');
  }

  update({ running, blocked, measurable, refinable }: PanelState): void {
    const buttons = [this.#measure, this.#refine, this.#stop];
    const left = buttons.find((one) => one === document.activeElement);
    for (const field of [this.#slider, this.#number]) field.disabled = blocked;
    for (const one of [this.#measure, this.#refine]) one.disabled = blocked;
    this.#measure.hidden = running || !measurable;
    this.#refine.hidden = running || !refinable;
    this.#stop.hidden = !running;
    // A button that is hidden would lose the focus to nowhere.
    if (left?.hidden) (running ? this.#stop : this.#slider).focus();
  }

  #choose(): void {
    this.#choosing = false;
    const { value, valueAsNumber: percent } = this.#number;
    if (value !== '' && percent >= LEAST && percent < BELOW) this.onRatio(percent / 100);
    else this.onWrong(WORDS.wrong);
  }
}

function button(title: string, id: string): HTMLButtonElement {
  return h('button', { type: 'button', 'data-testid': id }, title);
}
