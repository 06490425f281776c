import { bytes, count, duration, percent } from '../../format.ts';

/** Everything that the report says. */
export const WORDS = {
  print: 'Print, or save as PDF',
  close: 'Back to the page',
  tools: 'What to do with the report',
  title: (model: string) => `Pruning report: ${model}`,
  documentTitle: (model: string, attempt: string) => `Coppice report, ${model}, ${attempt}`,
  made: (attempt: string, when: string, version: string) => `${attempt}. Run on ${when} with Coppice ${version}.`,

  model: 'Model and run',
  class: 'Architecture',
  layers: 'Layers',
  heads: 'Heads a layer',
  groups: 'Key/value heads a layer',
  neurons: 'Neurons a layer',
  hidden: 'Hidden size',
  parameters: 'Parameters',
  weights: 'Weights',
  weightsAre: (size: number, types: readonly string[]) => `${bytes(size)}, ${types.join(' and ')}`,
  device: 'Device',
  deviceIs: (kind: string, name: string, backend: string, software: boolean) =>
    `${kind.toUpperCase()}: ${name} (${backend})${software ? ', an adapter that is a program on the CPU' : ''}`,
  why: 'Why this device',
  time: 'Time of the run',
  timeIs: (seconds: number) => `${duration(seconds)}, pauses included`,
  calibration: 'Calibration text',
  calibrationIs: (source: string, used: { lines: number; sequences: number; tokens: number } | undefined) =>
    used === undefined
      ? source
      : `${source}: ${count(used.sequences)} of ${count(used.lines)} sequences, ${count(used.tokens)} tokens`,
  evaluation: 'Comparison text',
  evaluationIs: (source: string, used: string) => `${source}: ${used}`,
  noEvaluation: 'none; quality was not measured',
  lines: (lines: number) => `${count(lines)} lines`,
  tokens: (tokens: number, window: number) => `${count(tokens)} tokens in windows of ${count(window)}`,

  result: 'Before and after',
  speed: 'Speed',
  map: 'What stays in each layer',
  layersTitle: 'Layer by layer',
  chart: 'Among the other attempts',
  chartHint: 'Numbers are those of the attempts; the dashed line joins those that no other one beats in both.',

  methods: 'Methods and where they come from',
  methodColumns: ['Part', 'Method', 'What it does', 'Source'],
  roles: {
    criterion: 'Criterion',
    allocation: 'Allocation',
    budgets: 'Budgets of layers',
    repair: 'Repair',
    update: 'Update',
    factorisation: 'Factorisation',
    singles: 'Beside the ranks',
    plan: 'Plan',
  },
  singles: 'Single weights',
  singlesDo: 'Weights of what the product leaves, kept one by one.',
  plan: 'Given plan',
  planDoes: 'The units that stay were listed, by hand or by an earlier run; nothing was scored.',
  noPaper: '–',
  methodsHint: 'What differs from the sources is told on the page of methods.',

  recipe: 'Recipe',
  recipeColumns: ['Field', 'Value'],
  planFile: 'plan.json, a file of the output folder',
  command: 'The same as a command line',

  caveats: 'What to keep in mind',
  output: (title: string, summary: string) => `Written as “${title}”. ${summary}`,
  padded:
    'Units that this format cannot leave out are zeros in place, as “pad” asks: there the model is neither smaller nor faster.',
  measured: (sentence: string, rates: string, rounds: number, device: string) =>
    `${sentence} That is the median of ${count(rounds)} pairs on ${device}: ${rates}.`,
  unmeasured:
    'The speed of this model was not measured. Fewer operations need not be less time: that depends on the device and on the program that runs the model.',
  sample: (used: string) =>
    `Quality was measured on ${used} of one text; on other texts, and for other tasks, it may be lost differently.`,
  noise: (share: number) => `By chance alone, an accuracy on so many lines is off by about ${percent(share)}.`,
  closeCalls: (calls: number) =>
    `${calls === 1 ? 'One decision was a close call' : `${count(calls)} decisions were close calls`}: another device might make ${calls === 1 ? 'it' : 'them'} otherwise.`,
  singlesSlow: 'With single weights beside the ranks, a factored model runs no faster than the original.',
  local: 'Everything was computed in a browser on one machine; this report holds no text and no weight.',
};
