/** What `#engine` is: the glue that wasm-bindgen writes, or the tests' stand-in (see vite.config.ts). */
import type { SentFile, TextSettings } from '../lib/protocol.ts';
import type { Catalog, DeviceInfo, Progress } from '../lib/types.ts';

type OnProgress = (progress: Progress) => void;

/** Instantiates the compiled module. */
export default function init(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;

/** The WebAssembly surface of the core (src/web.rs). Failures are rejections with `{kind, message}`. */
export class Engine {
  private constructor();
  static start(device: string, memory?: number): Promise<Engine>;
  info(): DeviceInfo;
  catalog(): Catalog;
  inspect(files: SentFile[]): Promise<unknown>;
  estimate(
    files: SentFile[],
    recipe: unknown,
    texts: { calibration: string; evaluation: string | undefined },
  ): Promise<unknown>;
  prune(
    files: SentFile[],
    recipe: unknown,
    texts: { calibration: string; evaluation: string | undefined },
    onProgress: OnProgress,
  ): Promise<unknown>;
  open_bench(
    bench: number,
    files: SentFile[],
    recipe: unknown,
    texts: { calibration: string; evaluation: string | undefined },
  ): Promise<void>;
  attempt(bench: number, recipe: unknown, evaluate: boolean, onProgress: OnProgress): Promise<unknown>;
  measure(bench: number, onProgress: OnProgress): Promise<unknown>;
  close_bench(bench: number): void;
  evaluate(
    files: SentFile[],
    options: {
      task: string;
      data: string;
      limit: number | undefined;
      window: number | undefined;
      logits: boolean | undefined;
    },
    onProgress: OnProgress,
  ): Promise<unknown>;
  begin_text(
    text: number,
    files: SentFile[],
    prompt: string,
    settings: TextSettings,
    onProgress: OnProgress,
  ): Promise<number>;
  next_token(text: number): Promise<unknown>;
  end_text(text: number): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}
