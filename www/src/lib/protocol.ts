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
    };

export type ToWorker =
  | { type: 'start'; module: WebAssembly.Module; device: DevicePreference; memory: number | undefined }
  | { type: 'call'; id: number; call: Call }
  | { type: 'cancel' };

export type FromWorker =
  | { type: 'ready'; device: DeviceInfo; catalog: Catalog }
  | { type: 'progress'; id: number; progress: Progress }
  | { type: 'done'; id: number; value: unknown }
  | { type: 'failed'; id: number; kind: string; message: string }
  /** The engine can no longer be used. */
  | { type: 'fatal'; message: string };
