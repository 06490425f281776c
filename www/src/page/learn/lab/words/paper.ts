import type { ExerciseName, LAB } from './en.ts';

/** What docs/LAB.md says beside the sheet of the page. */
export const PAPER = {
  note: 'This file is made from www/src/page/learn/lab/words/en.ts by `npm run lab` in www; the page has the same sheet under “Lab sheet” and checks answers.',
  steps: 'What to do',
  questions: 'Questions',
  rules: 'How answers are judged',
  rulesIntro:
    'Measured answers differ from model to model and from device to device; the page takes them from the runs of the visit.',
  answerIn: (unit: string) => `Answer in: ${unit}.`,
};

/** What an answer is checked against, for the sheet on paper. */
export const RULES: { [Name in ExerciseName]: Record<keyof (typeof LAB.exercises)[Name]['questions'], string> } = {
  size: {
    share: 'Parameters in the layers over all parameters, from the headers; within half a point.',
    neuron: 'From the shapes of the layers: two or three times the hidden size, plus biases; exactly.',
    shrinks: 'Half of the first answer; within half a point.',
  },
  layers: {
    most: 'From the plan of the newest run with the allocation “global”; layers that lost as much are right too.',
    compares: 'The second: z-scores within a layer and a kind of unit (docs/METHODS.md, Allocations).',
    output: 'The second: a stock config has one width for all layers, and padding with zeros saves no bytes.',
  },
  repair: {
    nearer: 'Measured: the divergence of the newest two runs that differ in the repair alone.',
    left: 'Measured: error with repair over error without, of that layer; within three points.',
    why: 'The third: least squares from kept inputs to the dense output (docs/METHODS.md, Repairs).',
  },
  ratio: {
    most: 'Measured: over the newest runs that differ in the ratio alone; the ratio as asked or as realised, within 0.6 points.',
    steps: 'Measured: both slopes, from the divergence and the realised ratios of those runs.',
  },
  heads: {
    stock:
      'From the headers: BERT, RoBERTa, DistilBERT, GPT-2 and OPT no, since heads fill the hidden size; Llama and Qwen2 yes.',
    weighs: 'From the shapes of the layers; within two percent.',
    cheaper: 'Measured: the divergence of the newest two runs of one ratio.',
  },
  speed: {
    times: 'Measured: the speed of the newest run with single weights; within 0.03.',
    faster: 'Measured: the speeds of both.',
    packed: '(1 + 16 / 2) / 16 = 56.25 %; within a tenth.',
  },
};
