import { count } from '../../format.ts';
import { divergence } from '../facts.ts';
import { pruning, type Runs } from '../runs.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { action, apart, qualityOf, say, table, titlesOf } from './parts.ts';

const { ratio: words } = WORDS.steps;

/** What more costs. */
export function ratio({ subject, runs, page, start }: Walking): Node[] {
  if (!subject || !runs.main) return [say(WORDS.steps.score.needs)];
  const { inspection } = subject;
  const all = runs.smaller && runs.larger;
  const button = action(words.button, 'walk-ratios', () => {
    start([
      ['smaller', () => pruning(page, inspection, 'smaller')],
      ['larger', () => pruning(page, inspection, 'larger')],
    ]);
  });
  return [say(words.what), listed(runs), ...(all ? [say(slopes(runs))] : [button]), say(words.form)];
}

function listed(runs: Runs): HTMLElement {
  const { main } = runs;
  const reports = [runs.smaller, main, runs.larger].flatMap((one) => (one ? [one.result.report] : []));
  const { before, quality_before: dense } = main?.result.report ?? {};
  const rows = reports.map(({ ratio: { linear }, after, quality_after: measure }) => [
    WORDS.share(linear),
    count(after.parameters),
    qualityOf(measure),
    apart(measure),
  ]);
  const first = [WORDS.share(0), count(before?.parameters ?? 0), qualityOf(dense), dense ? WORDS.kl(0) : WORDS.unknown];
  return table(words.title, words.columns(...titlesOf(dense)), [first, ...rows], 'walk-slopes');
}

/** Whether a point of the ratio costs more in the upper part than in the lower. */
function slopes({ main, larger }: Runs): string {
  const [middle, most] = [main?.result.report, larger?.result.report];
  const [near, far] = [divergence(middle?.quality_after), divergence(most?.quality_after)];
  if (!middle || !most || near === undefined || far === undefined) return '';
  const lower = near / middle.ratio.linear;
  const upper = (far - near) / (most.ratio.linear - middle.ratio.linear);
  const [from, to] = [WORDS.share(middle.ratio.linear), WORDS.share(most.ratio.linear)];
  return upper > lower && lower > 0 ? words.steeper(from, to, upper / lower) : words.notSteeper(from, to);
}
