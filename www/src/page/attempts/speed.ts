import type { Coppice, Generation, NamedBlob } from '../../lib/coppice.ts';
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
  const { many, pairs, rounds } = decoder
    ? await tokens(coppice, models, subject.prompt, signal, onRound)
    : await sentences(coppice, models, attempt, signal, onRound);
  return {
    what: decoder ? 'tokens' : 'sentences',
    dense: many / median(pairs.map(([dense]) => dense)),
    pruned: many / median(pairs.map(([, pruned]) => pruned)),
    ratio: median(pairs.map(([dense, pruned]) => dense / pruned)),
    rounds,
    device: nameOfDevice(coppice.device),
  };
}

type Models = readonly [readonly NamedBlob[], readonly NamedBlob[]];
type OnRound = (round: number, rounds: number) => void;

/** Seconds of the dense and the pruned model for as many tokens or sentences. */
interface Times {
  many: number;
  pairs: [number, number][];
  rounds: number;
}

async function tokens(
  coppice: Coppice,
  models: Models,
  prompt: string,
  signal: AbortSignal,
  onRound: OnRound,
): Promise<Times> {
  const pairs: Times['pairs'] = [];
  const most = Math.ceil(ENOUGH / (TOKENS - 1));
  let round = 0;
  // A text may end early by itself; twice as many rounds are enough for any that does not end at once.
  for (; round < 2 * most && pairs.length < ENOUGH; round += 1) {
    onRound(Math.min(round + 1, most), most);
    const options = { prompt, maxTokens: TOKENS, temperature: 1, seed: round, signal };
    const [dense, pruned] = models.map((files) => coppice.generate(files, options)) as [Generation, Generation];
    try {
      for (let token = 0; ; token += 1) {
        // One after the other, so that neither waits on the device for its turn.
        const one = await dense.next();
        const other = await pruned.next();
        if (one.done || other.done) break;
        if (token > 0) pairs.push([one.value.seconds, other.value.seconds]);
      }
    } finally {
      await Promise.all([dense.return(), pruned.return()]);
    }
  }
  if (pairs.length === 0) throw new Error(WORDS.noTokens);
  return { many: 1, pairs, rounds: round };
}

async function sentences(
  coppice: Coppice,
  models: Models,
  attempt: Attempt,
  signal: AbortSignal,
  onRound: OnRound,
): Promise<Times> {
  if (!attempt.evaluation) throw new Error(WORDS.noSentences);
  const task = taskOf(attempt.subject) === 'classifier' ? 'classify' : 'features';
  const options = { task, data: attempt.evaluation, limit: SENTENCES, signal } as const;
  const pairs: Times['pairs'] = [];
  let many = SENTENCES;
  const timed = async (files: readonly NamedBlob[]) => {
    const start = performance.now();
    const { examples } = await coppice.evaluate(files, options);
    many = examples ?? many;
    return (performance.now() - start) / 1000;
  };
  for (let round = 0; round <= ROUNDS; round += 1) {
    onRound(Math.max(round, 1), ROUNDS);
    const pair: [number, number] = [await timed(models[0]), await timed(models[1])];
    if (round > 0) pairs.push(pair);
  }
  return { many, pairs, rounds: ROUNDS };
}

/** The middle one; of an even number, the mean of the two. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}
