import type { Recipe } from '../../lib/coppice.ts';
import { byId, download, h } from '../dom.ts';
import { type CommandOptions, commandOf } from './command.ts';
import type { Fields } from './defaults.ts';
import { copyButton } from './copy.ts';
import { JsonField } from './json-field.ts';
import { checkForPage, isPlan, objectOf, recipeTextOf } from './parse.ts';
import type { RecipeStep } from './step.ts';
import { WORDS } from './words.ts';

/** What comes in with a recipe and goes out with it, below the form. */
export class Exchange {
  /** Asks the core whether a recipe is right; rejects with its sentence. */
  check: (recipe: Fields) => Promise<void> = () => Promise.resolve();
  /** What the command line says beside the recipe. */
  options: () => CommandOptions = () => ({ model: 'model', device: 'auto', memory: '' });
  /** Where buttons of other parts go. */
  readonly row = h('p', { class: 'row' });
  readonly hint = h('p', { class: 'hint' }, WORDS.hint);
  readonly status = h('p', { class: 'hint', role: 'status', 'data-testid': 'recipe-status' });
  readonly #step: RecipeStep;
  readonly #json = new JsonField();
  readonly #also = h('div', { class: 'also', 'data-testid': 'recipe-also', hidden: true });
  readonly #command = h('pre', { 'data-testid': 'command', tabindex: '0', 'aria-label': WORDS.commandLabel });
  readonly #commandHint = h('p', { class: 'hint' });
  #said = 0;

  constructor(step: RecipeStep) {
    this.#step = step;
    const file = h('input', { type: 'file', accept: '.json,.md,application/json', 'data-testid': 'recipe-import' });
    file.addEventListener('change', () => {
      const [chosen] = file.files ?? [];
      if (chosen) void this.take(chosen);
      // The same file can be chosen again after it was corrected.
      file.value = '';
    });
    const save = h('button', { type: 'button', 'data-testid': 'recipe-save' }, WORDS.save);
    save.addEventListener('click', () => {
      this.#tell(() => {
        const text = `${JSON.stringify(step.read(), null, 2)}\n`;
        download(new Blob([text], { type: 'application/json' }), WORDS.recipeFile);
        return WORDS.saved;
      });
    });
    this.#json.onApply = (text) => void this.#apply(text);
    this.row.append(h('label', { class: 'button' }, WORDS.import, file), save);
    byId('recipe-exchange').append(
      this.row,
      this.hint,
      this.status,
      this.#also,
      this.#json.element,
      h(
        'details',
        { id: 'command-details' },
        h('summary', { 'data-testid': 'command-show' }, WORDS.command),
        this.#commandHint,
        this.#command,
        copyButton('command-copy', this.#command, () => this.#command.textContent),
      ),
    );
    this.#listenForDrops();
  }

  /** Shows what the form says now. */
  update(): void {
    let recipe: Recipe | undefined;
    let wrong = '';
    try {
      recipe = this.#step.read();
    } catch (error) {
      wrong = sentenceOf(error);
    }
    this.#json.show(recipe && JSON.stringify(recipe, null, 2), wrong);
    const options = this.options();
    const texts = [recipe?.calibration.source, recipe?.evaluation?.source].filter((name) => name !== undefined);
    this.#commandHint.textContent = recipe ? WORDS.commandHint(options.model, texts) : '';
    this.#command.textContent = recipe ? commandOf(recipe, options) : wrong;
    this.#showAlso();
  }

  /** Takes the recipe of a file; what is wrong with it is told where it stands as text. */
  async take(file: File): Promise<void> {
    try {
      const text = await recipeTextOf(file);
      await this.#apply(text);
    } catch (error) {
      this.say(sentenceOf(error));
    }
  }

  /** Puts a recipe into the form: whether it was right. */
  async put(recipe: unknown): Promise<boolean> {
    byId('recipe-title').focus();
    return this.#apply(JSON.stringify(recipe, null, 2));
  }

  /** Checks a recipe and puts it into the form; rejects with a sentence. */
  async fill(recipe: Fields): Promise<string[]> {
    checkForPage(recipe);
    await this.check(recipe);
    const notes = this.#step.fill(recipe);
    this.#json.settle();
    return notes;
  }

  say(sentence: string): void {
    this.#said += 1;
    this.status.textContent = sentence;
  }

  async #apply(text: string): Promise<boolean> {
    this.say(WORDS.checking);
    const said = this.#said;
    try {
      const given = objectOf(text);
      const notes = await this.fill(given.method === undefined && isPlan(given) ? this.#around(given) : given);
      if (said === this.#said) this.say([WORDS.applied, ...notes].join(' '));
      return true;
    } catch (error) {
      this.#json.keep(text, sentenceOf(error));
      if (said === this.#said) this.say('');
      return false;
    }
  }

  /** A recipe that keeps what a plan lists; the rest is as the form says. */
  #around(plan: unknown): Fields {
    const recipe = this.#step.read(plan as Parameters<RecipeStep['read']>[0]);
    return { ...recipe };
  }

  #showAlso(): void {
    const { also } = this.#step;
    this.#also.hidden = also.length === 0;
    const items = also.map(({ name, value, drop }) => {
      const button = h(
        'button',
        { type: 'button', class: 'small', 'data-testid': 'recipe-drop', 'aria-label': WORDS.dropOne(name) },
        WORDS.drop,
      );
      button.addEventListener('click', () => {
        drop();
        (this.#also.querySelector('button') ?? this.row.querySelector<HTMLElement>('input, button'))?.focus();
      });
      return h('li', {}, h('code', {}, name), ' ', h('span', {}, value), ' ', button);
    });
    this.#also.replaceChildren(h('p', {}, WORDS.also), h('ul', {}, ...items));
  }

  #tell(act: () => string): void {
    try {
      this.say(act());
    } catch (error) {
      this.say(sentenceOf(error));
    }
  }

  /** A file that may hold a recipe is taken here; anything else goes on to the whole page, as a model. */
  #listenForDrops(): void {
    const section = byId('recipe');
    const mark = (over: boolean) => section.classList.toggle('over', over);
    section.addEventListener('dragover', () => {
      mark(true);
    });
    section.addEventListener('dragleave', ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node && section.contains(relatedTarget))) mark(false);
    });
    section.addEventListener('drop', (event) => {
      mark(false);
      const [file, ...others] = event.dataTransfer?.files ?? [];
      if (!file || others.length > 0 || !/\.(json|md|markdown)$/i.test(file.name)) return;
      event.preventDefault();
      event.stopPropagation();
      byId('drop').classList.remove('over');
      void this.take(file);
    });
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
