import type { Ending } from '../../../lib/coppice.ts';
import { count, fixed, percent } from '../../format.ts';

const ENDINGS: Record<Ending, string> = {
  stop_token: 'The model ended the text.',
  stop_text: 'A stop string came.',
  max_tokens: 'As many tokens as were asked for.',
  context_full: 'The model’s context is full.',
  stopped: 'Stopped.',
};

/** Everything that the side-by-side part of the page says. */
export const WORDS = {
  titleOne: 'Try it',
  titleBoth: 'Try both',
  attempt: (id: number, name: string) => `${id}. ${name}`,
  endings: ENDINGS,
  readingModel: 'Reading the model…',
  readingLayer: (layer: number, layers: number) => `Reading the model: layer ${layer} of ${layers}…`,
  writing: 'Writing…',
  none: '–',
  done: 'Done.',
  differ: (dense: number, pruned: number) =>
    dense + pruned === 0
      ? 'Word for word the same.'
      : `${count(dense)} words of the dense text and ${count(pruned)} of the pruned one are marked: the other has none like them there.`,
  faster: (ratio: number) =>
    ratio >= 1
      ? `The pruned model wrote ${fixed(ratio, 2)} times as many tokens a second.`
      : `The pruned model wrote ${percent(ratio, 0)} of the dense one’s tokens a second.`,

  asking: 'Asking…',
  noSentence: 'There is no sentence; write one in the field.',
  sentenceTable: 'What the models say',
  label: 'Label',
  dense: 'Dense',
  pruned: 'Pruned',
  predicted: 'predicted',
  agree: (label: string) => `Both say “${label}”.`,
  disagree: (dense: string, pruned: string) => `The dense model says “${dense}”, the pruned one “${pruned}”.`,
  alone: (label: string) => `The dense model says “${label}”; prune it to see both.`,
  class: (index: number) => `class ${index}`,

  changed: 'Which predictions changed?',
  reading: (which: 'dense' | 'pruned', done: number) =>
    `Reading the comparison text, ${which} model: ${percent(done, 0)}`,
  noText:
    'This attempt was not compared on labelled lines; choose another one, or run it again with a comparison text.',
  mismatch: 'The comparison text has another number of lines than the models answered for; choose the text again.',
  changedSome: (changed: number, of: number, better: number, worse: number) =>
    `${count(changed)} of ${count(of)} predictions changed: ${count(better)} became right, ${count(worse)} became wrong.`,
  changedNone: (of: number) => `None of ${count(of)} predictions changed.`,
  changedTable: 'Sentences whose prediction changed',
  sentence: 'Sentence',
  truth: 'True label',
  became: { right: 'became right', wrong: 'became wrong', neither: 'wrong before and after' },
  first: (shown: number, of: number) =>
    `The first ${count(shown)} of ${count(of)}; those with the largest move come first.`,
  stopped: 'Stopped.',
};
