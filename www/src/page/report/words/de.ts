import type { Translated } from '../../catalogue.ts';
import { bytes, count, duration, percent } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  print: 'Drucken oder als PDF speichern',
  close: 'Zurück zur Seite',
  tools: 'Was mit dem Bericht zu tun ist',
  title: (model: string) => `Bericht zum Pruning: ${model}`,
  documentTitle: (model: string, attempt: string) => `Coppice-Bericht, ${model}, ${attempt}`,
  made: (attempt: string, when: string, version: string) => `${attempt}. Gelaufen am ${when} mit Coppice ${version}.`,

  model: 'Modell und Lauf',
  class: 'Architektur',
  layers: 'Schichten',
  heads: 'Heads je Schicht',
  groups: 'Key/Value-Heads je Schicht',
  neurons: 'Neuronen je Schicht',
  hidden: 'Hidden Size',
  parameters: 'Parameter',
  weights: 'Gewichte',
  weightsAre: (size: number, types: readonly string[]) => `${bytes(size)}, ${types.join(' und ')}`,
  device: 'Gerät',
  deviceIs: (kind: string, name: string, backend: string, software: boolean) =>
    `${kind.toUpperCase()}: ${name} (${backend})${software ? ', ein Adapter, der ein Programm auf der CPU ist' : ''}`,
  why: 'Warum dieses Gerät',
  time: 'Dauer des Laufs',
  timeIs: (seconds: number) => `${duration(seconds)}, mit Pausen`,
  calibration: 'Text zur Kalibrierung',
  calibrationIs: (source: string, used: { lines: number; sequences: number; tokens: number } | undefined) =>
    used === undefined
      ? source
      : `${source}: ${count(used.sequences)} von ${count(used.lines)} Sequenzen, ${count(used.tokens)} Tokens`,
  evaluation: 'Text zum Vergleich',
  evaluationIs: (source: string, used: string) => `${source}: ${used}`,
  noEvaluation: 'keiner; die Güte wurde nicht gemessen',
  lines: (lines: number) => `${count(lines)} Zeilen`,
  tokens: (tokens: number, window: number) => `${count(tokens)} Tokens in Fenstern von ${count(window)}`,

  result: 'Vorher und nachher',
  speed: 'Tempo',
  map: 'Was in jeder Schicht bleibt',
  layersTitle: 'Schicht für Schicht',
  chart: 'Unter den anderen Versuchen',
  chartHint:
    'Die Zahlen sind die der Versuche; die gestrichelte Linie verbindet jene, die kein anderer in beidem schlägt.',

  methods: 'Methoden, und woher sie stammen',
  methodColumns: ['Teil', 'Methode', 'Was sie tut', 'Quelle'],
  roles: {
    criterion: 'Kriterium',
    allocation: 'Aufteilung',
    budgets: 'Budgets der Schichten',
    repair: 'Reparatur',
    update: 'Update',
    factorisation: 'Faktorisierung',
    singles: 'Neben den Rängen',
    plan: 'Plan',
  },
  singles: 'Einzelne Gewichte',
  singlesDo: 'Gewichte dessen, was das Produkt übrig lässt, einzeln behalten.',
  plan: 'Gegebener Plan',
  planDoes: 'Die bleibenden Einheiten waren aufgezählt, von Hand oder von einem früheren Lauf; nichts wurde bewertet.',
  noPaper: '–',
  methodsHint: 'Was von den Quellen abweicht, steht auf der Seite der Methoden (englisch).',

  recipe: 'Rezept',
  recipeColumns: ['Feld', 'Wert'],
  planFile: 'plan.json, eine Datei des Ausgabeordners',
  command: 'Dasselbe als Kommandozeile',

  caveats: 'Was zu bedenken ist',
  output: (title: string, summary: string) => `Geschrieben als „${title}“. ${summary}`,
  padded:
    'Einheiten, die dieses Format nicht weglassen kann, sind mit Nullen belegt, wie „Auffüllen“ es verlangt: Dort ist das Modell weder kleiner noch schneller.',
  measured: (sentence: string, rates: string, rounds: number, device: string) =>
    `${sentence} Das ist der Median von ${count(rounds)} Paaren auf ${device}: ${rates}.`,
  unmeasured:
    'Das Tempo dieses Modells wurde nicht gemessen. Weniger Operationen müssen nicht weniger Zeit sein: Das hängt vom Gerät ab und von dem Programm, das das Modell ausführt.',
  sample: (used: string) =>
    `Die Güte wurde an ${used} eines Textes gemessen; bei anderen Texten und Aufgaben kann sie anders leiden.`,
  noise: (share: number) =>
    `Durch Zufall allein liegt eine Genauigkeit auf so vielen Zeilen um etwa ${percent(share)} daneben.`,
  closeCalls: (calls: number) =>
    `${calls === 1 ? 'Eine Entscheidung war knapp' : `${count(calls)} Entscheidungen waren knapp`}: Ein anderes Gerät könnte sie anders treffen.`,
  singlesSlow:
    'Mit einzelnen Gewichten neben den Rängen läuft ein faktorisiertes Modell nicht schneller als das Original.',
  local:
    'Alles wurde in einem Browser auf einem Rechner berechnet; dieser Bericht enthält keinen Text und kein Gewicht.',
};
