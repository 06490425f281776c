import type { Inspection, Report } from '../../lib/types.ts';
import { sharesKeys } from '../kind.ts';

/** What a block's linear layers look like, beside the widths that an inspection tells. */
export interface Shape {
  hidden: number;
  headDim: number;
  /** Query heads of one unit of attention: 1, or a group's. */
  queries: number;
  /** Matrices of an FFN: 3 where it has a gate. */
  matrices: 2 | 3;
  /** Which linear layers have biases. */
  biases: Biases;
}

interface Biases {
  inputs: boolean;
  output: boolean;
  ffn: boolean;
}

/** More query heads than this never share one key. */
const MOST_QUERIES = 128;
const ALL: Biases = { inputs: true, output: true, ffn: true };

/**
 * The one shape of the model's family whose linear layers have exactly the parameters that the inspection counted; nothing
 * where none has, as for a factored model. An inspection says neither how many queries share a key nor where biases are.
 */
export function shapeOf(model: Inspection): Shape | undefined {
  for (const biases of biasesOf(model.family)) {
    for (let queries = 1; queries <= (sharesKeys(model) ? MOST_QUERIES : 1); queries += 1) {
      const matrices = sharesKeys(model) ? 3 : 2;
      const shape: Shape = { hidden: model.hidden, headDim: model.head_dim, queries, matrices, biases };
      const sum = model.layers.reduce((all, { heads, neurons }) => all + parameters(shape, heads, neurons).both, 0);
      if (sum === model.linear_parameters) return shape;
    }
  }
  return undefined;
}

function biasesOf(family: string): Biases[] {
  if (family === 'qwen2') return [{ inputs: true, output: false, ffn: false }];
  if (family !== 'llama') return [ALL];
  return [false, true].flatMap((ffn) =>
    [false, true].map((attention) => ({ inputs: attention, output: attention, ffn })),
  );
}

/** Parameters of a layer's linear layers, biases included, in a residual stream of width `hidden`. */
export function parameters(
  { headDim, queries, matrices, biases, hidden: dense }: Shape,
  heads: number,
  neurons: number,
  hidden = dense,
): { attention: number; ffn: number; both: number } {
  if (heads + neurons === 0) return { attention: 0, ffn: 0, both: 0 };
  const [q, kv] = [heads * queries * headDim, heads * headDim];
  const bias = (there: boolean, width: number) => (there ? width : 0);
  const attention = hidden * 2 * (q + kv) + bias(biases.inputs, q + 2 * kv) + bias(biases.output, hidden);
  const ffn = hidden * neurons * matrices + bias(biases.ffn, (matrices - 1) * neurons + hidden);
  return { attention, ffn, both: attention + ffn };
}

/** Floating-point operations a token of one layer: two a weight, and four a channel of context and token that is seen. */
export function flops(shape: Shape, heads: number, neurons: number, seen: number, hidden = shape.hidden): number {
  return 2 * parameters(shape, heads, neurons, hidden).both + 4 * seen * heads * shape.queries * shape.headDim;
}

/** Tokens that a token sees in the mean, from what the report says of the dense model's operations. */
export function tokensSeen(shape: Shape, model: Inspection, { before }: Report): number {
  const channels = model.layers.reduce((all, { heads }) => all + heads * shape.queries * shape.headDim, 0);
  const rest = before.flops_per_token - 2 * before.linear_parameters;
  return channels > 0 && rest > 0 ? rest / (4 * channels) : 0;
}
