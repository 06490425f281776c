import type { Translated } from '../../catalogue.ts';
import { bytes, duration, fixed } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  phases: {
    open: 'Öffnen',
    evaluate_dense: 'Vorher messen',
    calibrate: 'Kalibrieren',
    score: 'Scores',
    reconstruct: 'Rekonstruieren',
    export: 'Dateien anlegen',
    evaluate_pruned: 'Nachher messen',
  },
  starting: 'Startet',
  layer: (title: string, layer: number, layers: number) => `${title}, Schicht ${layer} von ${layers}`,
  leftInStep: (seconds: number) => `noch etwa ${duration(seconds)} in diesem Schritt`,
  leftInAll: (seconds: number) => `etwa ${duration(seconds)}`,
  unknown: 'noch nicht bekannt',
  soFar: (seconds: number) => `bisher ${duration(seconds)}`,
  pause: 'Pause',
  resume: 'Weiter',
  paused: 'Pause: Das Gerät ruht, und was der Lauf dort hält, bleibt.',
  resumed: 'Es geht weiter.',
  pausedFor: (seconds: number) => `${duration(seconds)} Pause`,

  gauges: {
    left: 'Rest insgesamt',
    rate: 'Schichten',
    device: 'Gerät',
    memory: 'Auf dem Gerät',
    heap: 'Speicher des Programms',
  },
  rate: (layers: number) => (layers >= 1 ? `${fixed(layers, 1)} pro Sekunde` : `je ${fixed(1 / layers, 1)}\u00a0s`),
  memory: (live: number, peak: number) => `${bytes(live)}, höchstens ${bytes(peak)}`,
  heap: (size: number) => bytes(size),

  running: 'Wie der Lauf vorangeht',
  ended: 'Wie der letzte Lauf verlief',
  perLayer: 'Sekunden je Schicht',
  share: 'Erledigter Anteil jedes Schritts',
  device: 'Speicher auf dem Gerät',
  most: (size: string) => `höchstens ${size}`,
  bar: (layer: number, seconds: number) => `Schicht ${layer}: ${fixed(seconds, 2)}\u00a0s`,
  seconds: (seconds: number) => `${seconds < 10 ? fixed(seconds, 2) : fixed(seconds, 0)}\u00a0s`,
  table: 'Dasselbe als Tabelle',
  tableCaption: 'Sekunden jedes Schritts und jeder Schicht, Anteil und Speicher',
  column: 'Schicht',
  whole: 'Ganzer Schritt',
  done: 'Erledigter Anteil',
  none: '–',
};
