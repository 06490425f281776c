import type { Recipe } from '../../lib/coppice.ts';
import { type Complete, defaultOf, type Fields } from './defaults.ts';
import { WORDS } from './words.ts';

const SECTIONS = ['calibration', 'method', 'output', 'evaluation'] as const;

/** Something that a recipe sets and the form has no field for. */
export interface Extra {
  section: (typeof SECTIONS)[number];
  name: string;
  value: unknown;
  /** The kind of method that it belongs to, where it belongs to a method. */
  kind: string | undefined;
}

/** `method.range`. */
export function pathOf({ section, name }: Pick<Extra, 'section' | 'name'>): string {
  return `${section}.${name}`;
}

/** What is asked for beside what the form writes. An error names a field that has another value in the form. */
export function extrasOf(wanted: Complete, written: Recipe): Extra[] {
  const { kind } = wanted.method;
  return SECTIONS.flatMap((section) => {
    const there = written[section] as Fields | undefined;
    // Texts are the page's own: of one that is not there nothing can be set.
    if (!there) return [];
    return Object.entries(wanted[section] ?? {}).flatMap(([name, value]) => {
      if (name === 'source' || same(value, there[name])) return [];
      if (Object.hasOwn(there, name)) throw new Error(WORDS.cannot(pathOf({ section, name }), JSON.stringify(value)));
      // Defaults are no request.
      if (same(value, defaultOf(section, name, kind))) return [];
      return [{ section, name, value, kind: section === 'method' ? kind : undefined }];
    });
  });
}

/** Those that are in force: of the kind of method that is chosen, and not said by a field that has appeared since. */
export function inForce(extras: readonly Extra[], recipe: Recipe): Extra[] {
  return extras.filter(({ section, name, kind }) => {
    const there = recipe[section];
    return there && !Object.hasOwn(there, name) && (kind === undefined || kind === recipe.method.kind);
  });
}

/** The form's recipe with them. */
export function withExtras(recipe: Recipe, extras: readonly Extra[]): Recipe {
  const whole: Recipe = { ...recipe };
  for (const { section, name, value } of inForce(extras, recipe)) {
    Object.assign(whole, { [section]: { ...(whole[section] as object), [name]: value } });
  }
  return whole;
}

/** Whether two values of a recipe say the same; units are a set. */
export function same(a: unknown, b: unknown): boolean {
  const text = (value: unknown) =>
    JSON.stringify(Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.toSorted() : value);
  return text(a) === text(b);
}
