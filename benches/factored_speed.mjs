// Measures dense and factored models in the page: tokens a second, on one device, by turns.
//
//   node benches/factored_speed.mjs [--device cpu|gpu] [--model llama-stories] [--ratios 0.2 0.3 0.4 0.5] [--tokens 100] [--rounds 7]
//
// Wants the built site (make site). Prints a table: tokens a second of generation and of evaluation, medians over rounds.
import { parseArgs } from 'node:util';
import { open, SITE } from '../tests/browser/site.mjs';
import measure from './factored_speed.page.js';

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
  measure,
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
