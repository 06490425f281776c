import source from 'virtual:worker-source';
import wasmUrl from 'core.wasm?url';
import { CoppiceError } from './errors.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import type { Catalog, DeviceInfo, StartOptions } from './types.ts';

let compiled: Promise<WebAssembly.Module> | undefined;

/** Compiles the core once a page; every worker that is started gets the same module. */
async function compile(): Promise<WebAssembly.Module> {
  const response = await fetch(wasmUrl);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  // Some static hosts serve .wasm with another content type, which the streaming compiler refuses.
  const streams = response.headers.get('content-type') === 'application/wasm';
  return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

async function core(): Promise<WebAssembly.Module> {
  compiled ??= compile();
  try {
    return await compiled;
  } catch (error) {
    compiled = undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw new CoppiceError('io', `The program's WebAssembly part could not be loaded (${why}); reload the page.`);
  }
}

/** Turns whatever ended a worker into the sentence that its callers get. */
export function crash(what: string): CoppiceError {
  return new CoppiceError(
    'internal',
    `The engine stopped unexpectedly (${what}); your files are untouched and the next run starts a fresh engine.`,
  );
}

/** One worker with its engine running. */
export class WorkerHandle {
  readonly device: DeviceInfo;
  readonly catalog: Catalog;
  /** Receives every message, and a `fatal` one when the worker crashes. */
  onMessage: (message: FromWorker) => void = () => undefined;
  readonly #worker: Worker;

  private constructor(worker: Worker, device: DeviceInfo, catalog: Catalog) {
    this.#worker = worker;
    this.device = device;
    this.catalog = catalog;
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      this.onMessage(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.onMessage({ type: 'fatal', message: event.message || 'no reason was given' });
    };
  }

  /** Starts a worker and its engine on a device. */
  static async start({ device, memory }: StartOptions): Promise<WorkerHandle> {
    const module = await core();
    const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const worker = new Worker(address, { name: 'coppice' });
    try {
      const ready = await new Promise<Extract<FromWorker, { type: 'ready' }>>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
          if (data.type === 'ready') resolve(data);
          else if (data.type === 'failed') reject(new CoppiceError(data.kind, data.message));
          else if (data.type === 'fatal') reject(crash(data.message));
        };
        worker.onerror = (event) => {
          event.preventDefault();
          reject(crash(event.message || 'its worker did not start'));
        };
        worker.postMessage({ type: 'start', module, device: device ?? 'auto', memory } satisfies ToWorker);
      });
      return new WorkerHandle(worker, ready.device, ready.catalog);
    } catch (error) {
      worker.terminate();
      throw error;
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
