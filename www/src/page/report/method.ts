import type { Catalog, Recipe } from '../../lib/coppice.ts';
import type { Attempt } from '../attempts/attempt.ts';
import { told } from '../attempts/compare.ts';
import { WORDS as ATTEMPTS } from '../attempts/words.ts';
import { h, headings } from '../dom.ts';
import { commandOf } from '../recipe/command.ts';
import { choicesOf, PAPERS, SINGLES } from './papers.ts';
import { WORDS } from './words.ts';

/** The methods that a recipe names, with their papers. */
export function methodsOf(recipe: Recipe, catalog: Catalog | undefined): HTMLElement {
  const { method } = recipe;
  const rows: (string | Node)[][] = choicesOf(recipe).map(({ role, list, name }) => {
    const choice = catalog?.[list]?.find((one) => one.name === name);
    return [WORDS.roles[role], choice?.title ?? name, choice?.summary ?? '', sourced(PAPERS[list]?.[name])];
  });
  if (method.kind === 'plan') rows.unshift([WORDS.roles.plan, WORDS.plan, WORDS.planDoes, sourced(undefined)]);
  if (method.kind === 'low_rank' && (method.sparse ?? 0) > 0)
    rows.push([WORDS.roles.singles, WORDS.singles, WORDS.singlesDo, sourced(SINGLES)]);
  return h(
    'section',
    {},
    h('h2', {}, WORDS.methods),
    table(WORDS.methodColumns, rows),
    h('p', { class: 'hint' }, WORDS.methodsHint),
  );
}

/** A source, which is told in English. */
function sourced(paper: string | undefined): Node | string {
  return paper === undefined ? WORDS.noPaper : h('span', { lang: 'en' }, paper);
}

/** The whole recipe field by field, and as a command that does the same. */
export function recipeOf({ subject, result }: Attempt): HTMLElement {
  const { recipe, device } = result.report;
  const titles: Record<string, string> = ATTEMPTS.fields;
  // A plan lists units one by one: on paper its file stands for it.
  const brief: Recipe =
    recipe.method.kind === 'plan'
      ? { ...recipe, method: { ...recipe.method, plan: 'plan.json' as unknown as typeof recipe.method.plan } }
      : recipe;
  const rows = (['method', 'output', 'calibration', 'evaluation'] as const).flatMap((section) =>
    Object.entries(brief[section] ?? {}).map(([name, value]: [string, unknown]) => [
      titles[`${section}/${name}`] ?? `${section}.${name}`,
      section === 'method' && name === 'plan' ? WORDS.planFile : told(name, value),
    ]),
  );
  const command = commandOf(brief, { model: subject.name, device: device.kind, memory: '' });
  return h(
    'section',
    {},
    h('h2', {}, WORDS.recipe),
    table(WORDS.recipeColumns, rows),
    h('h3', {}, WORDS.command),
    h('pre', { 'data-testid': 'report-command' }, command),
  );
}

function table(columns: readonly string[], rows: readonly (readonly (string | Node)[])[]): HTMLElement {
  return h(
    'table',
    {},
    h('thead', {}, headings(columns)),
    h(
      'tbody',
      {},
      ...rows.map(([first = '', ...rest]) =>
        h('tr', {}, h('th', { scope: 'row' }, first), ...rest.map((text) => h('td', {}, text))),
      ),
    ),
  );
}
