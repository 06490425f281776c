import type { Translated } from '../../../catalogue.ts';
import { count, fixed, percent } from '../../../format.ts';
import type { LAB as ENGLISH } from './en.ts';

const SAME_TEXT = 'am selben Vergleichstext';

export const LAB: Translated<typeof ENGLISH> = {
  title: 'Übungsblatt',
  intro:
    'Sechs Übungen am offenen Modell. Jede verlangt ein, zwei Läufe und stellt Fragen zu dem, was herauskam. Antworten werden an dem geprüft, was in diesem Besuch gemessen wurde, oder an dem, was bekannt ist; sie werden nirgends aufbewahrt.',
  sets: 'Die Knöpfe „Formular einstellen“ wählen wenig Text, damit ein Lauf kurz ist. Mehr Text gibt ruhigere Zahlen.',
  right: (right: number, of: number) => `${count(right)} von ${count(of)} richtig`,
  check: 'Prüfen',
  checkOf: (question: string) => `Prüfen: ${question}`,
  show: 'Antwort zeigen',
  isRight: (why: string) => `Richtig. ${why}`,
  isWrong: (hint: string) => `Das stimmt nicht. ${hint}`,
  isShown: (answer: string, why: string) => `Es ist ${answer}. ${why}`,
  noNumber: 'Eine Zahl schreiben, etwa 12,5.',
  noChoice: 'Eine der Antworten wählen.',
  formSet: 'Das Formular ist eingestellt; im Abschnitt „Lauf“ „Modell prunen“ drücken.',
  or: ' oder ',

  missing: {
    model: 'Erst ein Modell öffnen.',
    shape:
      'Aus den Köpfen der Dateien dieses Modells geht nicht hervor, wie groß die Teile seiner Schichten sind; für diese Frage eine der Demos öffnen.',
    global:
      'Es gibt keinen Lauf mit der Aufteilung „global“, bei dem Neuronen wegfallen dürfen; erst den Lauf dieser Übung machen.',
    repairs: `Es gibt keine zwei Läufe, die sich nur in der Reparatur unterscheiden, Bias gegen LIAR, ${SAME_TEXT}; erst beide Läufe machen.`,
    errors:
      'Der neueste Lauf mit LIAR hat keine Fehler der Schichten: mindestens vier Sequenzen zur Kalibrierung nehmen.',
    compared: 'Diese Läufe wurden an keinem Text verglichen; in Schritt 2 einen wählen und sie noch einmal machen.',
    series: `Es gibt keine drei Läufe, die sich nur im Anteil unterscheiden, ${SAME_TEXT}; erst diese machen.`,
    quality:
      'Dieses Modell hat weder Genauigkeit noch Perplexität; einen Klassifikator öffnen oder ein Modell, das Text schreibt.',
    kinds: `Es gibt keine zwei Läufe mit demselben Anteil, einen nur mit Heads und einen nur mit Neuronen, ${SAME_TEXT}; erst beide machen.`,
    sparse:
      'Es gibt keinen Lauf der Art „einzelne Gewichte“ mit gemessenem Tempo; den Lauf machen, dann bei den Versuchen „Tempo messen“ drücken.',
    speeds:
      'Es braucht einen Lauf mit einzelnen Gewichten und einen mit ganzen Einheiten, beide mit gemessenem Tempo; bei den Versuchen „Tempo messen“ drücken.',
  },

  exercises: {
    size: {
      title: 'Eine Tabelle der Größen lesen',
      aim: 'Wo die Parameter eines Modells liegen, sagt, was Pruning bringen kann.',
      steps: [
        'In Schritt 1 ein Modell öffnen und lesen, was dort über es steht.',
        'Unter der Karte des Modells „Dasselbe als Tabelle“ öffnen.',
      ],
      setups: {},
      questions: {
        share: {
          ask: 'Welcher Anteil aller Parameter liegt in den linearen Schichten?',
          unit: '%',
          hint: 'Beide Zahlen stehen in Schritt 1: die Parameter in den Schichten durch alle teilen.',
        },
        neuron: {
          ask: 'Wie viele Parameter fallen mit einem Neuron des FFN weg?',
          unit: 'Parameter',
          hint: 'Eine Zeile und eine Spalte, so lang wie die Hidden Size, oder drei, wo das FFN ein Gate hat; und je ein Bias für jede, die es bildet, wo es Biases gibt.',
        },
        shrinks: {
          ask: 'Die Hälfte der Parameter der Schichten fällt weg. Um wie viel schrumpft das ganze Modell?',
          unit: '%',
          hint: 'Der Anteil zählt nur die Schichten; Embeddings und Normen bleiben. Die Hälfte des Anteils aus der ersten Frage.',
        },
      },
    },
    layers: {
      title: 'Welche Schichten zuerst',
      aim: 'Ein Budget für das ganze Modell lässt Schichten verschieden sein und zeigt, welche voll sind.',
      steps: [
        'Das Formular einstellen: Neuronen, Scores von FLAP, die Aufteilung „global“, etwa 30 % der Parameter der Neuronen, Ausgabe „sliced“. Laufen lassen.',
        'Die Karte des Ergebnisses oder ihre Tabelle ansehen: Wie viele Neuronen bleiben in welcher Schicht?',
      ],
      setups: { global: 'Formular einstellen: ein Budget für alle Schichten' },
      questions: {
        most: {
          ask: 'Welche Schicht hat den größten Anteil ihrer Neuronen verloren?',
          unit: 'Nummer der Schicht, ab 1',
          hint: 'In der Tabelle unter der Karte des Ergebnisses den kleinsten Prozentsatz bei den Neuronen suchen, die bleiben.',
        },
        compares: {
          ask: 'Scores verschiedener Schichten haben verschiedene Maßstäbe. Wie macht „global“ sie vergleichbar?',
          options: [
            'Es vergleicht sie, wie sie sind.',
            'Es nimmt den Abstand jedes Scores vom Mittel seiner Schicht, in Standardabweichungen.',
            'Es teilt sie durch die Zahl der Parameter der Schicht.',
          ],
          hint: 'Der Hinweis unter dem Menü „Aufteilung“ führt zur Formel.',
        },
        output: {
          ask: 'Schichten verschiedener Breite: Welche Ausgabe kann sie fassen und kleiner sein?',
          options: ['„stock“', '„sliced“', 'beide'],
          hint: 'Eine übliche Config hat eine Zahl für die Breite aller Schichten.',
        },
      },
    },
    repair: {
      title: 'Bias gegen LIAR',
      aim: 'Dieselben Einheiten weg, zwei Reparaturen: was ein Bias behält, und was die Gewichte.',
      steps: [
        'Einmal mit der Reparatur „Bias-Ausgleich“ laufen lassen, einmal mit „LIAR“, alles andere gleich.',
        'Beide bei den Versuchen vergleichen: ankreuzen und lesen, was sie unterscheidet. Die Fehler der Schichten stehen in der Tabelle unter der Karte des Ergebnisses mit LIAR.',
      ],
      setups: { bias: 'Formular einstellen: Bias-Ausgleich', liar: 'Formular einstellen: LIAR' },
      questions: {
        nearer: {
          ask: 'Welcher der beiden ist dem dichten Modell näher, nach der Divergenz (oder dem Abstand)?',
          options: ['Bias-Ausgleich', 'LIAR', 'beide gleich'],
          hint: 'Die kleinere Divergenz ist die nähere; sie ist eine Zeile des Vergleichs.',
        },
        left: {
          ask: 'In der Schicht, deren FFN ohne Reparatur den größten Fehler hat: Welcher Teil dieses Fehlers bleibt mit LIAR?',
          unit: '%',
          hint: 'Die Tabelle gibt beide für jede Schicht, „ohne → mit“: den zweiten durch den ersten teilen.',
        },
        why: {
          ask: 'Beide Modelle haben dieselben Einheiten. Wie kann LIAR besser sein als ein Bias?',
          options: [
            'Es behält mehr Neuronen.',
            'Es lernt aus den Labels des Textes.',
            'Was entfernte Neuronen gaben, lässt sich zum Teil aus denen erschließen, die bleiben, und deren Gewichte übernehmen es.',
          ],
          hint: 'Die Neuronen beider zählen; und nachsehen, was der Text der Kalibrierung braucht.',
        },
      },
    },
    ratio: {
      title: 'Der Anteil, wo es bricht',
      aim: 'Die Güte fällt langsam, dann schnell. Den Knick am eigenen Modell finden.',
      steps: [
        'Das Formular einstellen, laufen lassen, und noch einmal mit anderen Anteilen: mindestens drei, davon einer zu groß. Sonst nichts ändern.',
        'Bei den Versuchen das Diagramm der Güte gegen die Größe lesen.',
      ],
      setups: {
        low: 'Formular einstellen: ein kleiner Anteil',
        middle: 'Formular einstellen: ein mittlerer',
        high: 'Formular einstellen: ein großer',
      },
      questions: {
        most: {
          ask: 'Welcher ist der höchste Anteil der eigenen Läufe, der 95 % der dichten Genauigkeit behält (bei Text: höchstens das 1,1-Fache der dichten Perplexität)? 0, wenn keiner.',
          unit: '%',
          hint: 'Die dichte Zahl mal 0,95 nehmen (bei Perplexität mal 1,1) und sehen, welche Läufe auf der guten Seite liegen.',
        },
        steps: {
          ask: 'Wo kostet ein Punkt des Anteils mehr Divergenz: bis zum niedrigsten Anteil oder zwischen den beiden höchsten?',
          options: ['bis zum niedrigsten', 'zwischen den beiden höchsten', 'etwa gleich (auf ein Zehntel)'],
          hint: 'Die Divergenz des niedrigsten Laufs durch seinen Anteil teilen; und den Unterschied der beiden höchsten durch den Unterschied ihrer Anteile.',
        },
      },
    },
    heads: {
      title: 'Heads, Neuronen, und was eine übliche Config sagen kann',
      aim: 'Was am besten wegfällt, kann ein Dateiformat nicht immer fassen.',
      steps: [
        'Einmal nur mit Heads und einmal nur mit Neuronen laufen lassen, derselbe Anteil, Ausgabe „sliced“.',
        'In Schritt 1 „Die übliche Config fasst“ lesen.',
      ],
      setups: { heads: 'Formular einstellen: nur Heads', neurons: 'Formular einstellen: nur Neuronen' },
      questions: {
        stock: {
          ask: 'Kann eine übliche Config dieses Modells weniger Heads fassen, alles andere wie es ist?',
          options: ['ja', 'nein'],
          hint: 'Es steht in Schritt 1 beim Modell.',
        },
        weighs: {
          ask: 'Wie viele Neuronen haben so viele Parameter wie ein Head (wo sich Heads einen Key teilen: ein Key/Value-Head mit seinen Queries)?',
          unit: 'Neuronen',
          hint: 'Ein Head nimmt Zeilen oder Spalten aus vier Matrizen, jede so breit wie der Head und so lang wie die Hidden Size.',
        },
        cheaper: {
          ask: 'Was ließ das Modell beim selben Anteil näher am dichten?',
          options: ['nur Heads', 'nur Neuronen', 'beide gleich'],
          hint: 'Die Divergenz der beiden Läufe bei den Versuchen vergleichen.',
        },
      },
    },
    speed: {
      title: 'Nullen sind kein Tempo',
      aim: 'Weniger Parameter, weniger Bytes und weniger Zeit sind drei verschiedene Dinge.',
      steps: [
        'Einmal mit einzelnen Gewichten laufen lassen (Wanda, 50 %, Ausgabe „masked“), einmal mit ganzen Einheiten (50 %, Ausgabe „sliced“).',
        'Bei den Versuchen „Tempo messen“ drücken.',
      ],
      setups: { sparse: 'Formular einstellen: einzelne Gewichte', units: 'Formular einstellen: ganze Einheiten' },
      questions: {
        times: {
          ask: 'Wievielmal so schnell wie das dichte Modell ist das, dem einzelne Gewichte fehlen?',
          unit: 'mal',
          hint: 'Es steht bei den Versuchen in der Spalte „Tempo“; 1 ist so schnell wie vorher.',
        },
        faster: {
          ask: 'Welches der beiden läuft schneller?',
          options: ['ohne einzelne Gewichte', 'ohne ganze Einheiten', 'kein Unterschied (auf 5 %)'],
          hint: 'Ihr Tempo bei den Versuchen vergleichen.',
        },
        packed: {
          ask: 'Eine Matrix aus 16-Bit-Gewichten, die Hälfte davon null, ist „packed“: ein Bit je Gewicht, und die anderen wie sie sind. Welcher Anteil ihrer Bytes bleibt?',
          unit: '%',
          hint: 'Von 16 Bits je Gewicht sagt eines, ob es da ist, und die Hälfte der Gewichte braucht noch alle 16.',
        },
      },
    },
  },

  why: {
    share: (inside: number, all: number) =>
      `${count(inside)} von ${count(all)}: Der Rest sind Embeddings, Normen und der Kopf, und bleibt.`,
    neuron: (parameters: number) => `${count(parameters)} Zahlen gibt es nur wegen dieses Neurons.`,
    shrinks: (share: number) => `Die Schichten haben ${percent(share)} des Modells, und die Hälfte davon fällt weg.`,
    most: (layers: string, kept: number) =>
      `In Schicht ${layers} bleiben ${percent(kept)} der Neuronen, am wenigsten von allen.`,
    compares: 'Innerhalb jeder Schicht werden Scores standardisiert, dann konkurrieren alle Einheiten um ein Budget.',
    output:
      '„sliced“ schreibt die Breite jeder Schicht auf und bringt einen Lader mit; „stock“ hat eine Breite und könnte nur mit Nullen auffüllen, was nichts spart.',
    nearer: (bias: string, liar: string) => `Der Bias-Ausgleich liegt bei ${bias}, LIAR bei ${liar}.`,
    left: (layer: number, without: number, after: number) =>
      `In Schicht ${count(layer)} geht der Fehler von ${percent(without)} auf ${percent(after)}.`,
    why: 'Neuronen einer Schicht bewegen sich gemeinsam; kleinste Quadrate finden, um wie viel, und falten es in die Gewichte, die ohnehin da sind.',
    bend: (bound: string, good: number, of: number) =>
      `Die Grenze ist ${bound}; ${count(good)} der ${count(of)} Läufe liegen auf der guten Seite.`,
    steps: (low: string, high: string) =>
      `Ein Punkt des Anteils kostet erst ${low} und zuletzt ${high}, in Nats oder als Abstand.`,
    stockYes: 'Seine Config hat eine Zahl der Heads, die die Hidden Size nicht festlegt.',
    stockNo:
      'Seine Config leitet die Breite eines Heads aus der Hidden Size und der Zahl der Heads ab: Weniger Heads würden als breitere gelesen.',
    weighs: (head: number, neuron: number) => `${count(head)} Parameter ein Head, ${count(neuron)} ein Neuron.`,
    cheaper: (heads: string, neurons: string) => `Nur Heads liegt bei ${heads}, nur Neuronen bei ${neurons}.`,
    times: 'Nullen werden multipliziert wie andere Zahlen; was von 1 abweicht, ist Zufall der Messung.',
    timesFar:
      'Nullen werden multipliziert wie andere Zahlen; eine Messung so weit von 1 sagt etwas über die Maschine, also noch einmal messen.',
    faster: (sparse: number, units: number) =>
      `Ohne einzelne Gewichte: ${fixed(sparse, 2)}-mal das dichte Tempo; ohne ganze Einheiten: ${fixed(units, 2)}-mal.`,
    packed:
      'Ein Bit und die Hälfte von sechzehn, von sechzehn: 9/16. Zum Laufen wird es ausgepackt, also ist nur die Datei kleiner.',
  },
};
