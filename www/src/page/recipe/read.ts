import type { Plan, Recipe, RepairRecipe } from '../../lib/coppice.ts';
import type { RecipeForm } from './form.ts';
import { number, ratio, share } from './numbers.ts';
import { WORDS } from './words.ts';

/** What the recipe calls the calibration text, and what it says of the comparison. */
export interface TextsOfRecipe {
  calibrationName: string;
  comparison: Recipe['evaluation'] | undefined;
}

/** A form's values by the names of its fields. */
class Values {
  readonly data: FormData;

  constructor(form: RecipeForm) {
    this.data = new FormData(form.element);
  }

  text(name: string): string {
    const value = this.data.get(name);
    return typeof value === 'string' ? value : '';
  }

  has(name: string): boolean {
    return this.data.has(name);
  }
}

/** The recipe as the form stands, or one that keeps what a plan lists; an error names the field that is wrong. */
export function readRecipe(form: RecipeForm, texts: TextsOfRecipe | undefined, plan: Plan | undefined): Recipe {
  const values = new Values(form);
  const { fields } = WORDS;
  const evaluation = texts?.comparison;
  return {
    version: 1,
    calibration: {
      source: texts?.calibrationName ?? 'calibration.txt',
      sequences: number(values.text('sequences'), fields.sequences, 1, true),
      length: number(values.text('length'), fields.length, 2, true),
      seed: number(values.text('seed'), fields.seed, 0, true),
    },
    method: plan ? { kind: 'plan', plan, ...repairOf(form, values) } : methodOf(form, values),
    output: { kind: values.text('output'), dtype: values.text('dtype'), pad: form.pads && values.has('pad') },
    ...(evaluation && { evaluation }),
  };
}

/** What is removed, and how. */
function methodOf(form: RecipeForm, values: Values): Recipe['method'] {
  const asked = ratio(values.text('ratio'));
  const { fields } = WORDS;
  if (form.kind === 'sparse') {
    return {
      kind: 'sparse',
      criterion: values.text('weight_criterion'),
      pattern: values.text('pattern'),
      allocation: values.text('sparsity_allocation'),
      ...(form.takes('layer_budgets') && { layer_budgets: values.text('layer_budgets') }),
      ratio: asked,
      update: values.text('update'),
    };
  }
  if (form.kind === 'low_rank') {
    const below = (part: number) => part < 100;
    const sparse = share(
      values.text('single_share'),
      fields.single_share,
      WORDS.bounds.zero,
      below,
      WORDS.bounds.below,
    );
    return {
      kind: 'low_rank',
      factorisation: values.text('factorisation'),
      allocation: values.text('rank_allocation'),
      ratio: asked,
      ...(form.takes('floor') && {
        floor: share(values.text('rank_floor'), fields.floor, WORDS.bounds.zero, () => true),
      }),
      ...(values.has('joint') && { joint: true }),
      ...(sparse > 0 && { sparse }),
    };
  }
  const units = values.data.getAll('units').map(String);
  if (units.length === 0) throw new Error(WORDS.noUnits);
  return {
    kind: 'structured',
    units,
    criterion: values.text('criterion'),
    allocation: values.text('allocation'),
    ratio: asked,
    ...repairOf(form, values),
    ...(form.takes('swaps') && { swaps: number(values.text('swaps'), fields.swaps, 0, true) }),
    ...(form.takes('screen') && {
      screen: share(values.text('screen'), fields.screen, WORDS.bounds.above, (part) => part > 0),
    }),
    ...(form.takes('score_sequences') && {
      score_sequences: number(values.text('score_sequences'), fields.score_sequences, 1, true),
    }),
    ...(form.takes('floor') && { floor: share(values.text('floor'), fields.floor, WORDS.bounds.zero, () => true) }),
  };
}

/** How what stays is repaired. */
function repairOf(form: RecipeForm, values: Values): RepairRecipe {
  const aware = form.takes('error_aware') && values.has('error_aware');
  return {
    reconstruction: values.text('reconstruction'),
    ...(form.takes('ridge') && {
      ridge: values.has('ridge_auto') ? ('auto' as const) : number(values.text('ridge'), WORDS.fields.ridge, 0, false),
    }),
    error_aware: aware,
    ...(aware && values.text('target') === 'output' && { target: 'output' as const }),
    ...(form.takes('affine') && !values.has('affine') && { affine: false }),
  };
}
