import type { Connection } from './connection.ts';
import type { AttemptOptions, Plan, PruneResult, Recipe, Report, RunOptions, Tiers } from './types.ts';

/** The files of an output folder as the worker sends them. */
export interface RawResult {
  report: Report;
  plan: Plan;
  files: { name: string; parts: BlobPart[] }[];
}

/** A result with its files as a page uses them. */
export function resultOf({ report, plan, files }: RawResult): PruneResult {
  return { report, plan, files: files.map(({ name, parts }) => new File(parts, name)) };
}

/**
 * A model that stays open: another ratio, score or repair costs no calibration.
 *
 * ```js
 * const bench = await coppice.open(inputFiles, recipe, { calibration: text });
 * const half = await bench.attempt(recipe);
 * recipe.method.ratio = 0.3;
 * const less = await bench.attempt(recipe, { evaluate: false });
 * bench.close();
 * ```
 */
export class Bench {
  /** Bytes that are kept for the next recipe, by where they are; absent before the first has ended. */
  held: Tiers | undefined;
  readonly #connection: Connection;
  readonly #bench: number;
  readonly #engine: number;
  #closed = false;

  constructor(connection: Connection, bench: number) {
    this.#connection = connection;
    this.#bench = bench;
    this.#engine = connection.engine;
  }

  /** Whether nothing is kept any more: it was closed, or its engine was replaced. Then the model is opened anew. */
  get gone(): boolean {
    return this.#closed || this.#connection.engine !== this.#engine;
  }

  /** Prunes the model as a recipe with the same calibration and evaluation says: the same as a run from scratch. */
  async attempt(recipe: Recipe, options: AttemptOptions = {}): Promise<PruneResult> {
    const { evaluate = true } = options;
    return this.#run({ method: 'attempt', bench: this.#bench, recipe, evaluate }, options);
  }

  /** Measures what the last recipe gave, where that was not done: its result again, with the figures. */
  async measure(options: RunOptions = {}): Promise<PruneResult> {
    return this.#run({ method: 'measure', bench: this.#bench }, options);
  }

  /** Lets go of the model and of everything that is kept of it. */
  close(): void {
    if (this.gone) return;
    this.#closed = true;
    // Not waited for: it comes before whatever is asked for next.
    void this.#connection.call({ method: 'close_bench', bench: this.#bench }, {}).catch(() => undefined);
  }

  async #run(call: Parameters<Connection['call']>[0], options: RunOptions): Promise<PruneResult> {
    const raw = (await this.#connection.call(call, options)) as RawResult & { held: Tiers };
    this.held = raw.held;
    return resultOf(raw);
  }
}
