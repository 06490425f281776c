import { bytes, count, fixed, GAP, percent, rounded } from '../../format.ts';

/** Everything that this part of the page says. */
export const WORDS = {
  // Names of attempts.
  aware: ' (error-aware)',
  plan: 'Plan by hand',
  ranks: 'ranks',
  joint: 'shared factors',
  singles: 'single weights',
  share: (ratio: number) => `${rounded(ratio * 100, 1)}${GAP}%`,
  again: (name: string, number: number) => `${name} (${number})`,

  // The list.
  empty: 'Each run that ends is kept here until the tab is closed: name it, return to it, compare it with others.',
  caption: (model: string) => `Attempts on ${model}`,
  model: 'Model',
  columns: { choose: 'Compare', name: 'Name', removed: 'Removed', size: 'Weights', speed: 'Speed', actions: 'Actions' },
  dense: 'Dense model',
  choose: (name: string) => `Compare ${name}`,
  nameOf: (number: number) => `Name of attempt ${number}`,
  show: 'Show',
  shown: 'Shown above',
  showOne: (name: string) => `Show ${name} in the result section`,
  remove: 'Delete',
  removeOne: (name: string) => `Delete ${name}`,
  removed: (name: string, size: number) => `${name} is deleted, with its files of ${bytes(size)}.`,
  undo: 'Take that back',
  restored: (name: string) => `${name} is back.`,
  kept: (attempts: number, size: number) =>
    `${attempts === 1 ? 'One attempt' : `${count(attempts)} attempts`}, with files of ${bytes(size)} to save. Nothing of it outlives this tab.`,
  csv: 'Save all as CSV',
  csvFile: 'coppice-attempts.csv',
  csvSaved: (attempts: number) =>
    `coppice-attempts.csv has ${attempts === 1 ? 'one row' : `${count(attempts)} rows`}, all models together.`,
  added: (name: string) => `${name} is kept among the attempts.`,
  of: (name: string, model: string) => `${name}, on ${model}`,

  // Speed.
  measure: 'Measure',
  measureOne: (name: string) => `Measure the speed of ${name} against the dense model`,
  measureAll: 'Measure speeds',
  stopMeasuring: 'Stop measuring',
  measuring: (name: string, round: number, rounds: number) => `Measuring ${name}: round ${round} of ${rounds}…`,
  reading: (name: string) => `Measuring ${name}: reading both models…`,
  measured: (name: string, ratio: number) =>
    ratio >= 1
      ? `${name} is ${fixed(ratio, 2)} times as fast as the dense model.`
      : `${name} has ${percent(ratio, 0)} of the dense model’s speed.`,
  measureStopped: 'Stopped; nothing was measured.',
  allMeasured: 'Every attempt on this model has been measured.',
  times: (ratio: number) => `${fixed(ratio, 2)}${GAP}×`,
  rates: (what: 'tokens' | 'sentences', dense: number, pruned: number) =>
    `${fixed(dense, 1)} and ${fixed(pruned, 1)} ${what} a second, dense and pruned`,
  speedHint:
    'Speed: the dense and the pruned model in turns on this device; the median of the pairs counts. Decoders write tokens, encoders read sentences of the comparison text, the weights with them.',
  noSentences: 'There are no sentences to measure on; run it again with a comparison text.',

  noTokens: 'One of the models ends its text at once after the prompt, so there is no token to time.',

  // The chart.
  chart: 'Quality against size',
  up: 'Quality',
  across: 'Size',
  text: 'Measured on',
  chartHint: 'Arrow keys go from point to point; Enter shows an attempt in the result section.',
  chartLabel: (up: string, across: string) => `${up} against ${across}, a point an attempt`,
  point: (name: string, up: string, upTitle: string, across: string, acrossTitle: string) =>
    `${name}: ${upTitle} ${up}, ${acrossTitle} ${across}`,
  denseMark: 'dense',
  front: 'The dashed line joins attempts that no other one beats in both.',
  missing: (attempts: number) =>
    attempts === 1
      ? 'One attempt lacks one of the two figures.'
      : `${count(attempts)} attempts lack one of the two figures.`,
  noPoints: {
    time: 'No attempt has a measured speed yet: press “Measure speeds” above.',
    quality: 'No attempt was compared before and after yet: choose a comparison text in step 2.',
  },
  table: 'The same as a table',
  attempt: 'Attempt',
  onTokens: (source: string, tokens: number, window: number) =>
    `${source}, ${count(tokens)} tokens in windows of ${count(window)}`,
  onLines: (source: string, lines: number) => `${source}, ${count(lines)} lines`,

  // The comparison.
  differences: 'Differences',
  tick: 'Tick two attempts or more to see what differs.',
  comparing: (attempts: number) => `${count(attempts)} attempts side by side.`,
  sameRecipe: 'Their recipes are the same.',
  recipe: 'Recipe',
  figuresTitle: 'Figures',
  best: 'best',
  none: '–',
  yes: 'yes',
  no: 'no',
  device: 'Device',
  seconds: 'Time of the run',
  measuredOn: 'Compared on',
  /** Names that a recipe has for kinds and units. */
  values: {
    structured: 'whole units',
    sparse: 'single weights',
    low_rank: 'ranks',
    plan: 'by a plan',
    heads: 'heads',
    neurons: 'neurons',
    layers: 'layers',
    hidden: 'hidden channels',
  },
  byHand: (kept: number) => `by hand, ${count(kept)} units`,

  figures: {
    accuracy: 'Accuracy',
    perplexity: 'Perplexity',
    token_accuracy: 'Next tokens guessed right',
    kl: 'Divergence (KL, nats)',
    distance: 'Distance of hidden states',
    parameters: 'Parameters',
    linear_parameters: 'Parameters in the layers',
    bytes: 'Weights on disk',
    flops: 'FLOPs a token',
    time: 'Measured time, share of dense',
  },

  headings: { kl: 'KL, nats', distance: 'Distance' },

  /** Fields of a recipe by their path; others are told by their own name. */
  fields: {
    'calibration/source': 'Calibration text',
    'calibration/sequences': 'Sequences',
    'calibration/length': 'Tokens a sequence',
    'calibration/seed': 'Seed',
    'method/kind': 'Kind',
    'method/units': 'What goes',
    'method/criterion': 'Criterion',
    'method/allocation': 'Allocation',
    'method/ratio': 'Ratio',
    'method/pattern': 'Pattern',
    'method/layer_budgets': 'Budgets of layers',
    'method/update': 'Update',
    'method/factorisation': 'Factorisation',
    'method/plan': 'Plan',
    'method/reconstruction': 'Repair',
    'method/ridge': 'Ridge',
    'method/affine': 'Biases fitted',
    'method/error_aware': 'Error-aware',
    'method/target': 'Aims at',
    'method/swaps': 'Swaps',
    'method/screen': 'Screen',
    'method/score_sequences': 'Sequences scored on',
    'method/floor': 'Floor',
    'output/kind': 'Output',
    'output/dtype': 'Number format',
    'output/pad': 'Padded',
    'evaluation/source': 'Comparison text',
    'evaluation/limit': 'Compared on at most',
    'evaluation/window': 'Tokens in a window',
  },
};
