import type { Coppice, NamedBlob } from '../../lib/coppice.ts';
import { type Attempt, nameOfDevice, type Speed, taskOf } from './attempt.ts';
import { WORDS } from './words.ts';

/** Rounds of an encoder; each model reads the sentences once a round. */
const ROUNDS = 5;
/** Sentences of a round. */
const SENTENCES = 32;
/** Tokens that a decoder writes in a round, the first of which takes the prompt along and does not count. */
const TOKENS = 25;
/** Tokens that count, of each model. */
const ENOUGH = 48;

/**
 * Measures the dense and the pruned model in turns on the engine's device. A decoder's token is timed by the engine; the two take turns by
 * the token, and the median counts, which a hiccup of the machine does not move. An encoder is timed by the clock around `evaluate`, after one
 * round that does not count.
 */
export async function measureSpeed(
  coppice: Coppice,
  attempt: Attempt,
  signal: AbortSignal,
  onRound: (round: number, rounds: number) => void,
): Promise<Speed> {
  const { subject, result } = attempt;
  const models = [subject.files, result.files] as const;
  const decoder = taskOf(subject) === 'decoder';
  const [dense, pruned, rounds] = decoder
    ? await tokens(coppice, models, subject.prompt, signal, onRound)
    : await sentences(coppice, models, attempt, signal, onRound);
  return { what: decoder ? 'tokens' : 'sentences', dense, pruned, rounds, device: nameOfDevice(coppice.device) };
}

type Models = readonly [readonly NamedBlob[], readonly NamedBlob[]];
type OnRound = (round: number, rounds: number) => void;

async function tokens(coppice: Coppice, models: Models, prompt: string, signal: AbortSignal, onRound: OnRound) {
  const seconds: [number[], number[]] = [[], []];
  const most = Math.ceil(ENOUGH / (TOKENS - 1));
  let round = 0;
  // A text may end early by itself; twice as many rounds are enough for any that does not end at once.
  for (; round < 2 * most && Math.min(...seconds.map(({ length }) => length)) < ENOUGH; round += 1) {
    onRound(Math.min(round + 1, most), most);
    const options = { prompt, maxTokens: TOKENS, temperature: 1, seed: round, signal };
    const texts = models.map((files) => coppice.generate(files, options));
    try {
      for (let token = 0; ; token += 1) {
        const steps = [];
        // One after the other, so that neither waits on the device for its turn.
        for (const text of texts) steps.push(await text.next());
        if (steps.some(({ done }) => done === true)) break;
        for (const [which, { value }] of steps.entries())
          if (token > 0 && value) seconds[which as 0 | 1].push(value.seconds);
      }
    } finally {
      await Promise.all(texts.map((text) => text.return()));
    }
  }
  if (seconds.some(({ length }) => length === 0)) throw new Error(WORDS.noTokens);
  return [1 / median(seconds[0]), 1 / median(seconds[1]), round] as const;
}

async function sentences(coppice: Coppice, models: Models, attempt: Attempt, signal: AbortSignal, onRound: OnRound) {
  if (!attempt.evaluation) throw new Error(WORDS.noSentences);
  const task = taskOf(attempt.subject) === 'classifier' ? 'classify' : 'features';
  const options = { task, data: attempt.evaluation, limit: SENTENCES, signal } as const;
  const seconds: [number[], number[]] = [[], []];
  let read = SENTENCES;
  for (let round = 0; round <= ROUNDS; round += 1) {
    onRound(Math.max(round, 1), ROUNDS);
    for (const which of [0, 1] as const) {
      const start = performance.now();
      const { examples } = await coppice.evaluate(models[which], options);
      read = examples ?? read;
      if (round > 0) seconds[which].push((performance.now() - start) / 1000);
    }
  }
  return [read / median(seconds[0]), read / median(seconds[1]), ROUNDS] as const;
}

/** The middle one; of an even number, the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? NaN : (low + high) / 2;
}
