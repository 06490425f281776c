/**
 * Coppice as a module: prunes transformer checkpoints in a worker of this page, on its GPU or CPU. Nothing leaves the machine.
 *
 * ```js
 * const coppice = await Coppice.start({ device: 'auto' });
 * const { report, files } = await coppice.prune(inputFiles, recipe, { calibration: text });
 * for await (const { text } of coppice.generate(files, { prompt: 'Once upon a time' })) show(text);
 * ```
 */
import { Bench, type RawResult, resultOf } from './bench.ts';
import { Connection } from './connection.ts';
import { CoppiceError } from './errors.ts';
import { Generation } from './generation.ts';
import type { SentFile } from './protocol.ts';
import type {
  Catalog,
  DeviceInfo,
  Estimate,
  Evaluation,
  EvaluateOptions,
  GenerateOptions,
  Inspection,
  NamedBlob,
  PruneOptions,
  PruneResult,
  Recipe,
  RunOptions,
  StartOptions,
} from './types.ts';

export { CoppiceError } from './errors.ts';
export type { Bench } from './bench.ts';
export type { Generation } from './generation.ts';
export type * from './types.ts';

export class Coppice {
  /** What recipes can name, as the core declares it. */
  readonly catalog: Catalog;
  readonly #connection: Connection;
  readonly #started: DeviceInfo;

  private constructor(connection: Connection, device: DeviceInfo, catalog: Catalog) {
    this.#connection = connection;
    this.#started = device;
    this.catalog = catalog;
  }

  /**
   * Starts the engine: `auto` takes the faster device by a quick measurement.
   *
   * Rejects with a {@link CoppiceError} where the device that was asked for is not there.
   */
  static async start(options: StartOptions = {}): Promise<Coppice> {
    const connection = new Connection(options);
    try {
      const { device, catalog } = await connection.ready();
      return new Coppice(connection, device, catalog);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The device that runs, and why. */
  get device(): DeviceInfo {
    return this.#connection.device ?? this.#started;
  }

  /** Reads the config and the tensor headers of a model folder; no weights. */
  async inspect(files: readonly NamedBlob[], options: RunOptions = {}): Promise<Inspection> {
    return (await this.#connection.call({ method: 'inspect', files: send(files) }, options)) as Inspection;
  }

  /** Prunes the model as the recipe says. `files` of the result is the whole output folder. */
  async prune(files: readonly NamedBlob[], recipe: Recipe, options: PruneOptions): Promise<PruneResult> {
    const { calibration, evaluation } = options;
    const call = { method: 'prune', files: send(files), recipe, calibration, evaluation } as const;
    return resultOf((await this.#connection.call(call, options)) as RawResult);
  }

  /**
   * Opens a model for one recipe after another with the same calibration and evaluation: what one of them collected, scored or measured is
   * kept for the next. Rejects as {@link prune} would before it starts; nothing is run yet.
   */
  async open(files: readonly NamedBlob[], recipe: Recipe, options: PruneOptions): Promise<Bench> {
    const { calibration, evaluation } = options;
    const bench = this.#connection.nextNumber();
    const call = { method: 'open_bench', bench, files: send(files), recipe, calibration, evaluation } as const;
    try {
      await this.#connection.call(call, options);
    } catch (error) {
      // One that was opened after all, behind a cancel, would stay for ever.
      void this.#connection.call({ method: 'close_bench', bench }, {}).catch(() => undefined);
      throw error;
    }
    return new Bench(this.#connection, bench);
  }

  /** What {@link prune} with the same arguments will need; rejects as it would before it starts. */
  async estimate(files: readonly NamedBlob[], recipe: Recipe, options: PruneOptions): Promise<Estimate> {
    const { calibration, evaluation } = options;
    const call = { method: 'estimate', files: send(files), recipe, calibration, evaluation } as const;
    return (await this.#connection.call(call, options)) as Estimate;
  }

  /** Rejects with a {@link CoppiceError} of the kind `recipe` where a recipe is wrong whatever the model; its sentence names the field. */
  async check(recipe: unknown, options: RunOptions = {}): Promise<void> {
    try {
      // The core reads the recipe before it misses the model.
      await this.estimate([], recipe as Recipe, { ...options, calibration: '' });
    } catch (error) {
      if (!(error instanceof CoppiceError && error.kind === 'input')) throw error;
    }
  }

  /** Measures a model on labelled lines, plain lines or, for a decoder, running text. */
  async evaluate(files: readonly NamedBlob[], options: EvaluateOptions): Promise<Evaluation> {
    const { task, data, limit, window, logits } = options;
    const call = { method: 'evaluate', files: send(files), task, data, limit, window, logits } as const;
    return (await this.#connection.call(call, options)) as Evaluation;
  }

  /**
   * Goes on from a prompt with a causal language model, token by token; greedily, where nothing else is asked for. Several texts may be
   * under way: they take turns by the token.
   */
  generate(files: readonly NamedBlob[], options: GenerateOptions): Generation {
    return new Generation(this.#connection, send(files), options);
  }

  /**
   * Holds the call under way at its next check, a fraction of a second later, until {@link resume} or its signal's abort. What it has on
   * the device stays there; the times that its report tells include the pause. The next call is not held.
   */
  pause(): void {
    this.#connection.hold(true);
  }

  /** Lets a call go on that was held by {@link pause}. */
  resume(): void {
    this.#connection.hold(false);
  }

  /** Ends the worker and frees the device. A call under way rejects. */
  close(): void {
    this.#connection.close();
  }
}

function send(files: readonly NamedBlob[]): SentFile[] {
  return files.map((file) => ({ name: file.name, blob: file }));
}
