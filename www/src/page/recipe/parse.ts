import type { Plan } from '../../lib/coppice.ts';
import type { Fields } from './defaults.ts';
import { bytes } from '../format.ts';
import { WORDS } from './words.ts';

/** More than the plan of any model that fits in a browser. */
const MOST_BYTES = 16e6;

/** JSON text as an object; an error says where it is wrong. */
export function objectOf(text: string): Fields {
  if (text.trim() === '') throw new Error(WORDS.emptyText);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    throw new Error(WORDS.notJson(why), { cause: error });
  }
  if (!isObject(value)) throw new Error(WORDS.noObject);
  return value;
}

/** The JSON text of the recipe in a file: a recipe, a report, a plan, or a model card. */
export async function recipeTextOf(file: File): Promise<string> {
  if (file.size > MOST_BYTES) throw new Error(WORDS.tooLarge(file.name, bytes(file.size), bytes(MOST_BYTES)));
  const text = (await file.text()).replace(/^\ufeff/, '');
  if (/\.(md|markdown)$/i.test(file.name)) {
    // Of the blocks of JSON in the card, the recipe is the one that has a method.
    const blocks = [...text.matchAll(/^```json\n([\s\S]*?)\n```$/gm)].map(([, block = '']) => block);
    const recipe = blocks.find((block) => /"method"\s*:/.test(block));
    if (recipe === undefined) throw new Error(WORDS.noRecipeInCard(file.name));
    return recipe;
  }
  try {
    const value = objectOf(text);
    // A report tells the recipe of its run.
    if (isObject(value.recipe) && value.method === undefined) return JSON.stringify(value.recipe, null, 2);
  } catch {
    // What is wrong is said where the text stands.
  }
  return text;
}

/** Refuses what the page cannot hold, though the core could. */
export function checkForPage(recipe: Fields): void {
  for (const section of ['calibration', 'method', 'output', 'evaluation'] as const) {
    const fields = recipe[section];
    if (!isObject(fields)) continue;
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
        throw new Error(WORDS.bigNumber(`${section}.${name}`));
    }
  }
  const { method } = recipe;
  if (!isObject(method) || method.kind !== 'plan') return;
  if (typeof method.plan === 'string') throw new Error(WORDS.planByName(method.plan));
  if (!isPlan(method.plan)) throw new Error(WORDS.noPlan);
}

/** Whether a file's object is a plan by itself. */
export function isPlan(value: unknown): value is Plan {
  const units = (list: unknown) => Array.isArray(list) && list.every((unit) => Number.isInteger(unit));
  return (
    isObject(value) &&
    Array.isArray(value.layers) &&
    value.layers.every((layer) => isObject(layer) && units(layer.heads) && units(layer.neurons)) &&
    (value.hidden === undefined || units(value.hidden))
  );
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
