import type { Inspection } from '../lib/types.ts';

/** What a person is offered first. Encoders read lines, decoders one stream of tokens. */
export const SET = {
  encoder: { sequences: 512, length: 128, limit: 872, window: 0 },
  decoder: { sequences: 64, length: 256, limit: 10_000, window: 256 },
} as const;

/** Whether a unit of attention is a key/value head with the query heads that read it. */
export function sharesKeys({ family }: Inspection): boolean {
  return family === 'llama' || family === 'qwen2';
}

/** Whether the model predicts the next token. */
export function isDecoder({ head }: Inspection): boolean {
  return head === 'causal_lm';
}
