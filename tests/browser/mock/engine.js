/**
 * A stand-in for the wasm engine with its surface, for states of the page that a healthy engine never shows.
 * The seed of the recipe picks the fault: 901 ignores cancel and hangs, 902 crashes, 903 loses the device, 904 panics,
 * 905 stays in calibration until it is cancelled, 906 would not fit.
 */
const LAYERS = 6;
const STEPS = ['open', 'evaluate_dense', 'calibrate', 'score', 'reconstruct', 'export', 'evaluate_pruned'];
const choice = (name) => ({ name, title: name, summary: `What ${name} does.` });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Numbers that look like scores: many small ones and a few large, the same every time. */
const scoresOf = (layer, of) => Array.from({ length: of }, (_, i) => Math.exp(3 * Math.sin(97 * i + 31 * layer)));
/** The best units of a list of scores, in the order of their numbers. */
const best = (scores, count) =>
  [...scores.keys()]
    .sort((a, b) => scores[b] - scores[a])
    .slice(0, count)
    .sort((a, b) => a - b);
/** Parameters of a layer with so many heads and neurons. */
const parameters = (heads, neurons, hidden) =>
  heads + neurons === 0 ? 0 : hidden * (4 * 32 * heads + 2 * neurons) + 3 * 32 * heads + neurons + 2 * hidden;
const DENSE = LAYERS * parameters(12, 1536, 384);
const HELD = { device: 1e8, memory: 2.3e7, disk: 0 };
const fail = (kind, message) => Object.assign(new Error(message), { kind });

let starts = 0;

export default async function init() {}

export class Engine {
  #cancelled = false;
  #paused = false;
  #device;
  #texts = new Map();
  #benches = new Map();

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
      weight_criteria: ['wanda'].map(choice),
      patterns: ['unstructured'].map(choice),
      sparsity_allocations: ['uniform'].map(choice),
      layer_budgets: ['uniform'].map(choice),
      updates: ['none'].map(choice),
      factorisations: ['whitened'].map(choice),
      rank_allocations: ['uniform'].map(choice),
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
      linear_parameters: DENSE,
      bytes: 33_467_140,
      dtypes: { F16: 105 },
      tokenizer: true,
      stock_units: ['neurons'],
    };
  }

  async estimate(files, recipe) {
    // As the core, which reads a recipe before it misses the model.
    if (files.length === 0) throw fail('input', 'The folder has no files.');
    if (recipe.calibration.seed === 906) {
      throw fail('budget', 'This run needs about 3 GiB on the device, and 2 GiB are allowed; allow more memory.');
    }
    const kept = { device: 1.5e8, memory: 2e8, disk: recipe.calibration.sequences * 1e6 };
    const steps = { calibrate: 40, score: 5, reconstruct: 15, evaluate: 40 };
    return {
      device_bytes: 6e8,
      budget_bytes: 2 ** 31,
      host_bytes: 1e8,
      kept,
      flops: 1e12,
      speed: 1e10,
      seconds: 100,
      steps,
    };
  }

  async open_bench(id, files, recipe, texts) {
    this.#benches.set(id, { files, texts, recipe, done: new Set() });
  }

  /** What an earlier recipe did with the same statistics is not done again; criteria have statistics of their own. */
  async attempt(id, recipe, evaluate, onProgress) {
    const bench = this.#bench(id);
    for (const part of ['calibration', 'evaluation']) {
      if (JSON.stringify(recipe[part]) === JSON.stringify(bench.recipe[part])) continue;
      throw fail(
        'recipe',
        `The recipe's ${part} is not the one whose statistics are kept; open the model anew to try it.`,
      );
    }
    if (recipe.method.ratio === 0.66) throw fail('recipe', 'The stand-in does not take a ratio of 0.66; take another.');
    const needs = `calibrate ${recipe.method.criterion} ${recipe.method.error_aware}`;
    const steps = STEPS.filter((step) => {
      if (step === 'calibrate') return !bench.done.has(needs);
      if (step.startsWith('evaluate') && !evaluate) return false;
      return !bench.done.has(step);
    });
    bench.last = await this.#run(bench.files, recipe, evaluate ? bench.texts : {}, onProgress, steps);
    bench.done.add('open').add(needs);
    if (evaluate) bench.done.add('evaluate_dense');
    return { ...bench.last, held: HELD };
  }

  async measure(id, onProgress) {
    const bench = this.#bench(id);
    const { recipe } = bench.last.report;
    const measured = await this.#run(bench.files, recipe, bench.texts, onProgress, [
      'evaluate_dense',
      'evaluate_pruned',
    ]);
    bench.last = measured;
    return { ...measured, held: HELD };
  }

  close_bench(id) {
    this.#benches.delete(id);
  }

  #bench(id) {
    const bench = this.#benches.get(id);
    if (!bench)
      throw fail('input', 'What was kept of this model is gone, or another call uses it; prune the model again.');
    return bench;
  }

  async prune(files, recipe, texts, onProgress) {
    return this.#run(files, recipe, texts, onProgress, STEPS);
  }

  async #run(files, recipe, texts, onProgress, steps) {
    this.#cancelled = this.#paused = false;
    const { seed } = recipe.calibration;
    for (const phase of steps) {
      for (let layer = 0; layer < LAYERS; layer += 1) {
        const device_bytes = 1e8 * (1 + layer);
        onProgress({ phase, layer, layers: LAYERS, fraction: layer / LAYERS, device_bytes, heap_bytes: 5e7 });
        do await wait(recipe.calibration.sequences / 20);
        while ((this.#paused || (seed === 905 && phase === 'calibrate')) && !this.#cancelled);
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
    const { method } = recipe;
    // A stock BERT has as many neurons in each layer, which a plan changed by hand may not.
    const widths = new Set((method.plan?.layers ?? []).map(({ neurons }) => neurons.length));
    if (recipe.output.kind === 'stock' && widths.size > 1) {
      throw fail('recipe', 'A stock config needs as many neurons in every layer; choose the output kind "sliced".');
    }
    const whole = (of) => Array.from({ length: of }, (_, unit) => unit);
    const units = method.units ?? [];
    const scores = Array.from({ length: LAYERS }, (_, layer) => ({
      ...(units.includes('heads') && { heads: scoresOf(layer, 12) }),
      ...(units.includes('neurons') && { neurons: scoresOf(layer, 1536) }),
    }));
    const layers =
      method.plan?.layers ??
      scores.map(({ heads, neurons }, layer) =>
        units.includes('layers') && layer === 3
          ? { heads: [], neurons: [] }
          : {
              heads: heads ? best(heads, 4 + layer) : whole(12),
              neurons: neurons ? best(neurons, 400 + 60 * layer) : whole(1536),
            },
      );
    const hidden = units.includes('hidden') ? whole(384).filter((channel) => channel % 3 > 0) : method.plan?.hidden;
    const kept = layers.map((layer) => parameters(layer.heads.length, layer.neurons.length, hidden?.length ?? 384));
    const left = kept.reduce((sum, one) => sum + one, 0);
    const outcome = (units, of, layer) => ({
      kept: units.length,
      of,
      ...(units.length < of && { repair: 'liar', error_without: 0.2 + 0.05 * layer, error_with: 0.06 + 0.01 * layer }),
    });
    const matrices = ['query', 'key', 'value', 'attention.output.dense', 'intermediate.dense', 'output.dense'];
    const single = whole(method.kind === 'sparse' || method.kind === 'low_rank' ? LAYERS : 0).flatMap((layer) =>
      matrices.map((name, place) => {
        const shape = place < 4 ? [384, 384] : place === 4 ? [1536, 384] : [384, 1536];
        const rank = method.kind === 'low_rank' ? 96 + 8 * layer : undefined;
        return {
          tensor: `bert.encoder.layer.${layer}.${name}.weight`,
          shape,
          kept: rank ? rank * (shape[0] + shape[1]) : Math.round((shape[0] * shape[1] * (9 - place)) / 12),
          ...(rank && { rank }),
          error: 0.04 * (place + 1),
        };
      }),
    );
    // The first layer's queries, keys and values share a factor.
    const linears =
      method.kind === 'low_rank'
        ? [
            {
              ...single[0],
              with: single.slice(1, 3).map(({ tensor }) => tensor),
              shape: [3 * 384, 384],
              kept: 96 * (3 * 384 + 384) + 1000,
              singles: 1000,
            },
            ...single.slice(3),
          ]
        : single;
    const zeros = linears.reduce((sum, { shape, kept }) => sum + shape[0] * shape[1] - kept, 0);
    const inside = left - zeros;
    const measure = (accuracy, kl) =>
      texts.evaluation && { task: 'classify', accuracy, examples: recipe.evaluation.limit, kl };
    const report = {
      device: this.info(),
      seconds: { total: 12.3, own: steps.includes('calibrate') ? 12.3 : 0.84 },
      memory: { device: 6e8, budget: 2 ** 31, kept: { device: 1.5e8, memory: 2e8, disk: 6.4e7 }, heap: 1e8 },
      ratio: { asked: method.ratio, linear: 1 - inside / DENSE },
      before: {
        linear_parameters: DENSE,
        parameters: 16_733_570,
        bytes: 33_467_140,
        flops_per_token: 2 * DENSE + 4 * 20 * LAYERS * 384,
      },
      after: {
        linear_parameters: inside,
        parameters: 16_733_570 - DENSE + inside,
        bytes: 2 * (16_733_570 - DENSE + inside),
        flops_per_token: 2 * left,
      },
      recipe,
      layers: layers.map(({ heads, neurons }, layer) => ({
        heads: outcome(heads, 12, layer),
        neurons: outcome(neurons, 1536, layer),
      })),
      linears,
      ...(method.kind === 'structured' && { scores }),
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
      plan: { version: 1, layers, ...(hidden && { hidden }) },
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

  /** Logits by the letters of a line; a pruned model has another opinion of every fourth or so. */
  async evaluate(files, { data, limit }, onProgress) {
    onProgress({ phase: 'evaluate_dense', layer: 0, layers: LAYERS, fraction: 0.5 });
    await wait(5);
    const pruned = files.some(({ name }) => name === 'recipe.json');
    const lines = data.split('\n').filter((line) => line.includes('\t') && !line.startsWith('sentence\t'));
    const sums = lines
      .slice(0, limit)
      .map((line) => [...line.split('\t')[0]].reduce((sum, c) => sum + c.charCodeAt(0), 0));
    const values = sums.flatMap((sum) => {
      const side = (sum % 2 ? 1 : -1) * (pruned && sum % 4 === 3 ? -1 : 1);
      return [side, -side];
    });
    return { task: 'classify', accuracy: 0.9, examples: sums.length, values: new Float32Array(values), width: 2 };
  }

  /** Writes a word a token. Seed 905 writes for ever, 903 loses the device at the third token, 907 has a pruned model differ in every third. */
  async begin_text(text, files, prompt, settings, onProgress) {
    onProgress({ phase: 'open', layer: 0, layers: LAYERS, fraction: 0 });
    await wait(5);
    this.#texts.set(text, { made: 0, settings, pruned: files.some(({ name }) => name === 'recipe.json') });
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
    const word = seed === 907 && state.pruned && state.made % 3 === 0 ? 'other' : 'word';
    return { id: state.made, text: ` ${word}${state.made}`, seconds: 0.01, ...(last && { ending: 'max_tokens' }) };
  }

  end_text(text) {
    this.#texts.delete(text);
  }

  cancel() {
    this.#cancelled = true;
  }

  pause() {
    this.#paused = true;
  }

  resume() {
    this.#paused = false;
  }
}
