import { count, fixed, percent } from '../../../format.ts';

/** A question as it is put: to a number, or to one of some options. */
export interface Asked {
  ask: string;
  /** What the number counts. */
  unit?: string;
  options?: readonly string[];
  /** Said to a wrong answer: where to look, not what is there. */
  hint: string;
}

/** An exercise as it is put. */
export interface Sheet {
  title: string;
  aim: string;
  steps: readonly string[];
  /** Buttons that set the recipe form for a run, by name. */
  setups: Record<string, string>;
  questions: Record<string, Asked>;
}

const SAME_TEXT = 'on the same comparison text';

/** The lab sheet; docs/LAB.md is made of it too, with paper.ts. */
export const LAB = {
  title: 'Lab sheet',
  intro:
    'Six exercises on the model that is open. Each asks for a run or two and puts questions to what came out. Answers are checked against what was measured in this visit, or against what is known, and are kept nowhere.',
  sets: 'The buttons “Set the form” choose small sets of text, so that a run is short. Larger ones give steadier figures.',
  right: (right: number, of: number) => `${count(right)} of ${count(of)} right`,
  check: 'Check',
  checkOf: (question: string) => `Check: ${question}`,
  show: 'Show the answer',
  isRight: (why: string) => `Right. ${why}`,
  isWrong: (hint: string) => `Not so. ${hint}`,
  isShown: (answer: string, why: string) => `It is ${answer}. ${why}`,
  noNumber: 'Write a number, as 12.5.',
  noChoice: 'Choose one of the answers.',
  formSet: 'The form is set; press “Prune the model” in the section “Run”.',
  or: ' or ',

  missing: {
    model: 'Open a model first.',
    shape:
      'The headers of this model do not tell the sizes of its layers apart; open one of the demos for this question.',
    global:
      'There is no run with the allocation “global” and neurons among what may go; do the run of this exercise first.',
    repairs: `There are no two runs that differ in the repair alone, bias against LIAR, ${SAME_TEXT}; do both runs first.`,
    errors: 'The newest run with LIAR has no errors of layers: take four calibration sequences or more.',
    compared: 'These runs were not compared on a text; choose one in step 2 and run them again.',
    series: `There are no three runs that differ in the ratio alone, ${SAME_TEXT}; do them first.`,
    quality: 'This model has neither accuracy nor perplexity; open a classifier or a model that writes text.',
    kinds: `There are no two runs of one ratio, one of heads alone and one of neurons alone, ${SAME_TEXT}; do both first.`,
    sparse:
      'There is no run of the kind “single weights” with a measured speed; do the run, then press “Measure speeds” among the attempts.',
    speeds:
      'It takes a run with single weights and one with whole units, both with a measured speed; press “Measure speeds” among the attempts.',
  },

  exercises: {
    size: {
      title: 'Read a table of sizes',
      aim: 'Where a model’s parameters are says what pruning can give.',
      steps: ['Open a model in step 1 and read its facts.', 'Open “The same as a table” below the map of the model.'],
      setups: {},
      questions: {
        share: {
          ask: 'Which share of all parameters lies in the linear layers?',
          unit: '%',
          hint: 'The facts give both numbers: divide the parameters in the layers by all of them.',
        },
        neuron: {
          ask: 'How many parameters go with one neuron of the FFN?',
          unit: 'parameters',
          hint: 'One row and one column as long as the hidden size, or three where the FFN has a gate; and a bias for each that makes it, where there are biases.',
        },
        shrinks: {
          ask: 'Half of the layers’ parameters go. By how much does the whole model shrink?',
          unit: '%',
          hint: 'The ratio counts the layers alone; embeddings and norms stay. Half of the share in the first question.',
        },
      },
    },
    layers: {
      title: 'Which layers go first',
      aim: 'One budget for the whole model lets layers differ, and shows which are full.',
      steps: [
        'Set the form: neurons, scores by FLAP, the allocation “global”, 30 % of the neurons’ parameters or so, output “sliced”. Run it.',
        'Look at the map of the result, or at its table: how many neurons stay in which layer?',
      ],
      setups: { global: 'Set the form: one budget for all layers' },
      questions: {
        most: {
          ask: 'Which layer lost the largest share of its neurons?',
          unit: 'number of the layer, from 1',
          hint: 'In the table below the map of the result, look for the smallest percentage among the neurons kept.',
        },
        compares: {
          ask: 'Scores of different layers are on different scales. How does “global” make them comparable?',
          options: [
            'It compares them as they are.',
            'It takes each score’s distance from the mean of its layer, in standard deviations.',
            'It divides them by the number of parameters of the layer.',
          ],
          hint: 'The hint below the menu “Allocation” leads to its formula.',
        },
        output: {
          ask: 'Layers of different widths: which output can hold them, and be smaller?',
          options: ['“stock”', '“sliced”', 'both'],
          hint: 'A stock config has one number for the width of all layers.',
        },
      },
    },
    repair: {
      title: 'Bias against LIAR',
      aim: 'The same units gone, two repairs: what is left in a bias, and what in the weights.',
      steps: [
        'Run once with the repair “bias compensation”, once with “LIAR”, all else the same.',
        'Compare both among the attempts: tick them, and read what differs. The errors of layers are in the table below the map of the result with LIAR.',
      ],
      setups: { bias: 'Set the form: bias compensation', liar: 'Set the form: LIAR' },
      questions: {
        nearer: {
          ask: 'Which of the two is nearer to the dense model, by divergence (or distance)?',
          options: ['bias compensation', 'LIAR', 'both the same'],
          hint: 'The smaller divergence is the nearer; it is a row of the comparison.',
        },
        left: {
          ask: 'Take the layer whose FFN has the largest error without repair. Which part of that error is left with LIAR?',
          unit: '%',
          hint: 'The table gives both for each layer, “without → with”: divide the second by the first.',
        },
        why: {
          ask: 'Both models have the same units. How can LIAR do better than a bias?',
          options: [
            'It keeps more neurons.',
            'It learns from the labels of the text.',
            'What removed neurons gave can partly be told from those that stay, and their weights take it over.',
          ],
          hint: 'Count the neurons of both; and look at what the calibration text needs.',
        },
      },
    },
    ratio: {
      title: 'The ratio where it breaks',
      aim: 'Quality falls slowly, then fast. Find the bend on your own model.',
      steps: [
        'Set the form, run it, and run it again with other ratios: three at least, of which one is too much. Change nothing else.',
        'Read the chart of quality against size among the attempts.',
      ],
      setups: {
        low: 'Set the form: a low ratio',
        middle: 'Set the form: a middle one',
        high: 'Set the form: a high one',
      },
      questions: {
        most: {
          ask: 'What is the highest ratio of your runs that keeps 95 % of the dense accuracy (of text: at most 1.1 times the dense perplexity)? Write 0 if none does.',
          unit: '%',
          hint: 'Take the dense figure times 0.95 (of perplexity, times 1.1) and look which runs are on its good side.',
        },
        steps: {
          ask: 'Where does a point of the ratio cost more divergence: up to your lowest ratio, or between your two highest?',
          options: ['up to the lowest', 'between the two highest', 'about the same (within a tenth)'],
          hint: 'Divide the divergence of the lowest run by its ratio; and the difference of the two highest by the difference of theirs.',
        },
      },
    },
    heads: {
      title: 'Heads, neurons, and what a stock config can say',
      aim: 'What is best to remove is not always what a file format can hold.',
      steps: [
        'Run once with heads alone and once with neurons alone, the same ratio, output “sliced”.',
        'Read “Stock config can hold” among the facts of the model.',
      ],
      setups: { heads: 'Set the form: heads alone', neurons: 'Set the form: neurons alone' },
      questions: {
        stock: {
          ask: 'Can a stock config of this model hold fewer heads, all else as it is?',
          options: ['yes', 'no'],
          hint: 'It is among the facts of the model in step 1.',
        },
        weighs: {
          ask: 'How many neurons have as many parameters as one head (of attention that shares keys: one key/value head with its queries)?',
          unit: 'neurons',
          hint: 'A head takes rows or columns out of four matrices, each as wide as the head and as long as the hidden size.',
        },
        cheaper: {
          ask: 'At the same ratio, which left the model nearer to the dense one?',
          options: ['heads alone', 'neurons alone', 'both the same'],
          hint: 'Compare the divergence of the two runs among the attempts.',
        },
      },
    },
    speed: {
      title: 'Zeros are not speed',
      aim: 'Fewer parameters, fewer bytes and less time are three different things.',
      steps: [
        'Run once with single weights (Wanda, 50 %, output “masked”), once with whole units (50 %, output “sliced”).',
        'Press “Measure speeds” among the attempts.',
      ],
      setups: { sparse: 'Set the form: single weights', units: 'Set the form: whole units' },
      questions: {
        times: {
          ask: 'How many times as fast as the dense model is the one with single weights gone?',
          unit: 'times',
          hint: 'It stands in the column of speeds of the attempts; 1 is as fast as before.',
        },
        faster: {
          ask: 'Which of the two runs faster?',
          options: ['single weights gone', 'whole units gone', 'no difference (within 5 %)'],
          hint: 'Compare their speeds among the attempts.',
        },
        packed: {
          ask: 'A matrix of 16-bit weights, half of them zero, is “packed”: a bit for each weight, and the others as they are. Which share of its bytes is left?',
          unit: '%',
          hint: 'Of 16 bits a weight, one says whether it is there, and half of the weights still take all 16.',
        },
      },
    },
  } satisfies Record<string, Sheet>,

  why: {
    share: (inside: number, all: number) =>
      `${count(inside)} of ${count(all)}: the rest is embeddings, norms and the head, and stays.`,
    neuron: (parameters: number) => `${count(parameters)} numbers exist only because of that neuron.`,
    shrinks: (share: number) => `The layers have ${percent(share)} of the model, and half of that goes.`,
    most: (layers: string, kept: number) =>
      `In layer ${layers} ${percent(kept)} of the neurons stay, the least of all.`,
    compares: 'Within each layer scores are standardised, then all units compete for one budget.',
    output:
      '“sliced” writes the width of each layer and brings a loader; “stock” has one width, and could only pad with zeros, which saves nothing.',
    nearer: (bias: string, liar: string) => `Bias compensation is at ${bias}, LIAR at ${liar}.`,
    left: (layer: number, without: number, after: number) =>
      `In layer ${count(layer)} the error goes from ${percent(without)} to ${percent(after)}.`,
    why: 'Neurons of a layer move together; least squares finds by how much, and folds it into the weights that are there anyway.',
    bend: (bound: string, good: number, of: number) =>
      `The bound is ${bound}; ${count(good)} of your ${count(of)} runs are on its good side.`,
    steps: (low: string, high: string) =>
      `A point of the ratio costs ${low} first and ${high} last, in nats or as a distance.`,
    stockYes: 'Its config has a number of heads that does not fix the hidden size.',
    stockNo:
      'Its config derives the width of a head from the hidden size and the number of heads: fewer heads would be read as wider ones.',
    weighs: (head: number, neuron: number) => `${count(head)} parameters a head, ${count(neuron)} a neuron.`,
    cheaper: (heads: string, neurons: string) => `Heads alone are at ${heads}, neurons alone at ${neurons}.`,
    times: 'Zeros are multiplied as other numbers are, so what differs from 1 is chance of the measurement.',
    timesFar:
      'Zeros are multiplied as other numbers are; a measurement so far from 1 tells of the machine, so measure again.',
    faster: (sparse: number, units: number) =>
      `Single weights gone: ${fixed(sparse, 2)} times the dense speed; whole units gone: ${fixed(units, 2)} times.`,
    packed: 'One bit and half of sixteen, of sixteen: 9/16. It is unpacked to be run, so the file alone is smaller.',
  },
} as const;

export type ExerciseName = keyof typeof LAB.exercises;
