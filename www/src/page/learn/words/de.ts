import type { Translated } from '../../catalogue.ts';
import { bytes, count, figure as threeDigits, fixed, percent } from '../../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

const figure = (value: number) => threeDigits(value, 1e-3, 1e5);

const REPAIRS = { none: 'keine Reparatur', bias: 'Bias-Ausgleich', liar: 'LIAR' };

export const WORDS: Translated<typeof ENGLISH> = {
  panel: 'Lernen',
  close: 'Schließen; beim nächsten Öffnen geht es hier weiter',
  views: { walk: 'Rundgang', lab: 'Übungsblatt' },
  viewsLabel: 'Womit lernen',

  step: (number: number, of: number) => `Schritt ${count(number)} von ${count(of)}`,
  back: 'Zurück',
  next: 'Weiter',
  again: 'Von vorn',
  toLab: 'Weiter zum Übungsblatt',
  goThere: 'Dorthin gehen',
  goThereAll: 'Dorthin gehen: zu dem Teil der Seite, auf den dieser Schritt zeigt',
  resume: (number: number, of: number) => `Rundgang fortsetzen: Schritt ${count(number)} von ${count(of)}`,
  running: 'Der Lauf ist im Gang; der Abschnitt „Lauf“ zeigt, wie weit er ist.',
  busy: 'Auf der Seite läuft etwas anderes; das Ende abwarten oder es dort abbrechen.',
  failed: 'Der Lauf kam nicht zum Ende; die Seite sagt, warum. Ein neuer Versuch ist möglich.',
  done: 'Fertig: Die Zahlen oben sind die dieses Laufs.',
  table: 'Dasselbe als Tabelle',
  unknown: 'nicht gemessen',
  layer: (number: number) => `Schicht ${count(number)}`,

  steps: {
    model: {
      title: 'Ein Modell zum Hineinsehen',
      none: 'Pruning macht ein trainiertes Netz kleiner, indem es herausnimmt, was am wenigsten beiträgt. Dieser Rundgang tut das einmal, an einem echten Modell, auf dieser Seite. Hier eine der Demos öffnen, oder in Schritt 1 einen eigenen Ordner.',
      open: (name: string, layers: number, parameters: number) =>
        `${name} ist offen: ${count(layers)} ${layers === 1 ? 'Schicht' : 'Schichten'}, ${count(parameters)} Parameter. Für diese Beschreibung wurden nur die Köpfe der Dateien gelesen, nicht die Gewichte.`,
      share: (share: number) =>
        `${percent(share)} der Parameter liegen in den linearen Schichten der Blöcke. Davon kann hier etwas wegfallen; Embeddings und Normen bleiben. Jeder Anteil auf dieser Seite ist ein Anteil davon.`,
      rest: 'Alles Weitere wird mit den Zahlen dieses Modells gesagt. Der Rundgang lässt sich jederzeit schließen: Er geht dort weiter, wo er aufgehört hat.',
    },
    units: {
      title: 'Einheiten: Heads und Neuronen',
      none: 'Erst ein Modell öffnen: einen Schritt zurück.',
      what: 'Eine Schicht tut zwei Dinge nacheinander. In der Attention sehen Tokens einander an, mit Heads; das Feed-Forward-Netz (FFN) arbeitet an jedem Token für sich, mit Neuronen. Beides sind Einheiten: Alles, was zu einer gehört, lässt sich aus den Matrizen herausschneiden, und übrig bleibt ein kleineres dichtes Modell.',
      widths: (heads: string, neurons: string, grouped: boolean) =>
        `Die Karte zeichnet jede Schicht dieses Modells als Zeile: ${heads} ${grouped ? 'Key/Value-Heads, jeder mit den Query-Heads, die ihn lesen,' : 'Heads'} und ${neurons} Neuronen.`,
      neuron: (parameters: number) =>
        `Ein Neuron hat ${count(parameters)} Parameter: die Gewichte, die es bilden, und die, die es lesen.`,
      head: (parameters: number, neurons: number) =>
        `Ein Head hat ${count(parameters)}, so viele wie ${count(Math.round(neurons))} Neuronen.`,
      unsized: 'Wie viele Parameter eine davon hat, sagen die Köpfe der Dateien dieses Modells nicht.',
    },
    calibration: {
      title: 'Was die Kalibrierung sieht',
      what: 'Keine Labels und kein Training: Die Kalibrierung liest etwas Text und beobachtet, was in jede Schicht hineingeht. So entscheidet der Text, was zählt. Er sollte dem gleichen, was dem Modell begegnen wird.',
      excerpt: (name: string) => `So beginnt er (${name}):`,
      noText: 'Es ist noch kein Text zur Kalibrierung gewählt; einen in Schritt 2 wählen.',
      will: (sequences: number, length: number) =>
        `Der nächste Schritt zieht daraus höchstens ${count(sequences)} Sequenzen von höchstens ${count(length)} Tokens. Ernste Arbeit will mehr (die Zahlen des Formulars); dies ist ein Rundgang.`,
      used: (sequences: number, tokens: number, longest: number) =>
        `Der Lauf las ${count(sequences)} Sequenzen, zusammen ${count(tokens)} Tokens, die längste von ${count(longest)}.`,
      statistic:
        'Von jedem Token bleiben nur Summen, die Statistiken. Mit x als dem, was n Neuronen einer Schicht für ein Token geben:',
      sums: (neurons: number, numbers: number) =>
        `In einer Schicht mit ${count(neurons)} Neuronen sind das ein Mittelwert, ein Mittel der Quadrate und für die Interpolation die Gram-Matrix G, ${count(numbers)} verschiedene Zahlen, so lang der Text auch ist.`,
    },
    run: {
      title: 'Ein echter Lauf',
      what: (ratio: number) =>
        `Nun fallen ${percent(ratio, 0)} der Parameter der Schichten weg, alles davon Neuronen, in jeder Schicht ein gleich großer Anteil. Die Scores von FLAP sagen, welche; LIAR repariert, was bleibt. Danach werden beide Modelle an etwas Text verglichen.`,
      small:
        'Es ist mit Absicht ein kleiner Lauf, damit er nicht lange dauert; seine Zahlen sind gröber als die eines großen.',
      button: 'Jetzt prunen',
      again: 'Noch einmal prunen',
      kept: (kept: string, of: string) => `${kept} von ${of} Neuronen bleiben in jeder Schicht.`,
      seconds: (seconds: number, device: string) => `Es dauerte ${fixed(seconds, 1)} Sekunden auf der ${device}.`,
      listed: 'Das Ergebnis steht unten, und unter den Versuchen am Ende der Seite.',
    },
    score: {
      title: 'Was ein Score bedeutet',
      needs: 'Der Rundgang hat dieses Modell noch nicht geprunt; das ist der Schritt davor.',
      what: 'Ein Score schätzt, was verloren geht, wenn eine Einheit wegfällt. Der von FLAP ist die Varianz dessen, was ein Neuron gibt, über den Text der Kalibrierung, mal die quadrierte Länge der Gewichte, die es lesen:',
      why: 'Ein Neuron, das kaum schwankt, kann wegfallen, auch wenn es viel gibt: Was konstant ist, passt in einen Bias.',
      layer: 'Schicht',
      of: (number: number, units: number) => `Schicht ${count(number)} hat ${count(units)} Neuronen. Ihre Scores:`,
      top: (unit: number, score: number) => `Neuron ${count(unit)}: ${figure(score)}`,
      rows: {
        top: 'Höchster',
        median: 'In der Mitte',
        lastKept: 'Niedrigster, der bleibt',
        firstGone: 'Höchster, der wegfällt',
        low: 'Niedrigster',
      },
      times: (times: number) => `Der höchste ist ${figure(times)}-mal der in der Mitte.`,
      flat: 'Der höchste liegt kaum über dem in der Mitte: Hier unterscheidet der Score die Einheiten nur wenig.',
      tenth: (share: number) =>
        `Das Zehntel der Neuronen mit den höchsten Scores hat ${percent(share, 0)} ihrer Summe.`,
      dead: 'Der in der Mitte ist 0: Mindestens die Hälfte dieser Neuronen schwankt auf diesem Text nie.',
      chart: (number: number) =>
        `Scores von Schicht ${count(number)} vom höchsten zum niedrigsten, in logarithmischem Maßstab`,
      chartKept: 'bleibt',
      chartGone: 'fällt weg',
      ranks: 'Rang',
      scores: 'Score',
      fate: 'Im Plan',
      noScores: 'Dieser Lauf hat keine Scores von Neuronen.',
    },
    repair: {
      title: 'Warum Interpolation repariert',
      what: 'Wenn Neuronen wegfallen, fehlt, was sie gaben. Aber Neuronen einer Schicht bewegen sich gemeinsam: Ein Teil eines entfernten lässt sich aus denen erschließen, die bleiben. LIAR passt das mit kleinsten Quadraten an und faltet es in die bleibenden Gewichte, so dass später nichts zu interpolieren ist:',
      bias: 'Bias-Ausgleich ersetzt nur den Mittelwert: was ein entferntes Neuron immer gibt. Ohne Reparatur ersetzt nichts etwas.',
      errors:
        'Quadratischer Fehler der Ausgabe des FFN, als Anteil der Ausgabe, auf Text, der bei der Anpassung fehlte:',
      error: (number: number, without: number, after: number) =>
        `In Schicht ${count(number)}, wo das Schneiden am meisten schadet, geht der quadratische Fehler von ${percent(without)} der Ausgabe auf ${percent(after)}: Die Reparatur nimmt ${percent(1 - after / without, 0)} davon weg.`,
      noErrors:
        'Die Fehler einzelner Schichten wurden in diesem Lauf nicht gemessen: Es gab zu wenig Text, um welchen zurückzuhalten, oder nichts fiel weg.',
      fellBack: (layers: number) =>
        `In ${layers === 1 ? 'einer Schicht' : `${count(layers)} Schichten`} war LIAR auf zurückgehaltenem Text schlechter als etwas Einfacheres, das darum genommen wurde. Dafür ist die Prüfung da.`,
      button: 'Denselben Plan ohne Reparatur und mit Bias laufen lassen',
      columns: (quality: string, apart: string) => ['Reparatur', quality, apart],
      layerColumns: ['Schicht', 'Ohne Reparatur', 'Mit LIAR'],
      dense: 'dichtes Modell',
      names: REPAIRS,
      best: (name) => `Dem dichten Modell am nächsten: ${REPAIRS[name]}. Alle drei behalten dieselben Einheiten.`,
      sameSize: 'Sie haben auch gleich viele Parameter.',
      biases: (none: number, liar: number) =>
        `Dieses Modell hat dort keine Biases, also fügt eine Reparatur welche hinzu: ${count(liar - none)} Parameter zu ${count(none)}.`,
      ordered: 'Jede stärkere Reparatur kam näher.',
      unordered:
        'Eine stärkere Reparatur ist nicht immer näher: Sie bessert die Ausgabe jeder Schicht, nicht die Antworten des Modells, und bei wenig Text kann eine Anpassung Zufällen folgen.',
      noise: (examples: number) =>
        `Die Genauigkeit auf ${count(examples)} Zeilen geht in Schritten von ${percent(1 / examples)}; kleine Unterschiede sind also Zufall. Die Divergenz vergleicht alle Wahrscheinlichkeiten und zeigt früher etwas.`,
      none: 'Es ist kein Vergleichstext gewählt, also unterscheiden sich die Reparaturen nur in den Fehlern der Schichten. Einen in Schritt 2 wählen, um mehr zu sehen.',
    },
    ratio: {
      title: 'Was der Anteil bewirkt',
      what: 'Der Anteil ist der Handel: kleiner gegen schlechter. Die niedrigsten Scores fallen zuerst weg; darum kosten die ersten Prozente in der Regel wenig und spätere immer mehr.',
      button: 'Einen kleineren und einen größeren Anteil probieren',
      columns: (quality: string, apart: string) => ['Anteil', 'Parameter übrig', quality, apart],
      steeper: (small: string, large: string, times: number) =>
        `Zwischen ${small} und ${large} kostet ein Punkt des Anteils ${figure(times)}-mal so viel Divergenz wie unter ${small}.`,
      notSteeper: (small: string, large: string) =>
        `Zwischen ${small} und ${large} kostet ein Punkt des Anteils hier nicht mehr Divergenz als unter ${small}. Üblich ist das nicht; mehr Text zum Vergleich gäbe besser Auskunft.`,
      form: 'Im Formular ist es dieser Schieber. Auch Heads und ganze Schichten können wegfallen; so reichen Anteile weiter als mit Neuronen allein.',
    },
    output: {
      title: 'Was herauskommt',
      what: 'Keine Maske über dem alten Modell, sondern ein neuer Ordner: Matrizen mit weniger Zeilen und Spalten, und eine Config, die das sagt.',
      size: (before: number, after: number) => `Die Gewichte gingen von ${bytes(before)} auf ${bytes(after)}.`,
      config: 'Was sich in config.json geändert hat:',
      configColumns: ['Feld', 'Vorher', 'Nachher'],
      kinds: {
        stock:
          'Es ist von der Art „stock“: Es lädt in unverändertem Transformers wie jedes andere Modell, da jede Schicht gleich breit ist.',
        sliced:
          'Es ist von der Art „sliced“: Eine kleine Python-Datei liegt bei, die Transformers mit trust_remote_code lädt.',
      },
      with: 'Daneben liegen recipe.json, plan.json und report.json: was verlangt war, welche Einheiten bleiben, was gemessen wurde. Dasselbe Rezept und derselbe Text ergeben wieder dasselbe Modell, auf dieser Seite und auf der Kommandozeile.',
      end: 'Das war alles. Das Übungsblatt hat sechs Übungen, deren Antworten an den eigenen Läufen geprüft werden; die Seite der Methoden hat alle Formeln.',
      methods: 'Alle Methoden (englisch)',
    },
  },
  quality: {
    titles: { classify: 'Genauigkeit', perplexity: 'Perplexität', features: 'Beispiele' },
    none: 'Güte',
    accuracy: (value: number) => percent(value),
    perplexity: (value: number) => fixed(value, 2),
    examples: count,
  },
  apart: { kl: 'Divergenz (KL)', distance: 'Abstand (1 - Kosinus)' },
  kl: (value: number) => fixed(value, 4),
  share: (value: number) => percent(value, 0),
  figure,
  value: (value: unknown) => (value === undefined ? '–' : JSON.stringify(value)),
};
