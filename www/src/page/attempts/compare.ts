import type { Catalog, Choice, Plan, Recipe } from '../../lib/coppice.ts';
import { h } from '../dom.ts';
import { digits, duration } from '../format.ts';
import { type Attempt, nameOfDevice } from './attempt.ts';
import { FIGURES, known, measuredOn } from './figures.ts';
import { WORDS } from './words.ts';

/** A row of the table: what it is of, a text an attempt, and which of them is best where that has a meaning. */
interface Line {
  title: string;
  values: string[];
  best?: boolean[];
}

/** What differs between attempts, in what was asked for and in what came of it. */
export function tableOfDifferences(attempts: readonly Attempt[], catalog: Catalog | undefined): HTMLElement {
  const recipe = recipeLines(attempts, catalog);
  const heading = (title: string) =>
    h('tr', {}, h('th', { scope: 'colgroup', colspan: String(attempts.length + 1), class: 'group' }, title));
  return h(
    'div',
    { class: 'scroller', tabindex: '0', role: 'region', 'aria-label': WORDS.differences },
    h(
      'table',
      { class: 'differences', 'data-testid': 'differences' },
      h('caption', {}, WORDS.differences),
      h(
        'thead',
        {},
        h('tr', {}, h('td', {}), ...attempts.map(({ id, name }) => h('th', { scope: 'col' }, `${id}. ${name}`))),
      ),
      h('tbody', {}, heading(WORDS.figuresTitle), ...figureLines(attempts).map(row)),
      h(
        'tbody',
        {},
        heading(WORDS.recipe),
        ...(recipe.length > 0
          ? recipe.map(row)
          : [h('tr', {}, h('td', { colspan: String(attempts.length + 1) }, WORDS.sameRecipe))]),
      ),
    ),
  );
}

function row({ title, values, best }: Line): HTMLElement {
  const cell = (value: string, index: number) =>
    best?.[index]
      ? h('td', {}, h('strong', {}, value), ' ', h('span', { class: 'best' }, WORDS.best))
      : h('td', {}, value);
  return h('tr', {}, h('th', { scope: 'row' }, title), ...values.map(cell));
}

function figureLines(attempts: readonly Attempt[]): Line[] {
  const lines = known(FIGURES, attempts).map(({ title, lower, show, of }): Line => {
    const values = attempts.map(of);
    const there = values.filter((value) => value !== undefined);
    const top = lower ? Math.min(...there) : Math.max(...there);
    const tops = values.map((value) => value === top);
    return {
      title,
      values: values.map((value) => (value === undefined ? WORDS.none : show(value))),
      // Where all are the best, none is.
      ...(tops.includes(false) && there.length > 1 && { best: tops }),
    };
  });
  const plain = (title: string, of: (attempt: Attempt) => string): Line => ({ title, values: attempts.map(of) });
  return [
    ...lines,
    plain(WORDS.measuredOn, (attempt) => measuredOn(attempt) ?? WORDS.none),
    plain(WORDS.seconds, ({ result }) => duration(result.report.seconds.total)),
    plain(WORDS.device, ({ result }) => nameOfDevice(result.report.device)),
  ];
}

/** The fields of the recipes that are not the same in all. */
function recipeLines(attempts: readonly Attempt[], catalog: Catalog | undefined): Line[] {
  const titles: Record<string, string> = WORDS.fields;
  const recipes = attempts.map(({ result }) => fieldsOf(result.report.recipe, catalog));
  const paths = new Set(recipes.flatMap((fields) => [...fields.keys()]));
  return [...paths].flatMap((path) => {
    const values = recipes.map((fields) => fields.get(path) ?? WORDS.none);
    if (new Set(values).size === 1) return [];
    const title = titles[path] ?? (path.split('/').at(-1) ?? path).replaceAll('_', ' ');
    return [{ title, values }];
  });
}

/** What a recipe says, by the paths of its fields. */
function fieldsOf(
  { calibration, method, output, evaluation }: Recipe,
  catalog: Catalog | undefined,
): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [part, object] of Object.entries({ method, calibration, output, evaluation: evaluation ?? {} }))
    for (const [field, value] of Object.entries<unknown>(object))
      if (value !== undefined && value !== null)
        fields.set(`${part}/${field}`, titleOf(catalog, field, value) ?? told(field, value));
  return fields;
}

/** The menus of the fields that are chosen from one. */
const MENUS: Record<string, readonly (keyof Catalog)[]> = {
  criterion: ['criteria', 'weight_criteria'],
  allocation: ['allocations', 'sparsity_allocations', 'rank_allocations'],
  layer_budgets: ['layer_budgets'],
  reconstruction: ['reconstructions'],
  update: ['updates'],
  pattern: ['patterns'],
  factorisation: ['factorisations'],
};

/** What a menu calls a value. */
function titleOf(catalog: Catalog | undefined, field: string, value: unknown): string | undefined {
  const choices = (MENUS[field] ?? []).flatMap((menu): readonly Choice[] => catalog?.[menu] ?? []);
  return choices.find(({ name }) => name === value)?.title;
}

/** The value of a recipe's field as people read it. */
export function told(field: string, value: unknown): string {
  if (field === 'plan') {
    const { layers } = value as Plan;
    return WORDS.byHand(layers.reduce((sum, { heads, neurons }) => sum + heads.length + neurons.length, 0));
  }
  if (field === 'ratio') return WORDS.share(value as number);
  if (typeof value === 'boolean') return value ? WORDS.yes : WORDS.no;
  if (typeof value === 'number') return digits(value, 6);
  if (Array.isArray(value)) return value.map((one) => told(field, one)).join(', ');
  if (typeof value !== 'string') return JSON.stringify(value);
  const names: Record<string, string> = WORDS.values;
  return (field === 'kind' || field === 'units' ? names[value] : undefined) ?? value;
}
