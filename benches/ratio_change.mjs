// Measures another ratio after calibration in the page, on the real core: new plan, plain repair, new output; nothing is evaluated.
//
//   node benches/ratio_change.mjs [--device cpu|gpu] [--models gpt2-stories llama-stories] [--ratios 0.2 0.4 0.5] [--rounds 3]
//                                 [--sequences 64] [--length 256] [--units neurons] [--output stock]
//
// Wants the built site (make site). Each round opens the model anew, prunes it by 30 % and then by each ratio. Prints a table of the report's own
// seconds, and where they went: medians over rounds. The recipe is the one that the page's form begins with for a decoder.
import { parseArgs } from 'node:util';
import { open, SITE } from '../tests/browser/site.mjs';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    models: { type: 'string', multiple: true, default: ['gpt2-stories', 'llama-stories'] },
    ratios: { type: 'string', multiple: true, default: ['0.2', '0.4', '0.5'] },
    rounds: { type: 'string', default: '3' },
    sequences: { type: 'string', default: '64' },
    length: { type: 'string', default: '256' },
    units: { type: 'string', multiple: true, default: ['neurons'] },
    output: { type: 'string', default: 'stock' },
  },
});
const [sequences, length, rounds] = [values.sequences, values.length, values.rounds].map(Number);

const site = await open(SITE, { expectErrors: true });
console.log(`device ${values.device}, ${values.units.join(' and ')}, ${values.output}, ${sequences} × ${length} tokens; seconds, medians of ${rounds} rounds\n`);
console.log('| model | ratio | own | of it score | reconstruct | export | first run at 30 % | calibration in it | MB kept |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
for (const model of values.models) {
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    runs.push(
      await site.page.evaluate(
        async ({ device, model, ratios, sequences, length, units, output }) => {
          const { Coppice } = await import('/coppice.js');
          const coppice = await Coppice.start({ device });
          const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
          const file = async (name) => new File([await (await fetch(`/models/${model}/${name}`)).blob()], name);
          const calibration = await (await fetch(`/models/${model}/calibration.txt`)).text();
          const recipe = (ratio) => ({
            version: 1,
            calibration: { source: 'calibration.txt', sequences, length, seed: 0 },
            method: {
              kind: 'structured',
              units,
              criterion: 'flap',
              allocation: 'uniform',
              ratio,
              reconstruction: 'liar',
              ridge: 0.01,
              error_aware: false,
            },
            output: { kind: output, dtype: 'same', pad: false },
          });
          const bench = await coppice.open(await Promise.all(names.map(file)), recipe(0.3), { calibration });
          const first = (await bench.attempt(recipe(0.3), { evaluate: false })).report.seconds;
          const others = [];
          for (const ratio of ratios) {
            others.push((await bench.attempt(recipe(ratio), { evaluate: false })).report.seconds);
          }
          const { device: kept, memory, disk } = bench.held;
          coppice.close();
          return { first, others, kept: kept + memory + disk };
        },
        { device: values.device, model, ratios: values.ratios.map(Number), sequences, length, units: values.units, output: values.output },
      ),
    );
  }
  for (const [place, ratio] of values.ratios.entries()) {
    const middle = (name) => median(runs.map(({ others }) => others[place][name])).toFixed(2);
    const first = (name) => median(runs.map((run) => run.first[name])).toFixed(1);
    const cells = [model, ratio, middle('own'), middle('score'), middle('reconstruct'), middle('export'), first('own'), first('calibrate')];
    console.log(`| ${cells.join(' | ')} | ${(median(runs.map(({ kept }) => kept)) / 1e6).toFixed(0)} |`);
  }
}
await site.close();
