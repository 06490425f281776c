import type { Translated } from '../../catalogue.ts';
import { count, figure as threeDigits, percent, short } from '../../format.ts';
import type { Change, Kind } from '../view.ts';
import type { WORDS as ENGLISH } from './en.ts';

function figure(value: number): string {
  return threeDigits(value, 1e-4);
}

const NAMES = { heads: ['Head', 'Heads'], neurons: ['Neuron', 'Neuronen'] } as const;

export const WORDS: Translated<typeof ENGLISH> = {
  gridOfModel: 'Karte des Modells: seine Schichten von der Eingabe zur Ausgabe',
  gridOfResult: 'Karte des Plans: welche Einheiten jeder Schicht bleiben',
  figureOfModel: 'Das Modell, gezeichnet aus den Köpfen der Dateien',
  figureOfResult: 'Was in jeder Schicht bleibt',
  figureOfSparse: 'Wie viele Gewichte in jeder Matrix bleiben',
  figureOfRanks: 'Welcher Rang von jeder Matrix übrig ist',
  table: 'Dasselbe als Tabelle',
  tableOfModel: 'Das Modell als Tabelle',
  tableOfResult: 'Was bleibt, als Tabelle',
  captionOfUnits: 'Heads und Neuronen, die in jeder Schicht bleiben',
  captionOfLinears: 'Was von jeder Matrix übrig ist',

  layerColumn: 'Schicht',
  headsColumn: (grouped: boolean, queries: number | undefined) =>
    !grouped
      ? 'Attention: je Head eine Zelle'
      : queries === undefined
        ? 'Attention: je Key/Value-Head eine Zelle'
        : `Attention: eine Zelle je Key/Value-Head mit seinen ${count(queries)} Queries`,
  neuronsColumn: (sorted: boolean) => (sorted ? 'FFN: Neuronen, beste Scores zuerst' : 'FFN: Neuronen'),
  linearsColumn: 'Matrizen: Anteil der Parameter, der bleibt',
  sizeColumn: 'Parameter',
  errorColumn: (most: number) => `Fehler, 0 bis ${percent(most, 0)}`,

  keys: 'Pfeiltasten gehen von Zelle zu Zelle und von Schicht zu Schicht.',
  keysToEdit:
    'Ein Klick auf einen Head, oder Enter darauf, behält oder entfernt ihn; Enter auf dem Namen einer Schicht entfernt die ganze Schicht. Mit + und − behält eine Schicht mehr oder weniger ihrer besten Neuronen.',
  view: 'Zeigen',
  before: 'Vorher: alle Einheiten, was wegfällt schraffiert',
  after: 'Nachher: was übrig ist, im selben Maßstab',
  legendScores: 'Score',
  legendLow: 'niedrig',
  legendHigh: 'hoch',
  legendScale: 'Jede Tönung hat ein Siebtel der Heads des Modells, oder seiner Neuronen.',
  legendCarried: 'Die Scores sind die des Laufs, von dem der Plan stammt.',
  legendUnscored: 'Keine Scores: Diesem Lauf war sein Plan gegeben.',
  legendKept: 'bleibt',
  legendGone: 'fällt weg',
  legendClose: 'knapp',
  legendChanged: 'von Hand geändert',
  legendError: 'Fehler der Attention (oben) und des FFN (unten): Ring ohne Reparatur, Punkt mit ihr.',

  point: 'Auf eine Zelle zeigen oder mit der Tastatur hingehen: Dann stehen ihre Zahlen hier.',
  layer: (index: number) => `Schicht ${index + 1}`,
  removedLayer: 'die ganze Schicht fällt weg',
  unit: (kind: Kind, unit: number) => `${NAMES[kind][0]} ${count(unit)}`,
  group: (unit: number) => `Key/Value-Head ${count(unit)}`,
  cellOfNeurons: (first: number, last: number, ranked: boolean) =>
    ranked
      ? `Neuronen von Rang ${count(first)} bis ${count(last)}`
      : first === last
        ? `Neuron ${count(first)}`
        : `Neuronen ${count(first)} bis ${count(last)}`,
  kept: 'bleibt',
  gone: 'fällt weg',
  keptOf: (kept: number, of: number) =>
    kept === of ? 'alle bleiben' : kept === 0 ? 'alle fallen weg' : `${count(kept)} von ${count(of)} bleiben`,
  changed: 'Von Hand geändert.',
  changedUnits: (changed: number) => `${count(changed)} von Hand geändert.`,
  close: 'Knapp: Ein anderes Gerät könnte anders entscheiden.',
  closeUnits: (close: number) => `${count(close)} knappe ${close === 1 ? 'Entscheidung' : 'Entscheidungen'}.`,
  score: (score: number, place: number, of: number, placeInModel: number, ofModel: number) =>
    `Score ${figure(score)}: Rang ${count(place)} von ${count(of)} in der Schicht, ${count(placeInModel)} von ${count(ofModel)} im Modell (1 zählt am meisten).`,
  scores: (low: number, high: number, from: number, to: number, of: number) =>
    `Scores ${figure(low)} bis ${figure(high)}: Rang ${count(from)} bis ${count(to)} von ${count(of)} in der Schicht.`,
  widths: (heads: [number, number], neurons: [number, number], grouped: boolean) =>
    `${part(heads)} ${grouped ? 'Key/Value-Heads' : 'Heads'}, ${part(neurons)} Neuronen.`,
  parameters: (change: Change) => `${changeOf(change)} Parameter.`,
  flops: (change: Change) => `${changeOf(change)} Operationen je Token.`,
  flopsOfMatrices: (parameters: number) => `${short(2 * parameters)} Operationen je Token in den Matrizen.`,
  repaired: (kind: Kind, repair: string, without: number | undefined, after: number | undefined) => {
    const where = kind === 'heads' ? 'der Attention' : 'des FFN';
    if (without === undefined) return `Reparatur ${where}: ${repair}.`;
    if (after === undefined) return `Relativer Fehler ${where}: ${percent(without)} mit ${repair}.`;
    return `Relativer Fehler ${where}: ${percent(without)} ohne Reparatur, ${percent(after)} mit ${repair}.`;
  },
  fellBack: (repair: string, wanted: string, reason: string) =>
    `Es ist ${repair} statt ${wanted}; der Kern nennt den Grund: ${reason}.`,
  probe: (unit: string, kept: number, of: number, distance: number) =>
    `Mit ${count(kept)} von ${count(of)} ${unit === 'heads' ? 'Heads' : 'Neuronen'} nur hier bewegen sich die Antworten um ${figure(distance)}.`,
  linear: ({ tensor, with: others = [], shape: [outputs, inputs], kept, rank, singles, error, error_after: after }) => {
    const rest = `${count(kept)} von ${count(outputs * inputs)} Parametern bleiben (${percent(kept / (outputs * inputs))}).`;
    const beside = singles === undefined ? '' : ` und ${count(singles)} einzelne Gewichte`;
    const ranks = rank === undefined ? '' : ` Rang ${count(rank)} von ${count(Math.min(outputs, inputs))}${beside}.`;
    const wrong = error === undefined ? '' : ` Relativer Fehler ${percent(error)}`;
    const mended = error === undefined ? '' : after === undefined ? '.' : `, ${percent(after)} nach dem Update.`;
    return `${[tensor, ...others].join(' und ')}, ${count(outputs)} × ${count(inputs)}: ${rest}${ranks}${wrong}${mended}`;
  },
  embedding: 'Embedding',
  output: 'Ausgabe',
  embeddingIs: (vocabulary: number, hidden: number) => `${count(vocabulary)} Tokens × ${count(hidden)} Kanäle.`,
  outputs: {
    classifier: 'Ein Klassifikator liest die letzte Schicht.',
    masked_lm: 'Ein Kopf nennt das maskierte Token.',
    causal_lm: 'Ein Kopf nennt das nächste Token.',
    none: 'Kein Kopf: Die Zustände der letzten Schicht sind die Ausgabe.',
  },
  restIs: (change: Change) => `Kopf, Normen und Positionen: ${changeOf(change)} Parameter.`,
  channels: (kept: number, of: number) =>
    kept === of
      ? `Residualstrom von ${count(of)} Kanälen.`
      : `Residualstrom: ${count(kept)} von ${count(of)} Kanälen bleiben.`,

  tableColumns: {
    layer: 'Schicht',
    heads: 'Heads, die bleiben',
    headsGone: 'Entfernte Heads',
    neurons: 'Neuronen, die bleiben',
    parameters: 'Parameter',
    flops: 'Operationen je Token',
    attentionError: 'Fehler der Attention, ohne und mit Reparatur',
    ffnError: 'Fehler des FFN, ohne und mit Reparatur',
    matrix: 'Matrix',
    shape: 'Ausgaben × Eingaben',
    kept: 'Parameter, die bleiben',
    rank: 'Rang',
    error: 'Relativer Fehler',
    errorAfter: 'Nach dem Update',
  },
  tensors: (names: readonly string[]) => names.join(' und '),
  none: 'keine',
  unknown: '–',
  keptShare: (kept: number, of: number) => `${count(kept)} von ${count(of)} (${percent(kept / Math.max(of, 1), 0)})`,
  change: (change: Change) =>
    change.before === change.after ? count(change.before) : `${count(change.before)} → ${count(change.after)}`,
  errors: (without: number | undefined, after: number | undefined) =>
    without === undefined ? '–' : `${percent(without)} → ${after === undefined ? '–' : percent(after)}`,

  editTitle: 'Den Plan von Hand ändern',
  editLayer: 'In',
  everyLayer: 'jeder Schicht',
  editHeads: (grouped: boolean) =>
    grouped ? 'Key/Value-Heads, die bleiben, beste Scores zuerst' : 'Heads, die bleiben, beste Scores zuerst',
  editNeurons: 'Neuronen, die bleiben, beste Scores zuerst',
  editDiffer: (fewest: number, most: number) =>
    `Die Schichten sind verschieden: ${count(fewest)} bis ${count(most)} bleiben.`,
  editUnscored: 'Sie haben keine Scores, also gibt es keine besten.',
  cutLayer: 'Die ganze Schicht entfernen',
  keepLayer: 'Die Schicht behalten',
  lastUnit: (kind: Kind) =>
    `Mindestens ein ${NAMES[kind][0]} muss in einer Schicht bleiben; sonst die ganze Schicht entfernen.`,
  lastLayer: 'Mindestens eine Schicht muss bleiben.',
  prune: 'Nach diesem Plan prunen',
  undo: 'Änderungen zurücknehmen',
  save: 'Den Plan speichern',
  unchanged: 'Das ist der Plan des Laufs.',
  edited: (
    units: { heads: number; neurons: number },
    layers: number,
    share: string | undefined,
    was: string | undefined,
  ) => {
    const parts = (['heads', 'neurons'] as const).filter((kind) => units[kind] > 0);
    const what = parts.map((kind) => `${count(units[kind])} ${NAMES[kind][units[kind] === 1 ? 0 : 1]}`).join(' und ');
    const where = layers === 1 ? 'einer Schicht' : `${count(layers)} Schichten`;
    const size =
      share === undefined ? '' : ` Die Schichten behielten ${share} ihrer Parameter; der Lauf ließ ${was ?? ''}.`;
    return `Geändert: ${what} in ${where}.${size} Reparatur und Ausgabe sind die des Formulars in Schritt 3.`;
  },
  otherModel:
    'Diese Karte gehört zu einem anderen Modell als dem offenen; es in Schritt 1 wieder öffnen, um es nach diesem Plan zu prunen.',
};

function part([kept, of]: [number, number]): string {
  return kept === of ? count(of) : `${count(kept)} von ${count(of)}`;
}

function changeOf({ before, after }: Change): string {
  return before === after ? short(before) : `${short(after)} von ${short(before)}`;
}
