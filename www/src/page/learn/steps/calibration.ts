import { h } from '../../dom.ts';
import { excerptOf } from '../facts.ts';
import { formula } from '../formula.ts';
import { smallSet } from '../runs.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { say } from './parts.ts';

const { calibration: words } = WORDS.steps;

/** Which text is read, and what is kept of it. */
export function calibration({ subject, page, runs }: Walking): Node[] {
  if (!subject) return [say(WORDS.steps.units.none)];
  const { inspection } = subject;
  const { sequences, length } = smallSet(inspection);
  const used = runs.main?.result.report.calibration;
  const n = Math.max(...inspection.layers.map(({ neurons }) => neurons));
  return [
    say(words.what),
    excerpt(page),
    say(used ? words.used(used.sequences, used.tokens, used.longest) : words.will(sequences, length)),
    say(words.statistic),
    formula('statistics'),
    say(words.sums(n, (n * (n + 1)) / 2)),
  ];
}

/** The first words of the text that is chosen, as soon as they are read. */
function excerpt({ texts }: Walking['page']): HTMLElement {
  const quote = h('blockquote', { 'data-testid': 'walk-excerpt' });
  const name = texts.calibrationName;
  const figure = h('figure', {}, h('figcaption', {}, words.excerpt(name)), quote);
  texts
    .calibration()
    .then(excerptOf)
    .then((text) => {
      quote.textContent = text;
    })
    .catch(() => {
      figure.replaceChildren(say(words.noText));
    });
  return figure;
}
