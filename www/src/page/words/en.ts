import type { Estimate } from '../../lib/coppice.ts';
import { bytes, count, duration, short } from '../format.ts';

/** Everything that the page's steps say, beside what stands in index.html. */
export const WORDS = {
  dismiss: 'Dismiss',
  noModel: 'There is no model yet; choose one in step 1.',
  cancelling: 'Cancelling…',
  cancelled: 'The run was cancelled; nothing was written.',
  done: 'Done.',

  language: {
    /** Said where the page is in another language than English. */
    note: '',
    failed: 'The texts of the page in your language could not be loaded, so it speaks English; reload it to try again.',
    lost: (model: boolean, attempts: number) =>
      `Another language loads the page anew. ${[
        ...(model ? ['The model that is open'] : []),
        ...(attempts > 0 ? [attempts === 1 ? 'one attempt' : `${count(attempts)} attempts`] : []),
      ].join(' and ')} would be gone.`,
    change: 'Change the language',
    stay: 'Stay here',
  },

  session: {
    starting: 'Starting…',
    looking: 'Looking for a device…',
    none: 'No device',
    nothingRuns: 'Nothing runs yet: choose another device.',
    software: 'This adapter is a program on the CPU, so expect it to be slow.',
  },

  model: {
    demos: {
      'bert-sst2': 'BERT, film reviews',
      'gpt2-stories': 'GPT-2, children’s stories',
      'llama-stories': 'Llama, children’s stories',
    },
    demo: (title: string) => `Demo: ${title}`,
    summary: (layers: number, parameters: number, size: number) =>
      `${count(layers)} layers, ${short(parameters)} parameters, ${bytes(size)}`,
    reading: 'Reading the headers…',
    noFiles: 'What you gave holds no files; choose the folder with config.json and the weights.',
    facts: {
      architecture: 'Architecture',
      task: 'Task',
      layers: 'Layers',
      heads: 'Heads a layer',
      groups: 'Key/value heads a layer',
      neurons: 'Neurons a layer',
      hidden: 'Hidden size',
      parameters: 'Parameters',
      weights: 'Weights',
      tokenizer: 'Tokenizer',
      stock: 'Stock config can hold',
    },
    tasks: {
      classifier: 'sequence classification',
      masked_lm: 'masked language model',
      causal_lm: 'causal language model',
      none: 'no head (sentence embeddings)',
    },
    wide: (heads: string, width: number) => `${heads}, ${count(width)} wide`,
    inLayers: (all: number, linear: number) => `${short(all)}, of which ${short(linear)} in the layers`,
    weights: (size: number, types: readonly string[]) => `${bytes(size)}, ${types.join(' and ')}`,
    found: 'found',
    missing: 'missing: texts cannot be read',
    theseWidths: 'these widths only',
    fewer: (units: readonly string[]) => `fewer ${units.join(' and ')}, the same number in every layer`,
    units: { heads: 'heads', neurons: 'neurons', layers: 'layers', hidden: 'hidden channels' },
  },

  texts: {
    encoder: {
      'calibration-own-title': 'A text file of mine, one sequence a line',
      'evaluation-own-title': 'A labelled file of mine (.tsv)',
      'evaluation-file-title': 'Labelled file',
      'evaluation-rows-title': 'Use at most this many lines',
    },
    decoder: {
      'calibration-own-title': 'A text file of mine, read as one stream',
      'evaluation-own-title': 'Another text file of mine',
      'evaluation-file-title': 'Comparison file',
      'evaluation-rows-title': 'Use at most this many tokens',
    },
    bundled: {
      'bert-sst2': {
        calibration: `SST-2 training sentences (${count(6920)}, bundled)`,
        evaluation: 'SST-2 development sentences (872, bundled)',
      },
      'gpt2-stories': {
        calibration: `Training stories (${count(2000)}, bundled)`,
        evaluation: `Other stories (${count(1000)}, bundled)`,
      },
      'llama-stories': {
        calibration: `Training stories (${count(2000)}, bundled)`,
        evaluation: `Other stories (${count(1000)}, bundled)`,
      },
    },
    rows: {
      encoder:
        'The number of comparison lines must be a whole number of at least 1, or empty for all; correct it in step 2.',
      decoder:
        'The number of comparison tokens must be a whole number of at least 1, or empty for all; correct it in step 2.',
    },
    window:
      'The number of tokens in a window must be a whole number of at least 2, or empty for the usual; correct it in step 2.',
    noFile: {
      calibration: 'No calibration file is chosen; choose one in step 2.',
      encoder: 'No labelled file is chosen; choose one in step 2.',
      decoder: 'No comparison file is chosen; choose one in step 2.',
    },
  },

  files: {
    notFetched: (path: string, status: number) => `${path} could not be fetched (status ${status}); reload the page.`,
    outOfReach: (path: string) =>
      `${path} could not be fetched: the page’s server is out of reach; connect and try again, and keep the demo models for offline use in the footer if you want them without a network.`,
  },

  needs: ({ device_bytes, budget_bytes, host_bytes, kept, seconds }: Estimate) => {
    const disk = kept.disk > 0 ? ` and ${bytes(kept.disk)} of scratch on disk until it ends` : '';
    const beside = `, ${bytes(host_bytes + kept.memory)} in memory${disk}`;
    return `Will need about ${bytes(device_bytes)} of the ${bytes(budget_bytes)} allowed on the device${beside}; very roughly ${duration(seconds)}.`;
  },

  result: {
    figures: {
      removed: 'of the layers’ parameters removed',
      saved: 'of disk space saved',
      none: 'none',
      memory: 'of memory on the device, at most',
      on: (device: string) => `on the ${device}`,
      onWithKept: (device: string) => `on the ${device}, with what earlier runs had collected`,
    },
    caption: (kind: string) => `Before and after, written as “${kind}”`,
    columns: ['What', 'Before', 'After'],
    linear: 'Parameters in the layers',
    parameters: 'Parameters in the whole model',
    bytes: 'Weights on disk',
    accuracy: (lines: number) => `Accuracy on ${count(lines)} lines`,
    kl: 'Divergence from the dense model (KL, nats)',
    klToken: 'Divergence from the dense model (KL, nats a token)',
    distance: (lines: number) => `Distance of hidden states (1 - cosine) on ${count(lines)} lines`,
    perplexity: (tokens: number, window: number) =>
      `Perplexity of ${count(tokens)} tokens, windows of ${count(window)} (lower is better)`,
    tokenAccuracy: 'Next tokens guessed right',
    quality: 'Quality',
    notMeasured: 'not measured',
    closeCalls: (calls: number) => `Close calls: ${count(calls)} units that another device might decide otherwise`,
    call: (layer: number | undefined, unit: string, index: number, kept: boolean) => {
      const what = unit === 'layers' ? '' : `, ${unit} ${index}`;
      return `${layer === undefined ? `Channel ${index}` : `Layer ${layer + 1}${what}`}: ${kept ? 'kept' : 'removed'}`;
    },
    files: (files: number, size: number) => `The pruned model: ${count(files)} files, ${bytes(size)}`,
    zip: 'Download as a zip',
    folder: 'Save to a folder',
    writing: 'Writing…',
    zipSaved: (name: string) => `${name}.zip is in your downloads.`,
    folderSaved: (name: string) => `Saved as the folder ${name}.`,
    folderFailed: (why: string) =>
      `The folder could not be written (${why}), so it was removed again; check the free space or take the zip.`,
    zipFailed: 'The zip came out incomplete; free some disk space and try again.',
  },

  settings: {
    tokens: 'The number of tokens must be a whole number of at least 1; correct it in step 6.',
    temperature: 'The temperature must be a number of at least 0; correct it in step 6.',
    topK: 'Top-k must be a whole number of at least 0; correct it in step 6.',
    topP: 'Top-p must be a number above 0 and at most 1; correct it in step 6.',
    seed: 'The seed must be a whole number of at least 0; correct it in step 6.',
  },
};
