import type { Measure } from '../../lib/coppice.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { h } from '../dom.ts';
import { count, short, spread } from '../format.ts';
import { sharesKeys } from '../kind.ts';
import { WORDS } from './words.ts';

/** What was pruned, where, and on which texts: their names and how much of them, never the texts. */
export function factsOf({ subject, result }: Attempt): HTMLElement {
  const { inspection: model } = subject;
  const { report } = result;
  const { device, recipe, calibration } = report;
  const used = usedOf(report.quality_after);
  const rows: [string, string | Node][] = [
    [WORDS.class, `${model.class} (${model.family})`],
    [WORDS.layers, count(model.layers.length)],
    [sharesKeys(model) ? WORDS.groups : WORDS.heads, spread(model.layers.map(({ heads }) => heads))],
    [WORDS.neurons, spread(model.layers.map(({ neurons }) => neurons))],
    [WORDS.hidden, count(model.hidden)],
    [WORDS.parameters, short(model.parameters)],
    [WORDS.weights, WORDS.weightsAre(model.bytes, Object.keys(model.dtypes))],
    [WORDS.device, WORDS.deviceIs(device.kind, device.name, device.backend, device.software)],
    [WORDS.why, h('span', { lang: 'en' }, device.why)],
    [WORDS.time, WORDS.timeIs(report.seconds.total)],
    [WORDS.calibration, WORDS.calibrationIs(recipe.calibration.source, calibration)],
    [WORDS.evaluation, used ? WORDS.evaluationIs(recipe.evaluation?.source ?? '', used) : WORDS.noEvaluation],
  ];
  return h(
    'section',
    {},
    h('h2', {}, WORDS.model),
    h(
      'dl',
      { class: 'report-facts' },
      ...rows.map(([term, text]) => h('div', {}, h('dt', {}, term), h('dd', {}, text))),
    ),
  );
}

/** How much of the comparison text was used. */
export function usedOf(measure: Measure | undefined): string | undefined {
  if (!measure) return undefined;
  return measure.task === 'perplexity' ? WORDS.tokens(measure.tokens, measure.window) : WORDS.lines(measure.examples);
}
