import type { Recipe, StructuredMethod } from '../../lib/coppice.ts';

/** A recipe that removes whole units by their scores. */
export type StructuredRecipe = Recipe & { method: StructuredMethod };

export function isStructured(recipe: Recipe): recipe is StructuredRecipe {
  return recipe.method.kind === 'structured';
}

/** The recipe at another ratio, with a repair that needs only what calibration collects once. */
export function plainAt(recipe: StructuredRecipe, ratio: number): StructuredRecipe {
  const method: StructuredMethod = { ...recipe.method, ratio, error_aware: false };
  // What an error-aware repair aims at means nothing to a plain one.
  delete method.target;
  return { ...recipe, method };
}

/** The recipe with an error-aware repair. */
export function refined(recipe: StructuredRecipe): StructuredRecipe {
  return { ...recipe, method: { ...recipe.method, error_aware: true } };
}
