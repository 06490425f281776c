import type { Translated } from '../../catalogue.ts';
import { count, fixed, percent } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  titleOne: 'Ausprobieren',
  titleBoth: 'Beide ausprobieren',
  attempt: (id: number, name: string) => `${id}. ${name}`,
  endings: {
    stop_token: 'Das Modell hat den Text beendet.',
    stop_text: 'Eine Stopp-Zeichenfolge kam.',
    max_tokens: 'So viele Tokens wie verlangt.',
    context_full: 'Der Kontext des Modells ist voll.',
    stopped: 'Angehalten.',
  },
  readingModel: 'Das Modell wird gelesen…',
  readingLayer: (layer: number, layers: number) => `Das Modell wird gelesen: Schicht ${layer} von ${layers}…`,
  writing: 'Schreibt…',
  none: '–',
  done: 'Fertig.',
  differ: (dense: number, pruned: number) =>
    dense + pruned === 0
      ? 'Wort für Wort gleich.'
      : `${count(dense)} Wörter des dichten und ${count(pruned)} des geprunten Textes sind markiert: Der andere hat dort keine solchen.`,
  faster: (ratio: number) =>
    ratio >= 1
      ? `Das geprunte Modell schrieb ${fixed(ratio, 2)}-mal so viele Tokens pro Sekunde.`
      : `Das geprunte Modell schrieb ${percent(ratio, 0)} der Tokens pro Sekunde des dichten.`,

  asking: 'Wird gefragt…',
  noSentence: 'Es gibt keinen Satz; einen ins Feld schreiben.',
  sentenceTable: 'Was die Modelle sagen',
  label: 'Label',
  dense: 'Dicht',
  pruned: 'Geprunt',
  predicted: 'vorhergesagt',
  agree: (label: string) => `Beide sagen „${label}“.`,
  disagree: (dense: string, pruned: string) => `Das dichte Modell sagt „${dense}“, das geprunte „${pruned}“.`,
  alone: (label: string) => `Das dichte Modell sagt „${label}“; nach dem Pruning antworten beide.`,
  class: (index: number) => `Klasse ${index}`,

  changed: 'Welche Vorhersagen sind anders?',
  reading: (which: 'dense' | 'pruned', done: number) =>
    `Der Vergleichstext wird gelesen, ${which === 'dense' ? 'dichtes' : 'gepruntes'} Modell: ${percent(done, 0)}`,
  noText:
    'Dieser Versuch wurde nicht an Zeilen mit Labels verglichen; einen anderen wählen, oder noch einmal mit einem Vergleichstext laufen lassen.',
  mismatch: 'Der Vergleichstext hat eine andere Zahl von Zeilen als die Antworten der Modelle; den Text neu wählen.',
  changedSome: (changed: number, of: number, better: number, worse: number) =>
    `${count(changed)} von ${count(of)} Vorhersagen sind anders: ${count(better)} wurden richtig, ${count(worse)} wurden falsch.`,
  changedNone: (of: number) => `Keine von ${count(of)} Vorhersagen ist anders.`,
  changedTable: 'Sätze, deren Vorhersage jetzt anders ist',
  sentence: 'Satz',
  truth: 'Wahres Label',
  became: { right: 'wurde richtig', wrong: 'wurde falsch', neither: 'vorher und nachher falsch' },
  first: (shown: number, of: number) =>
    `Die ersten ${count(shown)} von ${count(of)}; die mit der größten Änderung stehen vorn.`,
  stopped: 'Angehalten.',
};
