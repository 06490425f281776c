/**
 * A stand-in for the wasm engine with its surface, for states of the page that a healthy engine never shows.
 * The seed of the recipe picks the fault: 901 ignores cancel and hangs, 902 crashes, 903 loses the device, 904 panics,
 * 905 stays in calibration until it is cancelled, 906 would not fit.
 */
const LAYERS = 6;
const STEPS = ['open', 'evaluate_dense', 'calibrate', 'score', 'reconstruct', 'export', 'evaluate_pruned'];
const choice = (name) => ({ name, title: name, summary: `What ${name} does.` });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const fail = (kind, message) => Object.assign(new Error(message), { kind });

let starts = 0;

export default async function init() {}

export class Engine {
  #cancelled = false;
  #device;
  #texts = new Map();

  static async start(device) {
    starts += 1;
    const engine = new Engine();
    engine.#device = device;
    return engine;
  }

  info() {
    const kind = this.#device === 'gpu' ? 'gpu' : 'cpu';
    return {
      kind,
      name: 'stand-in',
      backend: 'mock',
      software: kind === 'gpu',
      why: `start ${starts} of this worker`,
    };
  }

  catalog() {
    return {
      criteria: ['magnitude', 'flap'].map(choice),
      allocations: ['uniform'].map(choice),
      reconstructions: ['none', 'bias', 'liar']
        .map(choice)
        .map((one) => (one.name === 'liar' ? { ...one, options: ['ridge', 'error_aware', 'target'] } : one)),
      outputs: ['stock', 'sliced'].map(choice),
    };
  }

  async inspect(files) {
    if (!files.some(({ name }) => name === 'config.json')) {
      throw fail('input', 'The folder has no config.json; choose the folder that holds the whole model.');
    }
    const config = JSON.parse(await files.find(({ name }) => name === 'config.json').blob.text());
    const decoder = config.model_type !== 'bert';
    return {
      family: config.model_type,
      class: config.architectures[0],
      head: decoder ? 'causal_lm' : 'classifier',
      labels: decoder ? [] : ['negative', 'positive'],
      hidden: 384,
      head_dim: 32,
      vocabulary: 14965,
      positions: 512,
      layers: Array(LAYERS).fill({ heads: 12, neurons: 1536 }),
      parameters: 16_733_570,
      linear_parameters: 10_646_784,
      bytes: 33_467_140,
      dtypes: { F16: 105 },
      tokenizer: true,
      stock_units: ['neurons'],
    };
  }

  async estimate(files, recipe) {
    if (recipe.calibration.seed === 906) {
      throw fail('budget', 'This run needs about 3 GiB on the device, and 2 GiB are allowed; allow more memory.');
    }
    const kept = { device: 1.5e8, memory: 2e8, disk: recipe.calibration.sequences * 1e6 };
    return { device_bytes: 6e8, budget_bytes: 2 ** 31, host_bytes: 1e8, kept, flops: 1e12, speed: 1e10, seconds: 100 };
  }

  async prune(files, recipe, texts, onProgress) {
    this.#cancelled = false;
    const { seed } = recipe.calibration;
    for (const phase of STEPS) {
      for (let layer = 0; layer < LAYERS; layer += 1) {
        onProgress({ phase, layer, layers: LAYERS, fraction: layer / LAYERS });
        do await wait(recipe.calibration.sequences / 20);
        while (seed === 905 && phase === 'calibrate' && !this.#cancelled);
        if (this.#cancelled && seed !== 901) throw fail('cancelled', 'The run was cancelled; nothing was written.');
        if (phase !== 'calibrate') continue;
        if (seed === 901) for (;;);
        if (seed === 902)
          setTimeout(() => {
            throw new Error('out of luck');
          });
        if (seed === 902) await new Promise(() => {});
        if (seed === 903) throw fail('device', 'The GPU was lost; run again, or choose the CPU.');
        if (seed === 904) throw new WebAssembly.RuntimeError('unreachable');
      }
    }
    const text = (name, value) => ({ name, parts: [new Blob([value])] });
    const pick = (of, count) => Array.from({ length: count }, (_, i) => Math.floor((i * of) / count));
    const heads = recipe.method.units.includes('heads');
    const layers = Array.from({ length: LAYERS }, (_, i) => ({
      heads: pick(12, heads ? 4 + i : 12),
      neurons: pick(1536, 400 + 60 * i),
    }));
    const measure = (accuracy, kl) =>
      texts.evaluation && { task: 'classify', accuracy, examples: recipe.evaluation.limit, kl };
    const report = {
      device: this.info(),
      seconds: { total: 12.3 },
      memory: { device: 6e8, budget: 2 ** 31, kept: { device: 1.5e8, memory: 2e8, disk: 6.4e7 }, heap: 1e8 },
      ratio: { asked: recipe.method.ratio, linear: recipe.method.ratio },
      before: { linear_parameters: 10_646_784, parameters: 16_733_570, bytes: 33_467_140 },
      after: { linear_parameters: 5_323_392, parameters: 11_425_000, bytes: 22_850_000 },
      recipe,
      layers: layers.map((kept) => ({
        heads: { kept: kept.heads.length, of: 12 },
        neurons: { kept: kept.neurons.length, of: 1536 },
      })),
      quality_before: measure(0.898),
      quality_after: measure(0.889, 0.0312),
      notes: ['The text held 480 sequences, fewer than the 512 that were asked for.'],
      close_calls: [
        { layer: 2, unit: 'neurons', index: 17, kept: true },
        { layer: 4, unit: 'neurons', index: 1201, kept: false },
      ],
    };
    const weights = files.find(({ name }) => name.endsWith('.safetensors'));
    return {
      report,
      plan: { version: 1, layers },
      files: [
        text('config.json', '{}'),
        {
          name: 'model.safetensors',
          parts: [new Uint8Array([1, 2, 3]), ...(weights ? [weights.blob.slice(0, 1000)] : [])],
        },
        text('recipe.json', JSON.stringify(recipe)),
        text('README.md', '# pruned\n'),
      ],
    };
  }

  async evaluate() {
    return { task: 'classify', accuracy: 0.9, examples: 1 };
  }

  /** Writes one word of its settings' seed a token; 905 writes for ever, 903 loses the device at the third token. */
  async begin_text(text, files, prompt, settings, onProgress) {
    onProgress({ phase: 'open', layer: 0, layers: LAYERS, fraction: 0 });
    await wait(5);
    this.#texts.set(text, { made: 0, settings });
    return prompt.split(' ').length;
  }

  async next_token(text) {
    const state = this.#texts.get(text);
    if (!state) throw fail('input', 'This text has ended; generate it again.');
    this.#cancelled = false;
    await wait(10);
    if (this.#cancelled) throw fail('cancelled', 'The run was cancelled; nothing was written.');
    const { seed, max_tokens: most } = state.settings;
    state.made += 1;
    if (seed === 903 && state.made === 3) throw fail('device', 'The GPU was lost; run again, or choose the CPU.');
    const last = state.made === most && seed !== 905;
    return { id: state.made, text: ` word${state.made}`, seconds: 0.01, ...(last && { ending: 'max_tokens' }) };
  }

  end_text(text) {
    this.#texts.delete(text);
  }

  cancel() {
    this.#cancelled = true;
  }
}
