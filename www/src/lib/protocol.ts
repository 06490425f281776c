import type { Catalog, DeviceInfo, DevicePreference, Progress, Recipe, TextSource } from './types.ts';

/** A model file as it goes to the worker: the blob is a reference, no bytes are copied. */
export interface SentFile {
  name: string;
  blob: Blob;
}

/** What the worker can be asked to do, with arguments. */
export type Call =
  | { method: 'inspect'; files: SentFile[] }
  | {
      method: 'estimate';
      files: SentFile[];
      recipe: Recipe;
      calibration: TextSource;
      evaluation: TextSource | undefined;
    }
  | { method: 'prune'; files: SentFile[]; recipe: Recipe; calibration: TextSource; evaluation: TextSource | undefined }
  | {
      method: 'evaluate';
      files: SentFile[];
      task: string;
      data: TextSource;
      limit: number | undefined;
      window: number | undefined;
      logits: boolean | undefined;
    }
  /** Models that are kept open are numbered by the page, as texts are. */
  | {
      method: 'open_bench';
      bench: number;
      files: SentFile[];
      recipe: Recipe;
      calibration: TextSource;
      evaluation: TextSource | undefined;
    }
  | { method: 'attempt'; bench: number; recipe: Recipe; evaluate: boolean }
  | { method: 'measure'; bench: number }
  | { method: 'close_bench'; bench: number }
  /** Texts are numbered by the page, never twice, so that an engine that was replaced cannot mistake one for another. */
  | { method: 'begin_text'; text: number; files: SentFile[]; prompt: string; settings: TextSettings }
  | { method: 'next_token'; text: number }
  | { method: 'end_text'; text: number };

/** How a text is generated, as the core spells it; what is not there has its default. */
export interface TextSettings {
  max_tokens: number | undefined;
  temperature: number | undefined;
  top_k: number | undefined;
  top_p: number | undefined;
  seed: number | undefined;
  stop: readonly string[] | undefined;
  stop_tokens: readonly number[] | undefined;
}

export type ToWorker =
  | { type: 'start'; module: WebAssembly.Module; device: DevicePreference; memory: number | undefined }
  | { type: 'call'; id: number; call: Call }
  | { type: 'cancel' }
  /** Holds the call under way at its next check, or lets it go on. */
  | { type: 'pause' }
  | { type: 'resume' };

export type FromWorker =
  | { type: 'ready'; device: DeviceInfo; catalog: Catalog }
  | { type: 'progress'; id: number; progress: Progress }
  | { type: 'done'; id: number; value: unknown }
  | { type: 'failed'; id: number; kind: string; message: string }
  /** The engine can no longer be used. */
  | { type: 'fatal'; message: string };
