/** A recipe in which every section is there. */
export interface Complete {
  calibration: Fields;
  method: Fields & { kind: string };
  output: Fields;
  evaluation: Fields | undefined;
}

export type Fields = Record<string, unknown>;

const REPAIR = { reconstruction: 'liar', ridge: 0.01, affine: true, error_aware: false, target: 'residual' };

/** What the core takes where a recipe says nothing (src/recipe.rs and the options that it is made of); a test compares the two. */
const METHODS: Record<string, Fields> = {
  structured: {
    units: ['heads', 'neurons'],
    criterion: 'flap',
    allocation: 'uniform',
    ratio: 0.5,
    floor: 0,
    swaps: 0,
    screen: 1,
    score_sequences: 128,
    ...REPAIR,
  },
  sparse: {
    criterion: 'wanda',
    pattern: 'unstructured',
    allocation: 'uniform',
    layer_budgets: 'uniform',
    ratio: 0.5,
    update: 'none',
    ridge: 0.01,
    samples: 256,
    order: 'block',
    outlier: 5,
    iterations: 10,
    equalise: 0,
  },
  low_rank: {
    factorisation: 'whitened',
    allocation: 'uniform',
    ratio: 0.3,
    floor: 0.5,
    sensitivity: 'both',
    joint: false,
    sparse: 0,
  },
  plan: REPAIR,
};

const CALIBRATION = { sequences: 128, length: 128, seed: 0 };
const OUTPUT = { kind: 'stock', dtype: 'same', pad: false };

/** The default of a field, in a method of some kind. */
export function defaultOf(section: keyof Complete, name: string, kind: string): unknown {
  const fields: Record<keyof Complete, Fields> = {
    calibration: CALIBRATION,
    method: METHODS[kind] ?? {},
    output: OUTPUT,
    evaluation: {},
  };
  return fields[section][name];
}

/** The recipe with all defaults written out. The core has checked it. */
export function complete(recipe: Fields): Complete {
  const method = recipe.method as Complete['method'];
  return {
    calibration: { ...CALIBRATION, ...(recipe.calibration as Fields | undefined) },
    // In the order in which they were given.
    method: { ...method, ...METHODS[method.kind], ...method },
    output: { ...OUTPUT, ...(recipe.output as Fields | undefined) },
    evaluation: recipe.evaluation as Fields | undefined,
  };
}
