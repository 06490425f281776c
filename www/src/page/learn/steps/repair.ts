import { h } from '../../dom.ts';
import { percent } from '../../format.ts';
import { divergence, ffnErrors } from '../facts.ts';
import { formula } from '../formula.ts';
import { type Runs, repairing } from '../runs.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { action, apart, qualityOf, say, table, titlesOf } from './parts.ts';

const { repair: words } = WORDS.steps;

/** Repairs from the weakest, under the names of the runs that have them. */
const ORDER = [
  ['none', 'none'],
  ['bias', 'bias'],
  ['liar', 'main'],
] as const;

/** One plan with three repairs. */
export function repair({ runs, page, start }: Walking): Node[] {
  const { main } = runs;
  if (!main) return [say(WORDS.steps.score.needs)];
  const both = runs.none && runs.bias;
  const button = action(
    words.button,
    'walk-repairs',
    () => {
      start([
        ['none', () => repairing(page, main, 'none')],
        ['bias', () => repairing(page, main, 'bias')],
      ]);
    },
    !both,
  );
  return [
    say(words.what),
    formula('interpolation'),
    say(words.bias),
    ...compared(runs, main),
    ...(both ? [] : [button]),
    ...errors(main),
  ];
}

function compared(runs: Runs, main: NonNullable<Runs['main']>): Node[] {
  const { quality_before: dense, quality_after: measured } = main.result.report;
  if (!measured) return [say(words.none)];
  const there = ORDER.flatMap(([name, key]) => {
    const report = runs[key]?.result.report;
    return report ? [{ name, measure: report.quality_after, distance: divergence(report.quality_after) }] : [];
  });
  const rows = there.map(({ name, measure }) => [words.names[name], qualityOf(measure), apart(measure)]);
  const shown = table(
    words.title,
    words.columns(...titlesOf(measured)),
    [[words.dense, qualityOf(dense), WORDS.kl(0)], ...rows],
    'walk-three',
  );
  if (there.length < ORDER.length) return [shown];
  const distances = there.map(({ distance }) => distance ?? NaN);
  const ordered = distances.every((distance, place) => place === 0 || distance < (distances[place - 1] ?? NaN));
  const best = there.reduce((a, b) => ((b.distance ?? Infinity) < (a.distance ?? Infinity) ? b : a));
  return [
    shown,
    say(`${words.best(best.name)} ${sizes(runs)} ${ordered ? words.ordered : words.unordered}`),
    ...(measured.task === 'classify' ? [say(words.noise(measured.examples))] : []),
  ];
}

/** Whether repairs cost parameters: biases, where a model has none. */
function sizes({ none, main }: Runs): string {
  const [bare, repaired] = [none, main].map((one) => one?.result.report.after.parameters ?? 0) as [number, number];
  return bare === repaired ? words.sameSize : words.biases(bare, repaired);
}

/** What interpolation did in each layer. */
function errors(main: NonNullable<Runs['main']>): Node[] {
  const layers = ffnErrors(main.result);
  const worst = layers.reduce<(typeof layers)[number] | undefined>(
    (most, one) => (most && most.without >= one.without ? most : one),
    undefined,
  );
  if (!worst) return [say(words.noErrors)];
  const back = main.result.report.layers.filter(({ neurons }) => neurons.fell_back_from !== undefined).length;
  const rows = layers.map(({ layer, without, after }) => [WORDS.layer(layer + 1), percent(without), percent(after)]);
  return [
    say(words.error(worst.layer + 1, worst.without, worst.after)),
    ...(back > 0 ? [say(words.fellBack(back))] : []),
    h(
      'details',
      { open: true },
      h('summary', {}, words.errors),
      table(words.errors, words.layerColumns, rows, 'walk-errors'),
    ),
  ];
}
