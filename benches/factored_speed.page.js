/**
 * In the page: generates and evaluates with the dense model and with factored ones by turns; medians of tokens a second.
 * Beside factored_speed.mjs, so that another driver of a browser can run it too.
 */
export default async ({ device, model, ratios, tokens, rounds }) => {
  const { Coppice } = await import('/coppice.js');
  const coppice = await Coppice.start({ device });
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const file = async (name) => new File([await (await fetch(`/models/${model}/${name}`)).blob()], name);
  const text = async (name) => (await fetch(`/models/${model}/${name}`)).text();
  const dense = await Promise.all(names.map(file));
  const [calibration, evaluation] = [await text('calibration.txt'), await text('valid.txt')];
  const models = [{ name: 'dense', files: dense, bytes: dense.find((one) => one.name === 'model.safetensors').size }];
  for (const ratio of ratios) {
    const recipe = {
      version: 1,
      calibration: { source: 'calibration.txt', sequences: 32, length: 256, seed: 0 },
      method: { kind: 'low_rank', factorisation: 'whitened', allocation: 'global', ratio },
      output: { kind: 'factored', dtype: 'same', pad: false },
    };
    const { files, report } = await coppice.prune(dense, recipe, { calibration });
    models.push({ name: `factored, ${ratio}`, files, bytes: report.after.bytes });
  }
  const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
  const told = models.map(() => ({ write: [], read: [], perplexity: 0 }));
  for (let round = 0; round < rounds; round++) {
    for (const [place, { files }] of models.entries()) {
      let [seconds, count] = [0, 0];
      const options = { prompt: 'Once upon a time', maxTokens: tokens, temperature: 1, seed: round };
      // The first token takes the prompt along.
      for await (const token of coppice.generate(files, options)) if (count++ > 0) seconds += token.seconds;
      told[place].write.push((count - 1) / seconds);
      const began = performance.now();
      const found = await coppice.evaluate(files, { task: 'perplexity', data: evaluation, window: 256, limit: 2048 });
      told[place].read.push((1000 * found.tokens) / (performance.now() - began));
      told[place].perplexity = found.perplexity;
    }
  }
  const named = `${coppice.device.kind}: ${coppice.device.name}`;
  return models.map(({ name, bytes }, place) => ({
    device: named,
    name,
    bytes,
    perplexity: told[place].perplexity,
    write: median(told[place].write),
    read: median(told[place].read),
  }));
};
