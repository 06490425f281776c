/** The worker: owns the WebAssembly core and, through it, the GPU. One call at a time; a cancel may come at any moment. */
import init, { Engine } from '#engine';
import type { Call, FromWorker, ToWorker } from '../lib/protocol.ts';
import type { Progress, TextSource } from '../lib/types.ts';

let engine: Engine | undefined;
/** A cancel that came while the texts of a call were still being read. */
let cancelled = false;
/** What lets a call go on that was paused while its texts were still being read. */
let release: (() => void) | undefined;
let paused = false;

function post(message: FromWorker): void {
  self.postMessage(message);
}

async function read(source: TextSource): Promise<string> {
  return typeof source === 'string' ? source : source.text();
}

async function perform(started: Engine, id: number, call: Call): Promise<unknown> {
  const onProgress = (progress: Progress) => {
    post({ type: 'progress', id, progress });
  };
  cancelled = paused = false;
  const gate = async () => {
    if (paused && !cancelled) await new Promise<void>((resolve) => (release = resolve));
    if (cancelled) throw Object.assign(new Error('The run was cancelled; nothing was written.'), { kind: 'cancelled' });
  };
  switch (call.method) {
    case 'inspect':
      return started.inspect(call.files);
    case 'estimate':
    case 'open_bench':
    case 'prune': {
      const calibration = await read(call.calibration);
      const evaluation = call.evaluation === undefined ? undefined : await read(call.evaluation);
      await gate();
      const texts = { calibration, evaluation };
      if (call.method === 'estimate') return started.estimate(call.files, call.recipe, texts);
      if (call.method === 'open_bench') return started.open_bench(call.bench, call.files, call.recipe, texts);
      return started.prune(call.files, call.recipe, texts, onProgress);
    }
    case 'attempt':
      return started.attempt(call.bench, call.recipe, call.evaluate, onProgress);
    case 'measure':
      return started.measure(call.bench, onProgress);
    case 'close_bench':
      started.close_bench(call.bench);
      return undefined;
    case 'evaluate': {
      const { files, task, limit, window, logits } = call;
      const data = await read(call.data);
      await gate();
      return started.evaluate(files, { task, data, limit, window, logits }, onProgress);
    }
    case 'begin_text':
      return started.begin_text(call.text, call.files, call.prompt, call.settings, onProgress);
    case 'next_token':
      return started.next_token(call.text);
    case 'end_text':
      started.end_text(call.text);
      return undefined;
  }
}

function describe(error: unknown): { kind: string; message: string } {
  // A trap of WebAssembly leaves the instance in an unknown state.
  if (error instanceof WebAssembly.RuntimeError)
    return { kind: 'internal', message: `The engine failed (${error.message}).` };
  const { kind, message } = error as { kind?: unknown; message?: unknown };
  return {
    kind: typeof kind === 'string' ? kind : 'internal',
    message: typeof message === 'string' ? message : String(error),
  };
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'cancel':
      cancelled = true;
      engine?.cancel();
      release?.();
      return;
    case 'pause':
      paused = true;
      engine?.pause();
      return;
    case 'resume':
      paused = false;
      engine?.resume();
      release?.();
      return;
  }
  const id = message.type === 'call' ? message.id : 0;
  try {
    if (message.type === 'start') {
      await init({ module_or_path: message.module });
      engine = await Engine.start(message.device, message.memory);
      post({ type: 'ready', device: engine.info(), catalog: engine.catalog() });
    } else if (engine) {
      post({ type: 'done', id, value: await perform(engine, id, message.call) });
    }
  } catch (error) {
    post({ type: 'failed', id, ...describe(error) });
  }
}

self.onmessage = (event: MessageEvent<ToWorker>) => void handle(event.data);

// A panic inside a future surfaces here, and no call would ever settle. The core's panic hook leaves its message behind.
function reportFatal(event: Event, message: string): void {
  event.preventDefault();
  const { coppicePanic } = self as { coppicePanic?: string };
  post({ type: 'fatal', message: coppicePanic ?? message });
}

self.addEventListener('error', (event) => {
  reportFatal(event, event.message);
});
self.addEventListener('unhandledrejection', (event) => {
  reportFatal(event, describe(event.reason).message);
});
