import type { Catalog } from '../../lib/coppice.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { WORDS as ATTEMPTS } from '../attempts/words.ts';
import { h } from '../dom.ts';
import { WORDS as RECIPE } from '../recipe/words.ts';
import { usedOf } from './facts.ts';
import { WORDS } from './words.ts';

/** What the figures do not say by themselves: where such a model is faster, and how sure they are. */
export function caveatsOf({ name, result, speed }: Attempt, catalog: Catalog | undefined): HTMLElement {
  const { recipe, quality_before: dense, quality_after: pruned, close_calls: calls } = result.report;
  const output = catalog?.outputs.find((one) => one.name === recipe.output.kind);
  const used = usedOf(pruned);
  const { method } = recipe;
  const sentences = [
    RECIPE.kinds[method.kind],
    output ? WORDS.output(output.title, output.summary) : '',
    recipe.output.pad ? WORDS.padded : '',
    method.kind === 'low_rank' && (method.sparse ?? 0) > 0 ? WORDS.singlesSlow : '',
    speed
      ? WORDS.measured(
          ATTEMPTS.measured(name, speed.ratio),
          ATTEMPTS.rates(speed.what, speed.dense, speed.pruned),
          speed.rounds,
          speed.device,
        )
      : WORDS.unmeasured,
    used ? WORDS.sample(used) : '',
    // The standard error of a share, on the dense model.
    dense?.task === 'classify' ? WORDS.noise(Math.sqrt((dense.accuracy * (1 - dense.accuracy)) / dense.examples)) : '',
    calls.length > 0 ? WORDS.closeCalls(calls.length) : '',
    WORDS.local,
  ].filter((sentence) => sentence !== '');
  return h(
    'section',
    { 'data-testid': 'report-caveats' },
    h('h2', {}, WORDS.caveats),
    h('ul', {}, ...sentences.map((sentence) => h('li', {}, sentence))),
  );
}
