import type { Translated } from '../../catalogue.ts';
import { bytes, fixed, GAP, rounded } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

const share = (part: number) => `${rounded(100 * part, 1)}${GAP}%`;
const seconds = (value: number) => `${fixed(value, value < 1 ? 2 : 1)}${GAP}s`;

export const WORDS: Translated<typeof ENGLISH> = {
  kept: (held: number) =>
    `Statistiken des letzten Laufs werden verwendet, soweit sie reichen; ${bytes(held)} sind aufgehoben.`,
  keptOfOther: (held: number) =>
    `Statistiken eines Laufs mit anderen Einstellungen von Kalibrierung oder Vergleich sind bis zum nächsten Lauf aufgehoben: ${bytes(held)}.`,
  release: 'Freigeben',

  title: 'Einen anderen Anteil versuchen',
  ratio: 'Anteil der Parameter in den Schichten, der entfernt wird',
  number: 'Anderer Anteil in Prozent',
  hint: 'Macht mit den Statistiken des letzten Laufs einen neuen Plan, eine einfache Reparatur und eine neue Karte; gemessen wird erst auf Wunsch.',
  measure: 'Messen',
  refine: 'Mit fehlerbewusster Reparatur verfeinern',
  stop: 'Anhalten',
  starting: 'Startet…',
  wrong:
    'Der Anteil für den Versuch muss eine Zahl von 0 bis unter 95 Prozent sein; eine andere eingeben oder den Regler bewegen.',
  otherTexts:
    'Die Statistiken dieses Versuchs sind weg, und die Texte in Schritt 2 sind nicht die, mit denen er gemacht wurde; sie wieder auswählen oder in Schritt 4 einen Lauf starten.',
  cancelled: 'Angehalten; der gezeigte Versuch bleibt, wie er war.',
  tried: (part: number, took: number, anew: boolean) =>
    anew
      ? `${share(part)}: neuer Plan, Reparatur und Karte in ${seconds(took)}, mit Statistiken, die erst gesammelt werden mussten.`
      : `${share(part)}: neuer Plan, Reparatur und Karte in ${seconds(took)}.`,
  refined: (part: number, took: number) => `${share(part)} mit fehlerbewusster Reparatur in ${seconds(took)}.`,
  measured: (took: number) => `Gemessen in ${seconds(took)}.`,
  unmeasured: 'Wie gut er ist, ist noch nicht gemessen.',
};
