import { spread } from '../../format.ts';
import { pruning, ratioOf } from '../runs.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { action, apart, qualityOf, say, table, titlesOf } from './parts.ts';

const { run: words } = WORDS.steps;

/** The first run of the walk, and what came of it. */
export function run({ subject, page, runs, start }: Walking): Node[] {
  if (!subject) return [say(WORDS.steps.units.none)];
  const { inspection } = subject;
  const button = action(
    runs.main ? words.again : words.button,
    'walk-run',
    () => {
      start([['main', () => pruning(page, inspection, 'main')]]);
    },
    !runs.main,
  );
  const first = [say(words.what(ratioOf(inspection, 'main')))];
  if (!runs.main) return [...first, say(words.small), button];
  const { report } = runs.main.result;
  const kept = report.layers.map(({ neurons }) => neurons.kept);
  const of = report.layers.map(({ neurons }) => neurons.of);
  const { columns, dense, names } = WORDS.steps.repair;
  return [
    ...first,
    say(words.kept(spread(kept), spread(of))),
    table(
      words.title,
      columns(...titlesOf(report.quality_after)),
      [
        [dense, qualityOf(report.quality_before), WORDS.kl(0)],
        [names.liar, qualityOf(report.quality_after), apart(report.quality_after)],
      ],
      'walk-result',
    ),
    say(words.seconds(report.seconds.total, report.device.kind === 'gpu' ? 'GPU' : 'CPU')),
    say(words.listed),
    button,
  ];
}
