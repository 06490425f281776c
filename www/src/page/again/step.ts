import type { Catalog, Coppice, Progress, RunOptions } from '../../lib/coppice.ts';
import { clearError, showError } from '../alert.ts';
import type { Attempt, Subject } from '../attempts/attempt.ts';
import type { AttemptsStep } from '../attempts/step.ts';
import { WORDS as LIVE } from '../live/words.ts';
import type { Session } from '../session.ts';
import { AgainPanel } from './panel.ts';
import { isStructured, plainAt, refined, type StructuredRecipe } from './recipes.ts';
import type { Ground, LoadedTexts, Statistics } from './statistics.ts';
import { WORDS } from './words.ts';

/** What trying another ratio knows of the page. */
export interface AgainPage {
  session: Session;
  statistics: Statistics;
  attempts: AttemptsStep;
  /** The model that is open. */
  subject: () => Subject | undefined;
  /** Which texts are chosen, and what they hold. */
  texts: () => string;
  load: () => Promise<LoadedTexts>;
}

/** Tries other ratios on what the result section shows, with the statistics that are kept: one at a time, the newest wins. */
export class AgainStep {
  /** Called when a run begins and when it has ended. */
  onBusy: (busy: boolean) => void = () => undefined;
  /** Called with the share that is tried. */
  onRatio: (share: number) => void = () => undefined;
  readonly panel = new AgainPanel();
  readonly #page: AgainPage;
  #catalog: Catalog | undefined;
  #shown: { attempt: Attempt; ground: Ground; recipe: StructuredRecipe } | undefined;
  #blocked = false;
  #abort: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #turn = 0;
  /** Whether another one waits for the end of the one under way. */
  #waiting = false;

  constructor(page: AgainPage) {
    this.#page = page;
    const { panel } = this;
    panel.onRatio = (share) => {
      this.onRatio(share);
      void this.#begin((options, coppice) => this.#try(coppice, share, options));
    };
    panel.onRefine = () => void this.#begin((options, coppice) => this.#refine(coppice, options));
    panel.onMeasure = () => void this.#begin((options, coppice) => this.#measure(coppice, options));
    panel.onStop = () => {
      this.#turn += 1;
      this.#waiting = false;
      this.#abort?.abort();
    };
    panel.onWrong = (sentence) => {
      showError(new Error(sentence));
    };
  }

  /** What repairs there are. */
  set catalog(catalog: Catalog) {
    this.#catalog = catalog;
    this.#update();
  }

  /** While another run is under way none can start here. */
  set blocked(blocked: boolean) {
    this.#blocked = blocked;
    this.#update();
  }

  /** Shows the panel for an attempt on the model that is open, where another ratio means something. */
  show(attempt: Attempt | undefined): void {
    const { statistics, subject } = this.#page;
    const ground = attempt && statistics.groundOf(attempt);
    const recipe = attempt?.result.report.recipe;
    const fits = ground && recipe && isStructured(recipe) && attempt.subject.key === subject()?.key;
    const another = this.#shown?.attempt !== attempt;
    this.#shown = fits ? { attempt, ground, recipe } : undefined;
    this.panel.element.hidden = !fits;
    if (fits) this.panel.ratio = recipe.method.ratio;
    if (another) this.panel.say(fits && this.#measurable ? WORDS.unmeasured : '');
    this.#update();
  }

  get #measurable(): boolean {
    const { report } = this.#shown?.attempt.result ?? {};
    return report?.recipe.evaluation !== undefined && !report.quality_after;
  }

  get #refinable(): boolean {
    const { method } = this.#shown?.recipe ?? {};
    const repair = this.#catalog?.reconstructions.find(({ name }) => name === method?.reconstruction);
    return method?.error_aware === false && (repair?.options?.includes('error_aware') ?? false);
  }

  #update(): void {
    this.panel.update({
      running: this.#abort !== undefined,
      blocked: this.#blocked,
      measurable: this.#measurable,
      refinable: this.#refinable,
    });
  }

  /** Ends what is under way, and does the next thing unless a newer one has come. */
  async #begin(work: (options: RunOptions, coppice: Coppice) => Promise<void>): Promise<void> {
    const turn = ++this.#turn;
    this.#waiting = true;
    this.#abort?.abort();
    await this.#running;
    if (turn !== this.#turn) return;
    this.#waiting = false;
    if (this.#blocked || !this.#shown) this.#putBack();
    else await (this.#running = this.#carry(work));
  }

  async #carry(work: (options: RunOptions, coppice: Coppice) => Promise<void>): Promise<void> {
    clearError();
    const abort = (this.#abort = new AbortController());
    this.panel.say();
    this.panel.now = WORDS.starting;
    this.onBusy(true);
    this.#update();
    try {
      const onProgress = ({ phase, layer, layers }: Progress) => {
        const title = LIVE.phases[phase];
        this.panel.now = typeof layer === 'number' ? LIVE.layer(title, layer + 1, layers) : title;
      };
      await work({ signal: abort.signal, onProgress }, await this.#page.session.engine());
    } catch (error) {
      const stopped = error instanceof DOMException && error.name === 'AbortError';
      // Nothing is said of one that a newer one has overtaken.
      if (!this.#waiting) this.#putBack();
      if (!stopped) showError(error);
      else if (!this.#waiting) this.panel.say(WORDS.cancelled);
    } finally {
      this.#abort = undefined;
      this.panel.now = '';
      this.onBusy(false);
      this.#update();
    }
  }

  /** Puts the slider where the attempt that is shown has it. */
  #putBack(): void {
    if (this.#shown) this.panel.ratio = this.#shown.recipe.method.ratio;
  }

  async #try(coppice: Coppice, share: number, options: RunOptions): Promise<void> {
    if (!this.#shown) return;
    const { own, anew } = await this.#prune(coppice, this.#shown.ground, plainAt(this.#shown.recipe, share), options);
    this.panel.say(WORDS.tried(share, own, anew), this.#measurable ? WORDS.unmeasured : '');
  }

  async #refine(coppice: Coppice, options: RunOptions): Promise<void> {
    if (!this.#shown) return;
    const { ground, recipe } = this.#shown;
    const { own } = await this.#prune(coppice, ground, refined(recipe), options);
    this.panel.say(WORDS.refined(recipe.method.ratio, own), this.#measurable ? WORDS.unmeasured : '');
  }

  async #measure(coppice: Coppice, options: RunOptions): Promise<void> {
    if (!this.#shown) return;
    const { attempt, ground } = this.#shown;
    const { attempts, statistics } = this.#page;
    const before = performance.now();
    attempts.update(attempt, await statistics.measure(coppice, ground, attempt, this.#loadFor(ground), options));
    if (attempts.shown === attempt) attempts.open(attempt);
    this.panel.say(WORDS.measured((performance.now() - before) / 1000));
  }

  /** Carries out a recipe, keeps and shows what came of it; its own seconds, and whether statistics were collected in them. */
  async #prune(coppice: Coppice, ground: Ground, recipe: StructuredRecipe, options: RunOptions) {
    const { attempts, statistics } = this.#page;
    let anew = false;
    const onProgress = (progress: Progress) => {
      anew ||= progress.phase === 'calibrate';
      options.onProgress?.(progress);
    };
    const found = await statistics.run(coppice, ground, recipe, this.#loadFor(ground), {
      ...options,
      evaluate: false,
      onProgress,
    });
    const attempt = await attempts.add(ground.subject, found.result, found.evaluation);
    statistics.know(attempt, ground);
    attempts.open(attempt);
    return { own: found.result.report.seconds.own, anew };
  }

  /** The texts that a ground was made with, where they are still those that are chosen. */
  #loadFor({ texts }: Ground): () => Promise<LoadedTexts> {
    return () => {
      if (this.#page.texts() !== texts) throw new Error(WORDS.otherTexts);
      return this.#page.load();
    };
  }
}
