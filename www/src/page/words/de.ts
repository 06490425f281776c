import type { Translated } from '../catalogue.ts';
import { bytes, count, duration, short } from '../format.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  dismiss: 'Schließen',
  noModel: 'Es ist noch kein Modell da; eines in Schritt 1 auswählen.',
  cancelling: 'Wird abgebrochen…',
  cancelled: 'Der Lauf wurde abgebrochen; nichts wurde geschrieben.',
  done: 'Fertig.',

  language: {
    note: 'Englisch bleiben die Seite der Methoden, das Übungsblatt als Dokument und was der Rechenkern selbst schreibt: seine Fehler, Hinweise und Gründe.',
    failed:
      'Die deutschen Texte der Seite konnten nicht geladen werden, darum spricht sie Englisch; neu laden, um es noch einmal zu versuchen.',
    lost: (model: boolean, attempts: number) => {
      const gone = [
        ...(model ? ['das offene Modell'] : []),
        ...(attempts > 0 ? [attempts === 1 ? 'ein Versuch' : `${count(attempts)} Versuche`] : []),
      ];
      return `Eine andere Sprache lädt die Seite neu. Verloren ${gone.length > 1 || attempts > 1 ? 'gingen' : 'ginge'}: ${gone.join(' und ')}.`;
    },
    change: 'Sprache wechseln',
    stay: 'Hier bleiben',
  },

  session: {
    starting: 'Startet…',
    looking: 'Ein Gerät wird gesucht…',
    none: 'Kein Gerät',
    nothingRuns: 'Noch läuft nichts: ein anderes Gerät wählen.',
    software: 'Dieser Adapter ist ein Programm auf der CPU und darum wohl langsam.',
  },

  model: {
    demos: {
      'bert-sst2': 'BERT, Filmkritiken',
      'gpt2-stories': 'GPT-2, Kindergeschichten',
      'llama-stories': 'Llama, Kindergeschichten',
    },
    demo: (title: string) => `Demo: ${title}`,
    summary: (layers: number, parameters: number, size: number) =>
      `${count(layers)} Schichten, ${short(parameters)} Parameter, ${bytes(size)}`,
    reading: 'Die Köpfe der Dateien werden gelesen…',
    noFiles: 'Das enthält keine Dateien; den Ordner mit config.json und den Gewichten wählen.',
    facts: {
      architecture: 'Architektur',
      task: 'Aufgabe',
      layers: 'Schichten',
      heads: 'Heads je Schicht',
      groups: 'Key/Value-Heads je Schicht',
      neurons: 'Neuronen je Schicht',
      hidden: 'Hidden Size',
      parameters: 'Parameter',
      weights: 'Gewichte',
      tokenizer: 'Tokenizer',
      stock: 'Die übliche Config fasst',
    },
    tasks: {
      classifier: 'Klassifikation von Sequenzen',
      masked_lm: 'Sprachmodell mit Maske',
      causal_lm: 'kausales Sprachmodell',
      none: 'kein Kopf (Satz-Embeddings)',
    },
    wide: (heads: string, width: number) => `${heads}, ${count(width)} breit`,
    inLayers: (all: number, linear: number) => `${short(all)}, davon ${short(linear)} in den Schichten`,
    weights: (size: number, types: readonly string[]) => `${bytes(size)}, ${types.join(' und ')}`,
    found: 'gefunden',
    missing: 'fehlt: Texte können nicht gelesen werden',
    theseWidths: 'nur diese Breiten',
    fewer: (units: readonly string[]) => `weniger ${units.join(' und ')}, in jeder Schicht gleich viele`,
    units: { heads: 'Heads', neurons: 'Neuronen', layers: 'Schichten', hidden: 'Hidden-Kanäle' },
  },

  texts: {
    encoder: {
      'calibration-own-title': 'Eine eigene Textdatei, eine Sequenz je Zeile',
      'evaluation-own-title': 'Eine eigene Datei mit Labels (.tsv)',
      'evaluation-file-title': 'Datei mit Labels',
      'evaluation-rows-title': 'Höchstens so viele Zeilen',
    },
    decoder: {
      'calibration-own-title': 'Eine eigene Textdatei, am Stück gelesen',
      'evaluation-own-title': 'Eine andere eigene Textdatei',
      'evaluation-file-title': 'Datei zum Vergleich',
      'evaluation-rows-title': 'Höchstens so viele Tokens',
    },
    bundled: {
      'bert-sst2': {
        calibration: `Trainingssätze von SST-2 (${count(6920)}, liegen bei)`,
        evaluation: 'Prüfsätze von SST-2 (872, liegen bei)',
      },
      'gpt2-stories': {
        calibration: `Geschichten aus dem Training (${count(2000)}, liegen bei)`,
        evaluation: `Andere Geschichten (${count(1000)}, liegen bei)`,
      },
      'llama-stories': {
        calibration: `Geschichten aus dem Training (${count(2000)}, liegen bei)`,
        evaluation: `Andere Geschichten (${count(1000)}, liegen bei)`,
      },
    },
    rows: {
      encoder:
        'Die Zahl der Zeilen zum Vergleich muss ganz und mindestens 1 sein, oder leer für alle; in Schritt 2 ändern.',
      decoder:
        'Die Zahl der Tokens zum Vergleich muss ganz und mindestens 1 sein, oder leer für alle; in Schritt 2 ändern.',
    },
    window:
      'Die Zahl der Tokens je Fenster muss ganz und mindestens 2 sein, oder leer für die übliche; in Schritt 2 ändern.',
    noFile: {
      calibration: 'Es ist keine Datei zur Kalibrierung gewählt; eine in Schritt 2 wählen.',
      encoder: 'Es ist keine Datei mit Labels gewählt; eine in Schritt 2 wählen.',
      decoder: 'Es ist keine Datei zum Vergleich gewählt; eine in Schritt 2 wählen.',
    },
  },

  files: {
    notFetched: (path: string, status: number) =>
      `${path} konnte nicht geladen werden (Status ${status}); die Seite neu laden.`,
    outOfReach: (path: string) =>
      `${path} konnte nicht geladen werden: Der Server der Seite ist nicht erreichbar; die Verbindung herstellen und es noch einmal versuchen. Wer die Demo-Modelle ohne Netz braucht, kann sie unten auf der Seite aufbewahren lassen.`,
  },

  needs: ({ device_bytes, budget_bytes, host_bytes, kept, seconds }) => {
    const disk = kept.disk > 0 ? ` und bis zum Ende ${bytes(kept.disk)} in einer Hilfsdatei` : '';
    const beside = `, ${bytes(host_bytes + kept.memory)} im Arbeitsspeicher${disk}`;
    return `Braucht etwa ${bytes(device_bytes)} der erlaubten ${bytes(budget_bytes)} auf dem Gerät${beside}; ganz grob ${duration(seconds)}.`;
  },

  result: {
    figures: {
      removed: 'der Parameter der Schichten entfernt',
      saved: 'an Speicherplatz gespart',
      none: 'nichts',
      memory: 'Speicher auf dem Gerät, höchstens',
      on: (device: string) => `auf der ${device}`,
      onWithKept: (device: string) => `auf der ${device}, mit dem, was frühere Läufe gesammelt hatten`,
    },
    caption: (kind: string) => `Vorher und nachher, geschrieben als „${kind}“`,
    columns: ['Was', 'Vorher', 'Nachher'],
    linear: 'Parameter in den Schichten',
    parameters: 'Parameter im ganzen Modell',
    bytes: 'Gewichte als Datei',
    accuracy: (lines: number) => `Genauig\u00adkeit auf ${count(lines)} Zeilen`,
    kl: 'Diver\u00adgenz vom dichten Modell (KL, Nats)',
    klToken: 'Diver\u00adgenz vom dichten Modell (KL, Nats je Token)',
    distance: (lines: number) => `Abstand der Hidden States (1 - Kosinus) auf ${count(lines)} Zeilen`,
    perplexity: (tokens: number, window: number) =>
      `Perple\u00adxität von ${count(tokens)} Tokens, Fenster von ${count(window)} (kleiner ist besser)`,
    tokenAccuracy: 'Nächste Tokens richtig geraten',
    quality: 'Güte',
    notMeasured: 'nicht gemessen',
    closeCalls: (calls: number) =>
      `Knappe Entscheidungen: ${count(calls)} Einheiten, über die ein anderes Gerät anders entscheiden könnte`,
    call: (layer: number | undefined, unit: string, index: number, kept: boolean) => {
      const names: Record<string, string> = { heads: 'Head', neurons: 'Neuron' };
      const what = unit === 'layers' ? '' : `, ${names[unit] ?? unit} ${index}`;
      return `${layer === undefined ? `Kanal ${index}` : `Schicht ${layer + 1}${what}`}: ${kept ? 'bleibt' : 'entfernt'}`;
    },
    files: (files: number, size: number) => `Das geprunte Modell: ${count(files)} Dateien, ${bytes(size)}`,
    zip: 'Als Zip herunterladen',
    folder: 'In einen Ordner speichern',
    writing: 'Wird geschrieben…',
    zipSaved: (name: string) => `${name}.zip liegt bei den Downloads.`,
    folderSaved: (name: string) => `Als Ordner ${name} gespeichert.`,
    folderFailed: (why: string) =>
      `Der Ordner konnte nicht geschrieben werden (${why}) und wurde wieder entfernt; den freien Platz prüfen oder das Zip nehmen.`,
    zipFailed: 'Das Zip ist unvollständig; etwas Speicherplatz frei machen und noch einmal versuchen.',
  },

  settings: {
    tokens: 'Die Zahl der Tokens muss ganz und mindestens 1 sein; in Schritt 6 ändern.',
    temperature: 'Die Temperatur muss eine Zahl von mindestens 0 sein; in Schritt 6 ändern.',
    topK: 'Top-k muss eine ganze Zahl von mindestens 0 sein; in Schritt 6 ändern.',
    topP: 'Top-p muss über 0 und höchstens 1 sein; in Schritt 6 ändern.',
    seed: 'Der Seed muss eine ganze Zahl von mindestens 0 sein; in Schritt 6 ändern.',
  },
};
