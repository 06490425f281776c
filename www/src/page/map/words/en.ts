import type { LinearOutcome } from '../../../lib/types.ts';
import { count, figure as threeDigits, percent, short } from '../../format.ts';
import type { Change, Kind } from '../view.ts';

/** A figure that spans many orders of magnitude: three digits of it. */
function figure(value: number): string {
  return threeDigits(value, 1e-4);
}

const NAMES = { heads: ['head', 'heads'], neurons: ['neuron', 'neurons'] } as const;

/** Everything that the map says to people. */
export const WORDS = {
  gridOfModel: 'Map of the model: its layers from the input to the output',
  gridOfResult: 'Map of the plan: which units of each layer stay',
  figureOfModel: 'The model, drawn from its headers',
  figureOfResult: 'What stays in each layer',
  figureOfSparse: 'How many weights stay in each matrix',
  figureOfRanks: 'Which rank is left of each matrix',
  table: 'The same as a table',
  tableOfModel: 'The model as a table',
  tableOfResult: 'What stays, as a table',
  captionOfUnits: 'Heads and neurons kept in each layer',
  captionOfLinears: 'What is left of each matrix',

  layerColumn: 'Layer',
  headsColumn: (grouped: boolean, queries: number | undefined) =>
    !grouped
      ? 'Attention: one cell a head'
      : queries === undefined
        ? 'Attention: one cell a key/value head'
        : `Attention: one cell a key/value head with its ${count(queries)} queries`,
  neuronsColumn: (sorted: boolean) => (sorted ? 'FFN: neurons, best scores first' : 'FFN: neurons'),
  linearsColumn: 'Matrices: share of parameters that stays',
  sizeColumn: 'Parameters',
  errorColumn: (most: number) => `Error, 0 to ${percent(most, 0)}`,

  keys: 'Arrow keys go from cell to cell and from layer to layer.',
  keysToEdit:
    'Click a head, or press Enter on it, to keep or cut it; on a layer’s name Enter cuts the whole layer. With + and − a layer keeps more or fewer of its best neurons.',
  view: 'Show',
  before: 'Before: all units, what goes hatched',
  after: 'After: what is left, on the same scale',
  legendScores: 'Score',
  legendLow: 'low',
  legendHigh: 'high',
  legendScale: 'Each shade has a seventh of the model’s heads, or of its neurons.',
  legendCarried: 'Scores are those of the run that the plan comes from.',
  legendUnscored: 'No scores: this run was given its plan.',
  legendKept: 'stays',
  legendGone: 'goes',
  legendClose: 'close call',
  legendChanged: 'changed by hand',
  legendError: 'Error of attention (above) and FFN (below): ring without repair, dot with it.',

  point: 'Point at a cell, or move to it with the keyboard, and its numbers are here.',
  layer: (index: number) => `Layer ${index + 1}`,
  removedLayer: 'the whole layer goes',
  unit: (kind: Kind, unit: number) => `${NAMES[kind][0]} ${count(unit)}`,
  group: (unit: number) => `key/value head ${count(unit)}`,
  cellOfNeurons: (first: number, last: number, ranked: boolean) =>
    ranked
      ? `neurons of rank ${count(first)} to ${count(last)}`
      : first === last
        ? `neuron ${count(first)}`
        : `neurons ${count(first)} to ${count(last)}`,
  kept: 'stays',
  gone: 'goes',
  keptOf: (kept: number, of: number) =>
    kept === of ? 'all stay' : kept === 0 ? 'all go' : `${count(kept)} of ${count(of)} stay`,
  changed: 'Changed by hand.',
  changedUnits: (changed: number) => `${count(changed)} changed by hand.`,
  close: 'A close call: another device might decide otherwise.',
  closeUnits: (close: number) => `${count(close)} close ${close === 1 ? 'call' : 'calls'}.`,
  score: (score: number, place: number, of: number, placeInModel: number, ofModel: number) =>
    `Score ${figure(score)}: rank ${count(place)} of ${count(of)} in its layer, ${count(placeInModel)} of ${count(ofModel)} in the model (1 matters most).`,
  scores: (low: number, high: number, from: number, to: number, of: number) =>
    `Scores ${figure(low)} to ${figure(high)}: ranks ${count(from)} to ${count(to)} of ${count(of)} in the layer.`,
  widths: (heads: [number, number], neurons: [number, number], grouped: boolean) =>
    `${part(heads)} ${grouped ? 'key/value heads' : 'heads'}, ${part(neurons)} neurons.`,
  parameters: (change: Change) => `${changeOf(change)} parameters.`,
  flops: (change: Change) => `${changeOf(change)} operations a token.`,
  flopsOfMatrices: (parameters: number) => `${short(2 * parameters)} operations a token in its matrices.`,
  repaired: (kind: Kind, repair: string, without: number | undefined, after: number | undefined) => {
    const where = kind === 'heads' ? 'attention' : 'the FFN';
    if (without === undefined) return `Repair of ${where}: ${repair}.`;
    if (after === undefined) return `Relative error of ${where}: ${percent(without)} with ${repair}.`;
    return `Relative error of ${where}: ${percent(without)} without repair, ${percent(after)} with ${repair}.`;
  },
  fellBack: (repair: string, wanted: string, reason: string) =>
    `It is ${repair} instead of ${wanted}, since ${reason}.`,
  probe: (unit: string, kept: number, of: number, distance: number) =>
    `With ${count(kept)} of ${count(of)} ${unit} here alone, answers move by ${figure(distance)}.`,
  linear: ({
    tensor,
    with: others = [],
    shape: [outputs, inputs],
    kept,
    rank,
    singles,
    error,
    error_after: after,
  }: LinearOutcome) => {
    const rest = `${count(kept)} of ${count(outputs * inputs)} parameters stay (${percent(kept / (outputs * inputs))}).`;
    const beside = singles === undefined ? '' : ` and ${count(singles)} single weights`;
    const ranks = rank === undefined ? '' : ` Rank ${count(rank)} of ${count(Math.min(outputs, inputs))}${beside}.`;
    const wrong = error === undefined ? '' : ` Relative error ${percent(error)}`;
    const mended = error === undefined ? '' : after === undefined ? '.' : `, ${percent(after)} after the update.`;
    return `${[tensor, ...others].join(' and ')}, ${count(outputs)} × ${count(inputs)}: ${rest}${ranks}${wrong}${mended}`;
  },
  embedding: 'Embedding',
  output: 'Output',
  embeddingIs: (vocabulary: number, hidden: number) => `${count(vocabulary)} tokens × ${count(hidden)} channels.`,
  outputs: {
    classifier: 'A classifier reads the last layer.',
    masked_lm: 'A head names the masked token.',
    causal_lm: 'A head names the next token.',
    none: 'No head: the last layer’s states are the output.',
  },
  restIs: (change: Change) => `Head, norms and positions: ${changeOf(change)} parameters.`,
  channels: (kept: number, of: number) =>
    kept === of
      ? `Residual stream of ${count(of)} channels.`
      : `Residual stream: ${count(kept)} of ${count(of)} channels stay.`,

  tableColumns: {
    layer: 'Layer',
    heads: 'Heads kept',
    headsGone: 'Heads removed',
    neurons: 'Neurons kept',
    parameters: 'Parameters',
    flops: 'Operations a token',
    attentionError: 'Error of attention, without and with repair',
    ffnError: 'Error of the FFN, without and with repair',
    matrix: 'Matrix',
    shape: 'Outputs × inputs',
    kept: 'Parameters kept',
    rank: 'Rank',
    error: 'Relative error',
    errorAfter: 'After the update',
  },
  tensors: (names: readonly string[]) => names.join(' and '),
  none: 'none',
  unknown: '–',
  keptShare: (kept: number, of: number) => `${count(kept)} of ${count(of)} (${percent(kept / Math.max(of, 1), 0)})`,
  change: (change: Change) =>
    change.before === change.after ? count(change.before) : `${count(change.before)} → ${count(change.after)}`,
  errors: (without: number | undefined, after: number | undefined) =>
    without === undefined ? '–' : `${percent(without)} → ${after === undefined ? '–' : percent(after)}`,

  editTitle: 'Change the plan by hand',
  editLayer: 'In',
  everyLayer: 'every layer',
  editHeads: (grouped: boolean) =>
    grouped ? 'Key/value heads that stay, best scores first' : 'Heads that stay, best scores first',
  editNeurons: 'Neurons that stay, best scores first',
  editDiffer: (fewest: number, most: number) => `Layers differ: ${count(fewest)} to ${count(most)} stay.`,
  editUnscored: 'They were not scored, so there are no best ones.',
  cutLayer: 'Cut the whole layer',
  keepLayer: 'Keep the layer',
  lastUnit: (kind: Kind) => `At least one ${NAMES[kind][0]} must stay in a layer; cut the whole layer instead.`,
  lastLayer: 'At least one layer must stay.',
  prune: 'Prune by this plan',
  undo: 'Undo changes',
  save: 'Save the plan',
  unchanged: 'This is the plan of the run.',
  edited: (
    units: { heads: number; neurons: number },
    layers: number,
    share: string | undefined,
    was: string | undefined,
  ) => {
    const parts = (['heads', 'neurons'] as const).filter((kind) => units[kind] > 0);
    const what = parts.map((kind) => `${count(units[kind])} ${NAMES[kind][units[kind] === 1 ? 0 : 1]}`).join(' and ');
    const where = layers === 1 ? 'one layer' : `${count(layers)} layers`;
    const size =
      share === undefined ? '' : ` The layers would keep ${share} of their parameters; the run left ${was ?? ''}.`;
    return `Changed: ${what} in ${where}.${size} The repair and the output are those of the form in step 3.`;
  },
  otherModel:
    'This map is of another model than the one that is open; open it again in step 1 to prune it by this plan.',
} as const;

function part([kept, of]: [number, number]): string {
  return kept === of ? count(of) : `${count(kept)} of ${count(of)}`;
}

function changeOf({ before, after }: Change): string {
  return before === after ? short(before) : `${short(after)} of ${short(before)}`;
}
