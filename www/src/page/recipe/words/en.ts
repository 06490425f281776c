/** Everything that the recipe's section says, but for the labels of its fields. */
export const WORDS = {
  kinds: {
    structured: 'Heads, neurons, layers or channels go: the model gets smaller and faster everywhere.',
    sparse: 'Zeros among the weights: packed, the file gets smaller; nothing runs faster on WebGPU.',
    low_rank: 'Each weight becomes two narrow ones: smaller, and faster where ranks are low.',
    plan: 'The units that a plan lists stay, and nothing is scored; how the rest is repaired is chosen here.',
  },

  // Next to the fields.
  setOfDecoder: 'So many stretches of so many tokens are drawn from the text.',
  setOfEncoder: 'At most so many are drawn from the text, and longer ones are cut.',
  heads: 'Attention heads',
  groups: 'Key/value heads, with their queries',
  advice: {
    layersAndHidden:
      'One ratio cannot share out layers and hidden channels: remove one of them, then the other from the result.',
    padHidden: 'Hidden channels cannot be padded with zeros: leave “pad” or them out.',
    hiddenAlone: (family: string) =>
      `In a stock ${family} config heads fill the hidden channels: tick heads too, or choose the output kind “sliced”.`,
    misfits: (family: string, units: readonly string[]) =>
      `A stock ${family} config cannot hold fewer ${units.join(' or ')}: choose the output kind “sliced”, tick “pad”, or leave ${units.join(' and ')} alone.`,
  },

  // Fields that are filled in wrongly.
  noUnits: 'Nothing is chosen to go; tick what may go in step 3.',
  number: (what: string, least: number, whole: boolean) =>
    `${what} must be ${whole ? 'a whole number' : 'a number'} of at least ${least}; correct it in step 3.`,
  share: (what: string, least: string, most: string) =>
    `${what} must be a percentage ${least} and ${most}; correct it in step 3.`,
  bounds: { zero: 'at least 0', above: 'above 0', most: 'at most 100', below: 'below 100' },
  ratioWhole: (percent: number) =>
    `The ratio is ${percent} %, and something must stay; ask for less than 100 % in step 3.`,
  fields: {
    ratio: 'The ratio',
    sequences: 'The number of calibration sequences',
    length: 'The number of tokens each',
    seed: 'The seed',
    swaps: 'The number of swaps',
    screen: 'The screen',
    score_sequences: 'The number of sequences to score on',
    floor: 'The floor',
    ridge: 'The ridge',
    single_share: 'The share of single weights',
  },

  // A recipe that comes from outside.
  notJson: (why: string) => `This is not valid JSON (${why}); correct it there and apply it again.`,
  emptyText: 'There is nothing to apply; paste a recipe, or show the form’s again.',
  noObject: 'A recipe is a JSON object, in braces; see the README for an example.',
  tooLarge: (name: string, size: string, most: string) =>
    `${name} has ${size}, and no recipe has more than ${most}; choose another file.`,
  noRecipeInCard: (name: string) =>
    `${name} holds no recipe; choose recipe.json, report.json, plan.json or the README.md of a pruned model.`,
  bigNumber: (path: string) =>
    `The recipe’s ${path} is too large for a browser, which counts to 9007199254740991; choose a smaller one.`,
  planByName: (name: string) =>
    `The recipe’s method.plan names the file ${name}, which the page cannot read; import that file instead, or put the plan in place of its name.`,
  noPlan:
    'The recipe’s method.plan is no plan: "layers" must list an object for each layer, with the lists "heads" and "neurons" of the units that stay.',
  notOffered: (path: string, value: string, choices: readonly string[]) =>
    `The recipe’s ${path} is ${value}, which does not go with the rest of it; choose ${choices.join(', ')}.`,
  cannot: (path: string, value: string) => `The recipe’s ${path} cannot be ${value} here; correct it.`,
  checking: 'The recipe is being checked; while a run is under way, that waits for its end.',
  applied: 'The form has the recipe now.',
  otherText: (what: 'calibration' | 'evaluation', name: string, taken: string) =>
    `It was made with the ${what === 'calibration' ? 'calibration' : 'comparison'} text ${name}; the page takes ${taken}, as step 2 says.`,

  // The block below the form.
  import: 'Import a recipe',
  save: 'Save as recipe.json',
  saved: 'recipe.json is in your downloads.',
  recipeFile: 'recipe.json',
  hint: 'Import takes the recipe.json, report.json, plan.json or README.md of a pruned model; you can drop it on this section too.',
  also: 'Also set, with no field above:',
  drop: 'Drop',
  dropOne: (name: string) => `Drop ${name} from the recipe`,
  planOf: (layers: number, heads: number, neurons: number) =>
    `a plan that keeps ${heads} heads and ${neurons} neurons in ${layers} layers`,
  json: 'This recipe as JSON',
  jsonLabel: 'Recipe as JSON',
  jsonHint: 'Change it here and apply it; the form follows, and what the form has no field for is kept.',
  changedHere: 'Changed here and not applied yet.',
  formChanged: 'Changed here and not applied yet; the form has changed since, too.',
  apply: 'Apply',
  revert: 'Show the form’s again',
  copy: 'Copy',
  copied: 'Copied',
  copyByHand: 'Select the text and copy it by hand',
  command: 'This recipe as a command line',
  commandLabel: 'Recipe as a command line',
  commandHint: (model: string, texts: readonly string[]) =>
    `For a POSIX shell, in the folder that holds the model’s folder ${model} and ${texts.join(' and ')}; it writes coppice-recipe.json there.`,
  again: 'Put its recipe into the form',
};
