/** Which device a person asks for. */
export type DevicePreference = 'auto' | 'gpu' | 'cpu';

/** How an engine is started. */
export interface StartOptions {
  /** `auto`, the default, takes the faster one by a quick measurement. */
  device?: DevicePreference;
  /** Bytes that a run may use on the device; by default 2 GiB. What a run keeps beyond that goes elsewhere. */
  memory?: number;
}

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
  /** Bytes on the device at this moment, and of the WebAssembly heap, which only grows. */
  device_bytes?: number;
  heap_bytes?: number | null;
}

/** One entry of a menu that the core declares. */
export interface Choice {
  name: string;
  title: string;
  summary: string;
  /** Fields of the recipe's method that go with it. */
  options?: string[];
  /** Kinds of methods that it goes with; all, where nothing is said. */
  methods?: string[];
  /** The ratio that it prescribes, if it does. */
  share?: number;
}

/** Everything that a recipe can name. */
export interface Catalog {
  criteria: Choice[];
  allocations: Choice[];
  reconstructions: Choice[];
  /** Criteria, patterns, allocations and updates of single weights. */
  weight_criteria: Choice[];
  patterns: Choice[];
  sparsity_allocations: Choice[];
  /** Allocations to layers, beside one to rows. */
  layer_budgets: Choice[];
  updates: Choice[];
  /** Factorisations and allocations of ranks, where the engine lowers ranks. */
  factorisations?: Choice[];
  rank_allocations?: Choice[];
  outputs: Choice[];
}

/** What is known of a model from its config and tensor headers alone. */
export interface Inspection {
  family: string;
  class: string;
  /** `classifier`, `masked_lm`, `causal_lm` or `none`. */
  head: string;
  labels: string[];
  hidden: number;
  head_dim: number;
  vocabulary: number;
  positions: number;
  /** Units of each layer; of heads, the key/value heads where several queries share one. */
  layers: { heads: number; neurons: number }[];
  parameters: number;
  /** Parameters of the blocks' linear layers, which ratios refer to. */
  linear_parameters: number;
  bytes: number;
  /** Number of tensors by element type. */
  dtypes: Record<string, number>;
  /** Units that a stock config can express with fewer of. */
  stock_units: string[];
  /** Whether there is a tokenizer that Coppice reads. */
  tokenizer: boolean;
  /** What to try first on this model. */
  recommended?: { method: Omit<StructuredMethod, 'kind'>; sequences: number; length: number };
}

/** How the kept weights are repaired. */
export interface RepairRecipe {
  reconstruction: string;
  /** Damping, or `auto`: the best on held-out text, for each layer. */
  ridge?: number | 'auto';
  /** Whether a bias takes part; it does where nothing else is said. */
  affine?: boolean;
  error_aware: boolean;
  /** What an error-aware repair aims at; `residual` where nothing else is said. */
  target?: 'residual' | 'output';
}

export interface StructuredMethod extends RepairRecipe {
  kind: 'structured';
  units: string[];
  criterion: string;
  allocation: string;
  ratio: number;
  /** Options of the criterion, where it has some. */
  swaps?: number;
  /** Share of each layer's neurons that is scored exactly, 1 where nothing else is said. */
  screen?: number;
  score_sequences?: number;
  /** Share of a layer's units that stays at least, where the allocation gives layers widths of their own. */
  floor?: number;
}

/** Sets single weights to zero. */
export interface SparseMethod {
  kind: 'sparse';
  criterion: string;
  pattern: string;
  allocation: string;
  /** Beside an allocation to rows, the one to layers. */
  layer_budgets?: string;
  ratio: number;
  update: string;
}

/** Replaces weights by products of two narrow matrices. */
export interface LowRankMethod {
  kind: 'low_rank';
  factorisation: string;
  allocation: string;
  ratio: number;
  /** Share of the uniform rank that every layer keeps, where the allocation weighs. */
  floor?: number;
  /** Whether layers that read the same share the factor that reads it. */
  joint?: boolean;
  /** Share of what a lowered layer keeps that is spent on single weights. */
  sparse?: number;
}

/** Keeps the units that a plan lists. */
export interface PlanMethod extends RepairRecipe {
  kind: 'plan';
  plan: Plan;
}

/** What to do; see src/recipe.rs. The command reads the same. */
export interface Recipe {
  version: 1;
  calibration: { source: string; sequences: number; length: number; seed: number };
  method: StructuredMethod | SparseMethod | LowRankMethod | PlanMethod;
  output: { kind: string; dtype: string; pad: boolean };
  /** What the model is compared on; the text itself is handed over beside the recipe. */
  evaluation?: {
    source: string;
    /** At most so many examples; tokens, for a decoder. */
    limit?: number;
    /** Tokens in a window, for a decoder. */
    window?: number;
  };
}

/** How good a model is. */
export type Measure =
  | {
      task: 'classify';
      accuracy: number;
      examples: number;
      /** Mean Kullback-Leibler divergence from the dense model, nats. */
      kl?: number;
      /** Share of examples with the dense model's prediction. */
      agreement?: number;
    }
  /** `distance` is 1 - mean cosine similarity of the hidden states to the dense model's. */
  | { task: 'features'; examples: number; distance?: number }
  | {
      task: 'perplexity';
      /** exp of the mean negative log-likelihood of the tokens that count. */
      perplexity: number;
      /** Tokens that count: all but the first of each window. */
      tokens: number;
      window: number;
      /** Share of them that have the largest logit. */
      token_accuracy: number;
      /** Mean Kullback-Leibler divergence from the dense model a token, nats. */
      kl?: number;
    };

/** What was done to one kind of unit of a layer. */
export interface UnitOutcome {
  kept: number;
  of: number;
  /** Repair of the layer that reads these units; absent where nothing was removed. */
  repair?: string;
  /** The repair that was asked for, where it is another, and why. */
  fell_back_from?: string;
  reason?: string;
  /** Relative squared error of that layer's output on held-out text, without the repair and with it. */
  error_without?: number;
  error_with?: number;
}

/** What was done to one linear layer, where single weights or ranks went. */
export interface LinearOutcome {
  /** Name of its weight. */
  tensor: string;
  /** Names of the weights of further layers that share a factor with it; all else here is of all of them together. */
  with?: string[];
  /** Outputs and inputs. */
  shape: [number, number];
  /** Parameters that are left: weights that are not zero, or both factors and the single weights beside them. */
  kept: number;
  /** The rank that is left, where it is a product now. */
  rank?: number;
  /** Of what is left, single weights beside the product. */
  singles?: number;
  /** Relative squared error of its output on the calibration text, before and after the weights that stay were updated. */
  error?: number;
  error_after?: number;
}

export interface Size {
  linear_parameters: number;
  parameters: number;
  bytes: number;
  flops_per_token: number;
}

/** Statistics and hidden states that wait between steps, in bytes, by where they are. */
export interface Tiers {
  device: number;
  memory: number;
  /** In the origin's private file system, until the run ends. */
  disk: number;
}

/** What a run will need, as far as can be told before it starts; see src/job/estimate.rs. */
export interface Estimate {
  /** Most bytes on the device. */
  device_bytes: number;
  budget_bytes: number;
  /** Most bytes on the host beside the device, without what is kept: of the WebAssembly heap. */
  host_bytes: number;
  kept: Tiers;
  flops: number;
  /** Floating-point operations a second, by a quick measurement. */
  speed: number;
  seconds: number;
  /** Where that time goes; `evaluate` is the comparison before and after together. */
  steps?: { calibrate: number; score: number; reconstruct: number; evaluate: number };
}

/** Wall time of a run, in all and by phase. */
export interface Seconds {
  evaluate_dense: number;
  calibrate: number;
  score: number;
  reconstruct: number;
  export: number;
  evaluate_pruned: number;
  /** All of it, as if this recipe were the first on its model. */
  total: number;
  /** What this recipe took itself, without what an earlier one on the same open model had collected, scored or measured. */
  own: number;
}

/** report.json; see src/job/report.rs. */
export interface Report {
  device: DeviceInfo;
  /** What was used of the calibration text: lines (of one stream, windows) that it has, sequences that were drawn, and the tokens in them. */
  calibration?: { lines: number; sequences: number; tokens: number; longest: number };
  /** Shares that were removed; `asked_of` says which of them `asked` is. `latency` is there where the allocation measured times. */
  ratio: {
    asked?: number;
    asked_of?: 'linear' | 'flops' | 'latency';
    linear: number;
    parameters: number;
    flops: number;
    latency?: number;
    bytes: number;
  };
  before: Size;
  after: Size;
  quality_before?: Measure;
  quality_after?: Measure;
  layers: { heads: UnitOutcome; neurons: UnitOutcome }[];
  /** What was done to each linear layer, where single weights or ranks went. */
  linears?: LinearOutcome[];
  /** `layer` is absent where a channel runs through all of them. */
  close_calls: { layer?: number; unit: string; index: number; kept: boolean }[];
  /** Scores of each layer's units, where a criterion gave them; the larger, the more a unit matters. */
  scores?: { heads?: number[]; neurons?: number[] }[];
  /** Units and seconds of a block's sublayers over a batch of so many tokens, where the allocation measured them. */
  latency?: { tokens: number; heads: [number, number][]; neurons: [number, number][] };
  /** How far the model's answers move when one sublayer is pruned alone, where the allocation probed that. */
  probes?: { layer: number; unit: string; kept: number; of: number; distance: number }[];
  notes: string[];
  recipe: Recipe;
  /** By phase, pauses included. */
  seconds: Seconds;
  /** Most bytes at any one time: on the device, kept between steps, and of the WebAssembly heap. */
  memory: { device: number; budget: number; kept: Tiers; heap?: number };
}

/** plan.json: which units stay. */
export interface Plan {
  version: 1;
  /** A layer without heads and neurons is removed whole. */
  layers: { heads: number[]; neurons: number[] }[];
  /** Kept channels of the residual stream, where some are removed. */
  hidden?: number[];
}

/** What a model gave on some text. */
export interface Evaluation {
  task: string;
  accuracy?: number;
  /** Number of sentences, where the task has sentences. */
  examples?: number;
  perplexity?: number;
  /** Tokens that count, for `features` and `perplexity`. */
  tokens?: number;
  /** Tokens in a window, for `perplexity`. */
  window?: number;
  /** Share of the tokens that count whose logit is the largest, for `perplexity`. */
  token_accuracy?: number;
  /** Logits or hidden states behind it, row-major, each row `width` long; for `perplexity` only where asked for. */
  values: Float32Array;
  width: number;
}

/** A file with its name: a `File`, or a `Blob` that was given one. */
export type NamedBlob = File | (Blob & { readonly name: string });

/** What a pruning run gives back. `files` can be saved, or given to Coppice again. */
export interface PruneResult {
  report: Report;
  plan: Plan;
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
  /** Text to compare the model on, before and after: labelled lines, `sentence<TAB>label`; plain text for a decoder. */
  evaluation?: TextSource | undefined;
}

/** Why a text ended. */
export type Ending =
  /** The last token is one that ends texts. */
  | 'stop_token'
  | 'stop_text'
  | 'max_tokens'
  /** Prompt and text have as many tokens as the model has positions. */
  | 'context_full'
  /** Its reader stopped it. */
  | 'stopped';

/** A generated token. */
export interface Token {
  id: number;
  /** Text that is certain with it; empty while a character or a stop string may be unfinished. */
  text: string;
  /** Seconds that the engine spent on it; the first takes the prompt along. */
  seconds: number;
  /** With the last token: why the text ended. */
  ending?: Ending;
}

export interface GenerateOptions extends RunOptions {
  /** Text to go on from. */
  prompt: string;
  /** Most tokens; 128 where nothing is said. */
  maxTokens?: number | undefined;
  /** 0, the default, takes the most probable token each time; higher draws more freely. */
  temperature?: number | undefined;
  /** Draws from so many of the most probable tokens only; 0, the default, is no limit. */
  topK?: number | undefined;
  /** Draws from the most probable tokens that together have this probability only; 1, the default, is no limit. */
  topP?: number | undefined;
  /** Seed of the draws. */
  seed?: number | undefined;
  /** Strings that end the text before them. */
  stop?: readonly string[] | undefined;
  /** Tokens that end the text, beside those that the model's folder names. */
  stopTokens?: readonly number[] | undefined;
}

export interface AttemptOptions extends RunOptions {
  /** Whether the result is measured on the evaluation text, before and after; it is, where nothing is said. */
  evaluate?: boolean | undefined;
}

export interface EvaluateOptions extends RunOptions {
  task: 'classify' | 'features' | 'perplexity';
  /** Labelled lines, plain lines of text, or for `perplexity` a text that is read as one stream. */
  data: TextSource;
  /** At most so many examples; tokens, for `perplexity`. */
  limit?: number | undefined;
  /** Tokens in a window, for `perplexity`; at most the model's positions. */
  window?: number | undefined;
  /** Whether `perplexity` gives the logits of every token too: vocabulary times tokens of them, so ask for few windows. */
  logits?: boolean | undefined;
}
