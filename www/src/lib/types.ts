/** Which device a person asks for. */
export type DevicePreference = 'auto' | 'gpu' | 'cpu';

/** What runs the work, and why. */
export interface DeviceInfo {
  kind: 'gpu' | 'cpu';
  name: string;
  backend: string;
  /** Whether the GPU adapter is a program on the CPU. */
  software: boolean;
  why: string;
}

export type Phase = 'open' | 'evaluate_dense' | 'calibrate' | 'score' | 'reconstruct' | 'export' | 'evaluate_pruned';

export interface Progress {
  phase: Phase;
  /** Layer being worked on, from 0. */
  layer?: number | null;
  layers: number;
  /** Share of the phase that is done, 0 to 1. */
  fraction: number;
}

/** One entry of a menu that the core declares. */
export interface Choice {
  name: string;
  title: string;
  summary: string;
}

/** Everything that a recipe can name. */
export interface Catalog {
  criteria: Choice[];
  allocations: Choice[];
  reconstructions: Choice[];
  outputs: Choice[];
}

/** What is known of a model from its config and tensor headers alone. */
export interface Inspection {
  family: string;
  class: string;
  hidden: number;
  vocabulary: number;
  positions: number;
  /** Heads of each layer. */
  heads: number[];
  head_dim: number;
  /** FFN neurons of each layer. */
  neurons: number[];
  head: string;
  labels: string[];
  parameters: number;
  /** Parameters of the blocks' linear layers, which ratios refer to. */
  linear_parameters: number;
  bytes: number;
  dtypes: string[];
  /** Units that a stock config can express with fewer of. */
  stock_units: string[];
}

export interface Recipe {
  version: 1;
  calibration: { source: string; sequences: number; length: number; seed: number };
  method: {
    kind: 'structured';
    units: string[];
    criterion: string;
    allocation: string;
    ratio: number;
    reconstruction: string;
    ridge: number;
    error_aware: boolean;
  };
  output: { kind: string; dtype: string; pad: boolean };
}

/** A labelled measurement of one model. */
export interface Evaluation {
  task: string;
  accuracy?: number | null;
  perplexity?: number | null;
  examples: number;
  /** Mean Kullback-Leibler divergence to the dense model, nats. */
  kl?: number | null;
}

export interface LayerReport {
  heads: { before: number; kept: number[] };
  neurons: { before: number; kept: number[] };
}

export interface Report {
  device: DeviceInfo;
  seconds: number;
  parameters: { before: number; after: number };
  /** Share of the blocks' linear parameters that was asked for and reached. */
  ratio: { asked: number; realised: number };
  bytes: { before: number; after: number };
  output: string;
  layers: LayerReport[];
  dense?: Evaluation | null;
  pruned?: Evaluation | null;
  warnings: string[];
  close_calls: string[];
}

/** A file with its name: a `File`, or a `Blob` that was given one. */
export type NamedBlob = File | (Blob & { readonly name: string });

/** What a pruning run gives back. `files` can be saved, or given to Coppice again. */
export interface PruneResult {
  report: Report;
  plan: unknown;
  files: File[];
}

/** Text to read: the text itself, or a file that holds it. */
export type TextSource = string | Blob;

export interface RunOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface PruneOptions extends RunOptions {
  calibration: TextSource;
  /** Labelled lines, `sentence<TAB>label`, to compare the model before and after. */
  evaluation?: TextSource | undefined;
}

export interface EvaluateOptions extends RunOptions {
  task: 'classify' | 'perplexity';
  data: TextSource;
  /** Tokens of a perplexity window. */
  window?: number | undefined;
  /** At most so many examples. */
  limit?: number | undefined;
}
