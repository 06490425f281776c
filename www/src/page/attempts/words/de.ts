import type { Translated } from '../../catalogue.ts';
import { bytes, count, fixed, GAP, percent, rounded } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  aware: ' (fehlerbewusst)',
  plan: 'Plan von Hand',
  ranks: 'Ränge',
  joint: 'gemeinsame Faktoren',
  singles: 'einzelne Gewichte',
  share: (ratio: number) => `${rounded(ratio * 100, 1)}${GAP}%`,
  again: (name: string, number: number) => `${name} (${number})`,

  empty:
    'Jeder beendete Lauf bleibt hier, bis der Tab geschlossen wird: benennen, wieder ansehen, mit anderen vergleichen.',
  caption: (model: string) => `Versuche an ${model}`,
  model: 'Modell',
  columns: {
    choose: 'Vergleichen',
    name: 'Name',
    removed: 'Entfernt',
    size: 'Gewichte',
    speed: 'Tempo',
    actions: 'Aktionen',
  },
  dense: 'Dichtes Modell',
  choose: (name: string) => `${name} vergleichen`,
  nameOf: (number: number) => `Name von Versuch ${number}`,
  show: 'Zeigen',
  shown: 'Oben gezeigt',
  showOne: (name: string) => `${name} im Abschnitt „Ergebnis“ zeigen`,
  remove: 'Löschen',
  removeOne: (name: string) => `${name} löschen`,
  removed: (name: string, size: number) => `${name} ist gelöscht, mit Dateien von ${bytes(size)}.`,
  undo: 'Rückgängig machen',
  restored: (name: string) => `${name} ist wieder da.`,
  kept: (attempts: number, size: number) =>
    `${attempts === 1 ? 'Ein Versuch' : `${count(attempts)} Versuche`} mit Dateien von ${bytes(size)} zum Speichern. Nichts davon überdauert diesen Tab.`,
  csv: 'Alle als CSV speichern',
  csvFile: 'coppice-attempts.csv',
  csvSaved: (attempts: number) =>
    `coppice-attempts.csv hat ${attempts === 1 ? 'eine Zeile' : `${count(attempts)} Zeilen`}, alle Modelle zusammen.`,
  added: (name: string) => `${name} bleibt unter den Versuchen.`,
  of: (name: string, model: string) => `${name}, an ${model}`,

  measure: 'Messen',
  measureOne: (name: string) => `Das Tempo von ${name} gegen das dichte Modell messen`,
  measureAll: 'Tempo messen',
  stopMeasuring: 'Messung beenden',
  measuring: (name: string, round: number, rounds: number) => `${name} wird gemessen: Runde ${round} von ${rounds}…`,
  reading: (name: string) => `${name} wird gemessen: beide Modelle werden gelesen…`,
  measured: (name: string, ratio: number) =>
    ratio >= 1
      ? `${name} ist ${fixed(ratio, 2)}-mal so schnell wie das dichte Modell.`
      : `${name} hat ${percent(ratio, 0)} des Tempos des dichten Modells.`,
  measureStopped: 'Beendet; nichts wurde gemessen.',
  allMeasured: 'Alle Versuche an diesem Modell sind gemessen.',
  times: (ratio: number) => `${fixed(ratio, 2)}${GAP}×`,
  rates: (what: 'tokens' | 'sentences', dense: number, pruned: number) =>
    `${fixed(dense, 1)} und ${fixed(pruned, 1)} ${what === 'tokens' ? 'Tokens' : 'Sätze'} pro Sekunde, dicht und geprunt`,
  speedHint:
    'Tempo: das dichte und das geprunte Modell abwechselnd auf diesem Gerät; es zählt der Median der Paare. Decoder schreiben Tokens, Encoder lesen Sätze des Vergleichstextes, mitsamt den Gewichten.',
  noSentences: 'Es gibt keine Sätze zum Messen; noch einmal mit einem Vergleichstext laufen lassen.',

  noTokens: 'Eines der Modelle beendet seinen Text gleich nach dem Prompt; so gibt es kein Token zu messen.',

  chart: 'Güte gegen Größe',
  up: 'Güte',
  across: 'Größe',
  text: 'Gemessen an',
  chartHint: 'Pfeiltasten gehen von Punkt zu Punkt; Enter zeigt einen Versuch im Abschnitt „Ergebnis“.',
  chartLabel: (up: string, across: string) => `${up} gegen ${across}, ein Punkt je Versuch`,
  point: (name: string, up: string, upTitle: string, across: string, acrossTitle: string) =>
    `${name}: ${upTitle} ${up}, ${acrossTitle} ${across}`,
  denseMark: 'dicht',
  front: 'Die gestrichelte Linie verbindet Versuche, die kein anderer in beidem schlägt.',
  missing: (attempts: number) =>
    attempts === 1
      ? 'Einem Versuch fehlt eine der beiden Zahlen.'
      : `${count(attempts)} Versuchen fehlt eine der beiden Zahlen.`,
  noPoints: {
    time: 'Noch hat kein Versuch ein gemessenes Tempo: oben „Tempo messen“ drücken.',
    quality: 'Noch wurde kein Versuch vorher und nachher verglichen: in Schritt 2 einen Vergleichstext wählen.',
  },
  table: 'Dasselbe als Tabelle',
  attempt: 'Versuch',
  onTokens: (source: string, tokens: number, window: number) =>
    `${source}, ${count(tokens)} Tokens in Fenstern von ${count(window)}`,
  onLines: (source: string, lines: number) => `${source}, ${count(lines)} Zeilen`,

  differences: 'Unterschiede',
  tick: 'Zwei Versuche oder mehr ankreuzen, um zu sehen, was sie unterscheidet.',
  comparing: (attempts: number) => `${count(attempts)} Versuche nebeneinander.`,
  sameRecipe: 'Ihre Rezepte sind gleich.',
  recipe: 'Rezept',
  figuresTitle: 'Zahlen',
  best: 'bester',
  none: '–',
  yes: 'ja',
  no: 'nein',
  device: 'Gerät',
  seconds: 'Dauer des Laufs',
  measuredOn: 'Verglichen an',
  values: {
    structured: 'ganze Einheiten',
    sparse: 'einzelne Gewichte',
    low_rank: 'Ränge',
    plan: 'nach einem Plan',
    heads: 'Heads',
    neurons: 'Neuronen',
    layers: 'Schichten',
    hidden: 'Hidden-Kanäle',
  },
  byHand: (kept: number) => `von Hand, ${count(kept)} Einheiten`,

  figures: {
    accuracy: 'Genauigkeit',
    perplexity: 'Perplexität',
    token_accuracy: 'Nächste Tokens richtig geraten',
    kl: 'Divergenz (KL, Nats)',
    distance: 'Abstand der Hidden States',
    parameters: 'Parameter',
    linear_parameters: 'Parameter in den Schichten',
    bytes: 'Gewichte als Datei',
    flops: 'FLOPs je Token',
    time: 'Gemessene Zeit, Anteil des dichten',
  },

  headings: { kl: 'KL, Nats', distance: 'Abstand' },

  fields: {
    'calibration/source': 'Text zur Kalibrierung',
    'calibration/sequences': 'Sequenzen',
    'calibration/length': 'Tokens je Sequenz',
    'calibration/seed': 'Seed',
    'method/kind': 'Art',
    'method/units': 'Was wegfällt',
    'method/criterion': 'Kriterium',
    'method/allocation': 'Aufteilung',
    'method/ratio': 'Anteil',
    'method/pattern': 'Muster',
    'method/layer_budgets': 'Budgets der Schichten',
    'method/update': 'Update',
    'method/factorisation': 'Faktorisierung',
    'method/plan': 'Plan',
    'method/reconstruction': 'Reparatur',
    'method/ridge': 'Ridge',
    'method/affine': 'Biases angepasst',
    'method/error_aware': 'Fehlerbewusst',
    'method/target': 'Ziel',
    'method/swaps': 'Tausche',
    'method/screen': 'Vorauswahl',
    'method/score_sequences': 'Sequenzen für Scores',
    'method/floor': 'Untergrenze',
    'output/kind': 'Ausgabe',
    'output/dtype': 'Zahlenformat',
    'output/pad': 'Aufgefüllt',
    'evaluation/source': 'Text zum Vergleich',
    'evaluation/limit': 'Verglichen an höchstens',
    'evaluation/window': 'Tokens je Fenster',
  },
};
