import type { Translated } from '../../catalogue.ts';
import { bytes, count } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  title: 'Was dieser Browser aufbewahrt',
  titleWith: (size: string) => `Was dieser Browser aufbewahrt: ${size}`,
  newer: 'Eine neuere Version der Seite ist da; sie gilt ab dem nächsten Laden.',
  caption: 'Was diese Seite in diesem Browser aufbewahrt',
  columns: ['Was', 'Größe', 'Wofür', 'Ändern'],
  page: 'Diese Seite',
  pageUse: 'öffnet sich ohne Netz; eine neuere Version wird im Hintergrund geholt und beim nächsten Laden benutzt',
  demo: (title: string) => `Demo: ${title}`,
  demoUse: 'Modell und Texte für den Gebrauch ohne Netz; nur aufbewahrt, wo es verlangt wird',
  scratch: 'Hilfsdatei eines Laufs',
  scratchUse: 'Statistiken, die nicht in den Arbeitsspeicher passen, bis der Lauf endet',
  note: 'Die Wahl, nichts aufzubewahren',
  noteUse: 'eine leere Notiz, da die Seite es beim nächsten Besuch sonst nicht wüsste',
  none: 'nicht aufbewahrt',
  nothing: 'nichts',
  empty: 'null Byte',
  keep: 'Aufbewahren',
  keepThis: (what: string, size: number) => `${what} aufbewahren${size > 0 ? `, ${bytes(size)}` : ''}`,
  clear: 'Löschen',
  clearThis: (what: string) => `${what} löschen`,
  keepDemos: (size: number) => `Alle Demo-Modelle für den Gebrauch ohne Netz aufbewahren (${bytes(size)})`,
  clearAll: 'Alles löschen',
  later: 'Die Seite auch bei späteren Besuchen aufbewahren',
  laterHint:
    'Ohne Haken wird die Seite jetzt gelöscht, und der Browser behält eine leere Notiz, damit auch spätere Besuche nichts aufbewahren.',
  others: 'Die Seite benutzt keine Cookies, keinen Local Storage und keine Datenbank.',
  total: (used: number, room: number) =>
    `Der Browser zählt ${bytes(used)} für diese Adresse, von ${bytes(room)}, die er erlaubt; er rundet auf, und Seiten neben dieser zählen mit.`,
  noTotal: 'Dieser Browser sagt nicht, wie viel er für diese Adresse aufbewahrt.',
  policy: [
    'Was wodurch gehalten wird: Die Content Security Policy der Seite hindert die Seite und den Worker des Rechenkerns daran, etwas an eine andere Adresse zu senden.',
    'Der Service Worker, der ohne Netz antwortet, hat auf den meisten Servern keine solche Regel; seine wenigen Zeilen fragen nur nach Dateien dieser Seite.',
    'Navigation erfasst keine solche Regel: Ein Link führt von dieser Seite weg, und ein Browser würde eine Seite nicht hindern, den Tab mit etwas darin an eine andere Adresse zu schicken; WebRTC erfasst sie auch nicht. Der Code dieser Seite schickt den Tab an keine Adresse außer ihrer eigenen und benutzt kein WebRTC.',
  ].join(' '),
  insecure: 'Der Gebrauch ohne Netz braucht https oder localhost: Hier lässt der Browser die Seite nichts aufbewahren.',
  unsupported:
    'Dieser Browser hat keinen Service Worker für diese Seite, wie in manchen privaten Fenstern: Er bewahrt nichts für den Gebrauch ohne Netz auf.',
  keeping: (what: string, size: number) => `Wird aufbewahrt: ${what}${size > 0 ? `, ${bytes(size)}` : ''}…`,
  keptPage: 'Die Seite ist aufbewahrt: Sie öffnet sich ohne Netz.',
  kept: (what: string) => `Für den Gebrauch ohne Netz aufbewahrt: ${what}.`,
  keptDemos: (number: number) => `Alle ${count(number)} Demo-Modelle sind für den Gebrauch ohne Netz aufbewahrt.`,
  clearedPage:
    'Die Seite ist gelöscht und wird bei diesem Besuch nicht wieder aufbewahrt. Der nächste Besuch bewahrt sie wieder auf, sofern der Haken unten gesetzt bleibt.',
  cleared: (what: string) => `Gelöscht: ${what}.`,
  clearedAll: 'Alles ist gelöscht, und bei diesem Besuch wird nichts wieder aufbewahrt, sofern es nicht verlangt wird.',
  clearedAllButScratch:
    'Alles ist gelöscht außer der Hilfsdatei eines laufenden Laufs, die entfernt wird, wenn er endet.',
  scratchInUse: 'Die Hilfsdatei wird von einem Lauf benutzt; sie wird entfernt, wenn er endet.',
  never: 'Von jetzt an wird nichts aufbewahrt, auch nicht bei späteren Besuchen.',
  pageNotKept: (why: string) =>
    `Die Seite konnte nicht aufbewahrt werden (${why}); die Verbindung prüfen, die Seite neu laden und es noch einmal versuchen.`,
  demoNotKept: (what: string, why: string) =>
    `${what} konnte nicht aufbewahrt werden (${why}); die Verbindung und den Platz auf diesem Datenträger prüfen und es noch einmal versuchen.`,
  notCleared: (what: string, why: string) =>
    `${what} konnte nicht gelöscht werden (${why}); andere Tabs dieser Seite schließen und es noch einmal versuchen.`,
  installFailed: 'eine Datei kam nicht, oder nicht so, wie sie gebaut wurde',
};
