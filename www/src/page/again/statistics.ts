import type { AttemptOptions, Bench, Coppice, PruneResult, Recipe, RunOptions } from '../../lib/coppice.ts';
import type { Attempt, Subject } from '../attempts/attempt.ts';

/** What a run is made on: runs with the same share their statistics. */
export interface Ground {
  subject: Subject;
  /** Which texts are chosen. */
  texts: string;
  /** All of it together, with what the recipe says of the texts. */
  key: string;
}

/** The texts themselves, which are read only where nothing is kept. */
export interface LoadedTexts {
  calibration: Blob;
  evaluation: Blob | undefined;
}

export function groundOf(subject: Subject, texts: string, { calibration, evaluation }: Recipe): Ground {
  return { subject, texts, key: JSON.stringify([subject.key, texts, calibration, evaluation]) };
}

/** The model that is kept open, with what was collected of it. */
interface Kept {
  ground: Ground;
  coppice: Coppice;
  bench: Bench;
  evaluation: Blob | undefined;
  /** What it gave last, which alone it can measure. */
  last?: PruneResult;
}

/** Statistics of the last run, kept for the next one on the same ground: then it does not calibrate again. */
export class Statistics {
  /** Called when other statistics are kept, or none. */
  onChange: () => void = () => undefined;
  #kept: Kept | undefined;
  readonly #grounds = new WeakMap<Attempt, Ground>();

  /** What is kept at the moment: on which ground, and how many bytes. */
  get kept(): { ground: Ground; bytes: number } | undefined {
    const { bench: { gone, held } = { gone: true }, ground } = this.#kept ?? {};
    if (gone || !held || !ground) return undefined;
    return { ground, bytes: held.device + held.memory + held.disk };
  }

  /** Whether runs on a ground find something kept. */
  has({ key }: Ground): boolean {
    return this.#kept?.ground.key === key && !this.#kept.bench.gone;
  }

  /** Remembers what an attempt was made on. */
  know(attempt: Attempt, ground: Ground): void {
    this.#grounds.set(attempt, ground);
  }

  /** What an attempt was made on. */
  groundOf(attempt: Attempt): Ground | undefined {
    return this.#grounds.get(attempt);
  }

  /** Carries out a recipe with what is kept of its ground; opens the model anew where nothing is. */
  async run(
    coppice: Coppice,
    ground: Ground,
    recipe: Recipe,
    load: () => Promise<LoadedTexts>,
    options: AttemptOptions,
  ): Promise<{ result: PruneResult; evaluation: Blob | undefined }> {
    const kept = await this.#open(coppice, ground, recipe, load, options);
    try {
      const result = (kept.last = await kept.bench.attempt(recipe, options));
      return { result, evaluation: kept.evaluation };
    } finally {
      this.onChange();
    }
  }

  /** The result of an attempt with the figures: of the model that is kept where it was the last, else of the same run again. */
  async measure(
    coppice: Coppice,
    ground: Ground,
    { result }: Attempt,
    load: () => Promise<LoadedTexts>,
    options: RunOptions,
  ): Promise<PruneResult> {
    const kept = this.#kept;
    if (kept?.last !== result || !this.has(ground)) {
      return (await this.run(coppice, ground, result.report.recipe, load, { ...options, evaluate: true })).result;
    }
    try {
      return (kept.last = await kept.bench.measure(options));
    } finally {
      this.onChange();
    }
  }

  /** Lets go of everything, or of what was made with other texts than these. */
  release(texts?: string): void {
    if (!this.#kept || this.#kept.ground.texts === texts) return;
    this.#kept.bench.close();
    this.#kept = undefined;
    this.onChange();
  }

  async #open(
    coppice: Coppice,
    ground: Ground,
    recipe: Recipe,
    load: () => Promise<LoadedTexts>,
    { signal, onProgress }: RunOptions,
  ): Promise<Kept> {
    if (this.#kept && this.has(ground) && this.#kept.coppice === coppice) return this.#kept;
    onProgress?.({ phase: 'open', layers: 0, fraction: 0 });
    // First, so that the new ones find their room.
    this.release();
    const { calibration, evaluation } = await load();
    const bench = await coppice.open(ground.subject.files, recipe, { calibration, evaluation, signal });
    return (this.#kept = { ground, coppice, bench, evaluation });
  }
}
