import { h } from '../dom.ts';
import { percent } from '../format.ts';
import { argmax, type Classes, labelOf } from './classes.ts';
import { WORDS } from './words.ts';

/** As many sentences are shown. */
const MOST = 50;

/** A sentence that the pruned model sees otherwise. */
export interface Change {
  sentence: string;
  truth: number;
  dense: number;
  pruned: number;
  /** What each model gives its own prediction. */
  sure: [number, number];
}

/** The sentences whose most probable class is another one; those first of which both models are surest. */
export function changesOf(
  lines: readonly { sentence: string; label: number }[],
  dense: readonly Classes[],
  pruned: readonly Classes[],
): Change[] {
  const changes = lines.flatMap(({ sentence, label }, row): Change[] => {
    const [one, other] = [dense[row] ?? [], pruned[row] ?? []];
    const [before, after] = [argmax(one), argmax(other)];
    if (before === after) return [];
    return [{ sentence, truth: label, dense: before, pruned: after, sure: [one[before] ?? 0, other[after] ?? 0] }];
  });
  return changes.sort((a, b) => b.sure[0] + b.sure[1] - a.sure[0] - a.sure[1]);
}

/** How many became right and wrong, in a sentence. */
export function sumOfChanges(changes: readonly Change[], of: number): string {
  const better = changes.filter(({ truth, pruned }) => truth === pruned).length;
  const worse = changes.filter(({ truth, dense }) => truth === dense).length;
  return changes.length === 0 ? WORDS.changedNone(of) : WORDS.changedSome(changes.length, of, better, worse);
}

export function tableOfChanges(changes: readonly Change[], labels: readonly string[]): HTMLElement {
  const titles = [WORDS.sentence, WORDS.truth, WORDS.dense, WORDS.pruned];
  const became = ({ truth, dense, pruned }: Change) =>
    WORDS.became[truth === pruned ? 'right' : truth === dense ? 'wrong' : 'neither'];
  const cell = (title: string, ...children: string[]) => h('td', { 'data-title': title }, ...children);
  const row = (change: Change) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, change.sentence),
      cell(WORDS.truth, labelOf(labels, change.truth)),
      cell(WORDS.dense, `${labelOf(labels, change.dense)}, ${percent(change.sure[0], 0)}`),
      cell(WORDS.pruned, `${labelOf(labels, change.pruned)}, ${percent(change.sure[1], 0)}: ${became(change)}`),
    );
  return h(
    'div',
    {},
    h(
      'table',
      { class: 'changes', 'data-testid': 'changes-table' },
      h('caption', {}, WORDS.changedTable),
      h('thead', {}, h('tr', {}, ...titles.map((title) => h('th', { scope: 'col' }, title)))),
      h('tbody', {}, ...changes.slice(0, MOST).map(row)),
    ),
    changes.length > MOST ? h('p', { class: 'hint' }, WORDS.first(MOST, changes.length)) : null,
  );
}
