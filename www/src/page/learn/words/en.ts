import { bytes, count, figure as threeDigits, fixed, percent } from '../../format.ts';

/** A score, or another number that spans orders of magnitude, in three digits. */
const figure = (value: number) => threeDigits(value, 1e-3, 1e5);

const REPAIRS = { none: 'no repair', bias: 'bias compensation', liar: 'LIAR' };

/** Everything that the learning part says to people, but for the lab sheet. */
export const WORDS = {
  panel: 'Learn',
  close: 'Close; it goes on from here when it is opened again',
  views: { walk: 'Guided walk', lab: 'Lab sheet' },
  viewsLabel: 'What to learn with',

  step: (number: number, of: number) => `Step ${count(number)} of ${count(of)}`,
  back: 'Back',
  next: 'Next',
  again: 'Start over',
  toLab: 'On to the lab sheet',
  goThere: 'Go there',
  goThereAll: 'Go there: the part of the page that this step points at',
  resume: (number: number, of: number) => `Go on with the walk: step ${count(number)} of ${count(of)}`,
  running: 'It runs now; the section “Run” shows how far it is.',
  busy: 'Something else runs on the page; wait until it ends, or cancel it there.',
  failed: 'The run did not end; the page says why. You can try again.',
  done: 'Done: the figures above are those of your run.',
  table: 'The same as a table',
  unknown: 'not measured',
  layer: (number: number) => `Layer ${count(number)}`,

  steps: {
    model: {
      title: 'A model to look into',
      none: 'Pruning makes a trained network smaller by taking out what contributes least. This walk does it once, on a real model, in this page. Open one of the demos here, or a folder of your own in step 1.',
      open: (name: string, layers: number, parameters: number) =>
        `${name} is open: ${count(layers)} ${layers === 1 ? 'layer' : 'layers'}, ${count(parameters)} parameters. To describe it, only its headers were read, not its weights.`,
      share: (share: number) =>
        `${percent(share)} of the parameters lie in the linear layers of its blocks. Those are what can go here; embeddings and norms stay. Every ratio on this page is a share of that part.`,
      rest: 'All that follows is said with this model’s own numbers. Close the walk whenever you like: it goes on where you left it.',
    },
    units: {
      title: 'Units: heads and neurons',
      none: 'Open a model first: one step back.',
      what: 'A layer does two things in turn. Attention lets tokens look at each other, by heads; the feed-forward network (FFN) works on each token alone, by neurons. Both are units: all that belongs to one can be cut out of the matrices, and what is left is a smaller dense model.',
      widths: (heads: string, neurons: string, grouped: boolean) =>
        `The map draws each layer of this model as a row: ${heads} ${grouped ? 'key/value heads, each with the query heads that read it,' : 'heads'} and ${neurons} neurons.`,
      neuron: (parameters: number) =>
        `One neuron is ${count(parameters)} parameters: the weights that make it and those that read it.`,
      head: (parameters: number, neurons: number) =>
        `One head is ${count(parameters)}, as many as ${count(Math.round(neurons))} neurons.`,
      unsized: 'How many parameters one of them has cannot be told from the headers of this model.',
    },
    calibration: {
      title: 'What calibration sees',
      what: 'No labels and no training: calibration reads some text and watches what goes into each layer. So the text decides what matters. It should be like what the model will meet.',
      excerpt: (name: string) => `It begins so (${name}):`,
      noText: 'No calibration text is chosen yet; choose one in step 2.',
      will: (sequences: number, length: number) =>
        `The next step draws at most ${count(sequences)} sequences of at most ${count(length)} tokens from it. Real work wants more (the form’s own numbers); this is a walk.`,
      used: (sequences: number, tokens: number, longest: number) =>
        `Your run read ${count(sequences)} sequences, ${count(tokens)} tokens together, the longest of ${count(longest)}.`,
      statistic:
        'Of every token it keeps nothing but sums, the statistics. With x as what n neurons of one layer give for one token:',
      sums: (neurons: number, numbers: number) =>
        `In a layer with ${count(neurons)} neurons that is a mean, a mean of squares, and for interpolation the Gram matrix G, ${count(numbers)} different numbers, however long the text is.`,
    },
    run: {
      title: 'One real run',
      what: (ratio: number) =>
        `Now take ${percent(ratio, 0)} of the layers’ parameters out, all of it neurons, as large a share in every layer. FLAP’s scores say which, LIAR repairs what stays. Then both models are compared on a little text.`,
      small:
        'It is a small run on purpose, so that you need not wait long; its figures are rougher than those of a large one.',
      button: 'Prune now',
      again: 'Prune again',
      kept: (kept: string, of: string) => `${kept} of ${of} neurons stay in each layer.`,
      seconds: (seconds: number, device: string) => `It took ${fixed(seconds, 1)} seconds on the ${device}.`,
      listed: 'The result stands below, and among the attempts at the end of the page.',
    },
    score: {
      title: 'What a score means',
      needs: 'The walk has not pruned this model yet; that is the step before.',
      what: 'A score guesses what is lost when a unit goes. FLAP’s is the variance of what a neuron gives, over the calibration text, times the squared length of the weights that read it:',
      why: 'A neuron that hardly varies can go, even if it gives much: what is constant fits into a bias.',
      layer: 'Layer to look at',
      of: (number: number, units: number) => `Layer ${count(number)} has ${count(units)} neurons. Their scores:`,
      top: (unit: number, score: number) => `neuron ${count(unit)}: ${figure(score)}`,
      rows: {
        top: 'Highest',
        median: 'In the middle',
        lastKept: 'Lowest that stays',
        firstGone: 'Highest that goes',
        low: 'Lowest',
      },
      times: (times: number) => `The highest is ${figure(times)} times the one in the middle.`,
      flat: 'The highest is hardly above the one in the middle: here the score tells units apart only little.',
      tenth: (share: number) =>
        `The tenth of the neurons with the highest scores has ${percent(share, 0)} of their sum.`,
      dead: 'The one in the middle is 0: at least half of these neurons never vary on this text.',
      chart: (number: number) =>
        `Scores of layer ${count(number)} from the highest to the lowest, on a logarithmic scale`,
      chartKept: 'stays',
      chartGone: 'goes',
      ranks: 'Rank',
      scores: 'Score',
      fate: 'In the plan',
      noScores: 'This run has no scores of neurons.',
    },
    repair: {
      title: 'Why interpolation repairs',
      what: 'When neurons go, what they gave is missing. But neurons of one layer move together: part of a removed one can be told from those that stay. LIAR fits that by least squares and folds it into the weights that stay, so that nothing has to be interpolated later:',
      bias: 'Bias compensation makes up for the mean alone: what a removed neuron gives always. Without repair nothing makes up for anything.',
      errors: 'Squared error of the FFN’s output, as a share of the output, on text that was held out of the fit:',
      error: (number: number, without: number, after: number) =>
        `In layer ${count(number)}, where cutting does most harm, the squared error goes from ${percent(without)} of the output to ${percent(after)}: the repair takes ${percent(1 - after / without, 0)} of it away.`,
      noErrors:
        'The errors of single layers were not measured in this run: there was too little text to hold some out, or nothing went.',
      fellBack: (layers: number) =>
        `In ${layers === 1 ? 'one layer' : `${count(layers)} layers`} LIAR did worse than something simpler on held-out text, which was taken instead. That is what the check is for.`,
      button: 'Run the same plan with no repair and with a bias',
      columns: (quality: string, apart: string) => ['Repair', quality, apart],
      layerColumns: ['Layer', 'Without repair', 'With LIAR'],
      dense: 'dense model',
      names: REPAIRS,
      best: (name: keyof typeof REPAIRS) =>
        `Nearest to the dense model came ${REPAIRS[name]}. All three keep the same units.`,
      sameSize: 'They have the same number of parameters too.',
      biases: (none: number, liar: number) =>
        `This model has no biases there, so a repair adds them: ${count(liar - none)} parameters to ${count(none)}.`,
      ordered: 'Each stronger repair came nearer.',
      unordered:
        'A stronger repair is not always nearer: it mends the output of each layer, not the answers of the model, and with little text a fit can follow accidents.',
      noise: (examples: number) =>
        `Accuracy on ${count(examples)} lines moves in steps of ${percent(1 / examples)}, so small differences of it are chance. The divergence compares all probabilities, and tells sooner.`,
      none: 'No comparison text is chosen, so the repairs differ in the errors of layers alone. Choose one in step 2 to see more.',
    },
    ratio: {
      title: 'What the ratio does',
      what: 'The ratio is the bargain: smaller for worse. The lowest scores go first, so as a rule the first percents cost little, and later ones more and more.',
      button: 'Try a smaller and a larger ratio',
      columns: (quality: string, apart: string) => ['Ratio', 'Parameters left', quality, apart],
      steeper: (small: string, large: string, times: number) =>
        `Between ${small} and ${large} a point of the ratio costs ${figure(times)} times as much divergence as below ${small}.`,
      notSteeper: (small: string, large: string) =>
        `Between ${small} and ${large} a point of the ratio costs no more divergence here than below ${small}. That is not what is usual; more text to compare on would tell better.`,
      form: 'In the form it is this slider. Heads and whole layers can go too, which lets ratios reach further than neurons alone.',
    },
    output: {
      title: 'What comes out',
      what: 'Not a mask over the old model, but a new folder: matrices with fewer rows and columns, and a config that says so.',
      size: (before: number, after: number) => `The weights went from ${bytes(before)} to ${bytes(after)}.`,
      config: 'What changed in config.json:',
      configColumns: ['Field', 'Before', 'After'],
      kinds: {
        stock:
          'It is of the kind “stock”: it loads in stock Transformers as any other model does, since every layer has the same width.',
        sliced:
          'It is of the kind “sliced”: it comes with a small Python file that Transformers loads with trust_remote_code.',
      },
      with: 'Beside it lie recipe.json, plan.json and report.json: what was asked for, which units stay, what was measured. The same recipe and text give the same model again, in this page and on the command line.',
      end: 'That was all of it. The lab sheet has six exercises with answers that are checked against your own runs; the page of methods has every formula.',
      methods: 'All methods',
    },
  },
  quality: {
    titles: { classify: 'Accuracy', perplexity: 'Perplexity', features: 'Examples' },
    none: 'Quality',
    accuracy: (value: number) => percent(value),
    perplexity: (value: number) => fixed(value, 2),
    examples: count,
  },
  /** The column of how far a model is from the dense one. */
  apart: { kl: 'Divergence (KL)', distance: 'Distance (1 - cosine)' },
  kl: (value: number) => fixed(value, 4),
  share: (value: number) => percent(value, 0),
  figure,
  value: (value: unknown) => (value === undefined ? '–' : JSON.stringify(value)),
};
