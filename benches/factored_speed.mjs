// Measures dense and factored models in the page: tokens a second, on one device, by turns.
//
//   node benches/factored_speed.mjs [--device cpu|gpu] [--model llama-stories] [--ratios 0.2 0.3 0.4 0.5] [--tokens 100] [--rounds 7]
//
// Wants the built site (make site). Prints a table: tokens a second of generation and of evaluation, medians over rounds.
import { parseArgs } from 'node:util';
import { open, SITE } from '../tests/browser/site.mjs';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    model: { type: 'string', default: 'llama-stories' },
    ratios: { type: 'string', multiple: true, default: ['0.2', '0.3', '0.4', '0.5'] },
    tokens: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '7' },
  },
});

const site = await open(SITE, { expectErrors: true });
const rows = await site.page.evaluate(
  async ({ device, model, ratios, tokens, rounds }) => {
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
  },
  { device: values.device, model: values.model, ratios: values.ratios.map(Number), tokens: Number(values.tokens), rounds: Number(values.rounds) },
);
await site.close();

const [dense] = rows;
console.log(`${values.model}, ${dense.device}; medians of ${values.rounds} rounds by turns\n`);
console.log('| model | MB | perplexity | tokens a second written | of dense | tokens a second evaluated | of dense |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const { name, bytes, perplexity, write, read } of rows) {
  const cells = [name, (bytes / 1e6).toFixed(1), perplexity.toFixed(2), write.toFixed(1), (write / dense.write).toFixed(2), read.toFixed(0), (read / dense.read).toFixed(2)];
  console.log(`| ${cells.join(' | ')} |`);
}
