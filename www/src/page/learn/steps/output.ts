import { h } from '../../dom.ts';
import { changedConfig } from '../facts.ts';
import { METHODS } from '../link.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { action, say, table } from './parts.ts';

const { output: words } = WORDS.steps;

/** What is saved in the end. */
export function output({ runs, toLab }: Walking): Node[] {
  const { main } = runs;
  const lab = action(WORDS.toLab, 'walk-to-lab', toLab, false);
  const more = h(
    'a',
    { href: METHODS, target: '_blank', rel: 'noopener', 'data-testid': 'walk-methods' },
    words.methods,
  );
  const end = [say(words.end), h('p', { class: 'row' }, lab, more)];
  if (!main) return [say(WORDS.steps.score.needs), ...end];
  const { report, files } = main.result;
  const fields = h('div');
  void changedConfig(main.subject.files, files).then((changes) => {
    const rows = changes.map(([name, before, after]) => [name, WORDS.value(before), WORDS.value(after)]);
    if (rows.length > 0) fields.append(table(words.config, words.configColumns, rows, 'walk-config'));
  });
  const kinds: Record<string, string> = words.kinds;
  const kind = kinds[report.recipe.output.kind];
  return [
    say(words.what),
    say(words.size(report.before.bytes, report.after.bytes)),
    fields,
    ...(kind === undefined ? [] : [say(kind)]),
    say(words.with),
    ...end,
  ];
}
