import type { Translated } from '../../catalogue.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  kinds: {
    structured: 'Heads, Neuronen, Schichten oder Kanäle fallen weg: Das Modell wird überall kleiner und schneller.',
    sparse: 'Nullen unter den Gewichten: Gepackt wird die Datei kleiner; auf WebGPU läuft nichts schneller.',
    low_rank: 'Aus jedem Gewicht werden zwei schmale: kleiner, und schneller, wo die Ränge niedrig sind.',
    plan: 'Die Einheiten, die ein Plan aufzählt, bleiben, und nichts wird bewertet; wie der Rest repariert wird, ist hier zu wählen.',
  },

  setOfDecoder: 'So viele Abschnitte von so vielen Tokens werden aus dem Text gezogen.',
  setOfEncoder: 'Höchstens so viele werden aus dem Text gezogen, und längere werden gekürzt.',
  heads: 'Attention-Heads',
  groups: 'Key/Value-Heads mit ihren Queries',
  advice: {
    layersAndHidden:
      'Ein Anteil lässt sich nicht auf Schichten und Hidden-Kanäle aufteilen: erst die einen entfernen, dann aus dem Ergebnis die anderen.',
    padHidden: 'Hidden-Kanäle lassen sich nicht mit Nullen auffüllen: „Auffüllen“ oder sie weglassen.',
    hiddenAlone: (family: string) =>
      `In einer üblichen Config von ${family} füllen Heads die Hidden-Kanäle: auch Heads ankreuzen, oder die Art der Ausgabe „Sliced“ wählen.`,
    misfits: (family: string, units: readonly string[]) => {
      const names: Record<string, string> = { heads: 'Heads', neurons: 'Neuronen' };
      const named = units.map((unit) => names[unit] ?? unit);
      return `Eine übliche Config von ${family} kann nicht weniger ${named.join(' oder ')} fassen: die Art der Ausgabe „Sliced“ wählen, „Auffüllen“ ankreuzen, oder ${named.join(' und ')} in Ruhe lassen.`;
    },
  },

  noUnits: 'Es ist nichts gewählt, was wegfallen soll; in Schritt 3 ankreuzen, was wegfallen darf.',
  number: (what: string, least: number, whole: boolean) =>
    `${what} muss ${whole ? 'eine ganze Zahl' : 'eine Zahl'} von mindestens ${least} sein; in Schritt 3 ändern.`,
  share: (what: string, least: string, most: string) =>
    `${what} muss ein Prozentsatz sein, ${least} und ${most}; in Schritt 3 ändern.`,
  bounds: { zero: 'mindestens 0', above: 'über 0', most: 'höchstens 100', below: 'unter 100' },
  ratioWhole: (percent: number) =>
    `Der Anteil ist ${percent} %, und etwas muss bleiben; in Schritt 3 weniger als 100 % verlangen.`,
  fields: {
    ratio: 'Der Anteil',
    sequences: 'Die Zahl der Sequenzen zur Kalibrierung',
    length: 'Die Zahl der Tokens je Sequenz',
    seed: 'Der Seed',
    swaps: 'Die Zahl der Tausche',
    screen: 'Die Vorauswahl',
    score_sequences: 'Die Zahl der Sequenzen für die Scores',
    floor: 'Die Untergrenze',
    ridge: 'Der Ridge',
    single_share: 'Der Anteil der einzelnen Gewichte',
  },

  notJson: (why: string) => `Das ist kein gültiges JSON (${why}); dort verbessern und noch einmal anwenden.`,
  emptyText: 'Es ist nichts anzuwenden; ein Rezept einfügen, oder das des Formulars wieder zeigen.',
  noObject: 'Ein Rezept ist ein JSON-Objekt, in geschweiften Klammern; ein Beispiel steht im README.',
  tooLarge: (name: string, size: string, most: string) =>
    `${name} hat ${size}, und kein Rezept hat mehr als ${most}; eine andere Datei wählen.`,
  noRecipeInCard: (name: string) =>
    `${name} enthält kein Rezept; recipe.json, report.json, plan.json oder das README.md eines geprunten Modells wählen.`,
  bigNumber: (path: string) =>
    `${path} im Rezept ist zu groß für einen Browser, der bis 9007199254740991 zählt; eine kleinere Zahl wählen.`,
  planByName: (name: string) =>
    `method.plan im Rezept nennt die Datei ${name}, die die Seite nicht lesen kann; stattdessen diese Datei importieren, oder den Plan an die Stelle seines Namens setzen.`,
  noPlan:
    'method.plan im Rezept ist kein Plan: "layers" muss für jede Schicht ein Objekt mit den Listen "heads" und "neurons" der bleibenden Einheiten haben.',
  notOffered: (path: string, value: string, choices: readonly string[]) =>
    `${path} im Rezept ist ${value}, was nicht zum Rest passt; ${choices.join(', ')} wählen.`,
  cannot: (path: string, value: string) => `${path} im Rezept kann hier nicht ${value} sein; das ändern.`,
  checking: 'Das Rezept wird geprüft; während ein Lauf im Gang ist, wartet das auf sein Ende.',
  applied: 'Das Formular hat nun das Rezept.',
  otherText: (what: 'calibration' | 'evaluation', name: string, taken: string) =>
    `Es wurde mit dem Text ${name} zur ${what === 'calibration' ? 'Kalibrierung' : 'Messung'} gemacht; die Seite nimmt ${taken}, wie Schritt 2 sagt.`,

  import: 'Rezept importieren',
  save: 'Als recipe.json speichern',
  saved: 'recipe.json liegt bei den Downloads.',
  recipeFile: 'recipe.json',
  hint: 'Der Import nimmt recipe.json, report.json, plan.json oder README.md eines geprunten Modells; die Datei lässt sich auch hier ablegen.',
  also: 'Außerdem gesetzt, ohne Feld oben:',
  drop: 'Weglassen',
  dropOne: (name: string) => `${name} aus dem Rezept weglassen`,
  planOf: (layers: number, heads: number, neurons: number) =>
    `ein Plan, der ${heads} Heads und ${neurons} Neuronen in ${layers} Schichten behält`,
  json: 'Dieses Rezept als JSON',
  jsonLabel: 'Rezept als JSON',
  jsonHint: 'Hier ändern und anwenden; das Formular folgt, und wofür es kein Feld hat, bleibt erhalten.',
  changedHere: 'Hier geändert und noch nicht angewandt.',
  formChanged: 'Hier geändert und noch nicht angewandt; auch das Formular ist seither anders.',
  apply: 'Anwenden',
  revert: 'Das des Formulars wieder zeigen',
  copy: 'Kopieren',
  copied: 'Kopiert',
  copyByHand: 'Den Text markieren und von Hand kopieren',
  command: 'Dieses Rezept als Kommandozeile',
  commandLabel: 'Rezept als Kommandozeile',
  commandHint: (model: string, texts: readonly string[]) =>
    `Für eine POSIX-Shell, in dem Ordner, in dem der Ordner ${model} des Modells und ${texts.join(' und ')} liegen; coppice-recipe.json wird dort geschrieben.`,
  again: 'Sein Rezept ins Formular holen',
};
