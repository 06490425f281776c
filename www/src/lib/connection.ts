import { abortError, CoppiceError } from './errors.ts';
import type { Call, FromWorker } from './protocol.ts';
import type { Catalog, DeviceInfo, StartOptions, RunOptions } from './types.ts';
import { crash, WorkerHandle } from './worker-handle.ts';

/** How long a worker may take to answer a cancel before it is ended and replaced. */
const CANCEL_MS = 1000;

/** Errors after which an engine is not trusted with another run. */
const POISONED = new Set(['device', 'memory', 'internal']);

/** Keeps one worker alive and gives it one call at a time. */
export class Connection {
  #options: StartOptions;
  #starting: Promise<WorkerHandle> | undefined;
  #device: DeviceInfo | undefined;
  #catalog: Catalog | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #nextId = 1;
  #nextNumber = 1;
  #engines = 1;
  #closed = false;
  /** Fails the call under way. */
  #abandon: (error: Error) => void = () => undefined;
  /** Pauses or resumes the call under way. */
  #hold: (paused: boolean) => void = () => undefined;

  constructor(options: StartOptions) {
    this.#options = options;
  }

  /** Starts the worker if none runs. */
  async ready(): Promise<{ device: DeviceInfo; catalog: Catalog }> {
    const handle = await this.#handle();
    return { device: this.#device ?? handle.device, catalog: this.#catalog ?? handle.catalog };
  }

  get device(): DeviceInfo | undefined {
    return this.#device;
  }

  /** Runs a call after those before it; rejects with an `AbortError` within about a second of its signal's abort. */
  async call(call: Call, { onProgress, signal }: RunOptions): Promise<unknown> {
    const before = this.#last;
    const turn = (async () => {
      await before;
      if (signal?.aborted) throw abortError();
      const handle = await untilAborted(this.#handle(), signal);
      return this.#run(handle, call, onProgress, signal);
    })();
    this.#last = turn.catch(() => undefined);
    return untilAborted(turn, signal, CANCEL_MS * 1.5);
  }

  /** A number for a text or an open model, that no other has. */
  nextNumber(): number {
    return this.#nextNumber++;
  }

  /** Tells engines apart: another number means that what an earlier one kept is gone. */
  get engine(): number {
    return this.#engines;
  }

  /** Holds the call under way at its next check, or lets it go on; where there is none, nothing happens. */
  hold(paused: boolean): void {
    this.#hold(paused);
  }

  close(): void {
    this.#closed = true;
    this.#discard();
    this.#abandon(closed());
  }

  async #handle(): Promise<WorkerHandle> {
    if (this.#closed) throw closed();
    const starting = (this.#starting ??= WorkerHandle.start(this.#options));
    try {
      const handle = await starting;
      // A replacement runs on the device that the first one chose, so the first one's reason stays the true one.
      if (this.#device?.kind !== handle.device.kind) this.#device = handle.device;
      this.#catalog = handle.catalog;
      return handle;
    } catch (error) {
      if (this.#starting === starting) this.#starting = undefined;
      throw error;
    }
  }

  #discard(): void {
    this.#engines += 1;
    // The next engine runs on the device that this one chose.
    if (this.#device) this.#options = { ...this.#options, device: this.#device.kind };
    void this.#starting?.then((handle) => {
      handle.terminate();
    });
    this.#starting = undefined;
  }

  /** Ends the worker and starts another on the same device, so that the next call finds it ready. */
  #replace(): void {
    this.#discard();
    this.#handle().catch(() => undefined);
  }

  #run(handle: WorkerHandle, call: Call, onProgress: RunOptions['onProgress'], signal: AbortSignal | undefined) {
    return new Promise<unknown>((resolve, reject) => {
      const id = this.#nextId++;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        handle.onMessage = () => undefined;
        this.#hold = () => undefined;
        finish();
      };
      this.#abandon = (error) => {
        settle(() => {
          reject(error);
        });
      };
      const cancel = () => {
        handle.send({ type: 'cancel' });
        timer = setTimeout(() => {
          this.#replace();
          settle(() => {
            reject(abortError());
          });
        }, CANCEL_MS);
      };
      handle.onMessage = (message: FromWorker) => {
        if (message.type === 'fatal') {
          this.#discard();
          settle(() => {
            reject(signal?.aborted ? abortError() : crash(message.message));
          });
        } else if (message.type === 'progress' && message.id === id) {
          if (!signal?.aborted) onProgress?.(message.progress);
        } else if (message.type === 'done' && message.id === id) {
          settle(() => {
            if (signal?.aborted) reject(abortError());
            else resolve(message.value);
          });
        } else if (message.type === 'failed' && message.id === id) {
          const cancelled = message.kind === 'cancelled' || signal?.aborted === true;
          if (!cancelled && POISONED.has(message.kind)) this.#discard();
          settle(() => {
            reject(cancelled ? abortError() : new CoppiceError(message.kind, message.message));
          });
        }
      };
      signal?.addEventListener('abort', cancel);
      this.#hold = (paused) => {
        handle.send({ type: paused ? 'pause' : 'resume' });
      };
      handle.send({ type: 'call', id, call });
    });
  }
}

function closed(): CoppiceError {
  return new CoppiceError('input', 'This Coppice was closed; start another one.');
}

/** The promise, or an `AbortError` once the signal was aborted and `grace` has passed. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, grace = 0): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => {
      setTimeout(() => {
        reject(abortError());
      }, grace);
    };
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
