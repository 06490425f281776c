// Text from the demo decoders, through the page on the CPU and through coppice.js on both devices.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fill, runToTheEnd } from './person.mjs';
import { open, ready, SITE, takeDemo } from './site.mjs';

let site;
let page;

before(async () => {
  site = await open(SITE);
  page = site.page;
  await ready(page, 'cpu');
});
after(() => site.close());

const text = (id) => page.getByTestId(id).textContent();

/** Greedy text of a demo by `coppice.js`: ids, pieces and ending; `stopAfter` tokens the loop is left. */
function greedy(device, model, { stopAfter, abortAfter, ...options }) {
  return page.evaluate(
    async ({ device, model, stopAfter, abortAfter, options }) => {
      const { Coppice } = await import(new URL('coppice.js', location.href).href);
      const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
      const files = await Promise.all(
        names.map(async (name) => new File([await (await fetch(`models/${model}/${name}`)).blob()], name)),
      );
      const coppice = await Coppice.start({ device });
      const abort = new AbortController();
      const generation = coppice.generate(files, { ...options, signal: abort.signal });
      const [ids, pieces] = [[], []];
      let thrown;
      try {
        for await (const token of generation) {
          ids.push(token.id);
          pieces.push(token.text);
          if (ids.length === stopAfter) break;
          if (ids.length === abortAfter) abort.abort();
        }
      } catch (error) {
        thrown = error.name;
      }
      // The engine has room for the next call.
      const inspection = await coppice.inspect(files);
      coppice.close();
      const { ending, promptTokens } = generation;
      return {
        ids,
        text: pieces.join(''),
        pieces: pieces.length,
        ending,
        promptTokens,
        thrown,
        family: inspection.family,
      };
    },
    { device, model, stopAfter, abortAfter, options },
  );
}

const PROMPT = 'Once upon a time, there was a little';
// What stock Transformers writes after it, greedily; tests/oracle/check_generation.py judges longer texts of the same core.
const STOCK = {
  'gpt2-stories': ' boy named Ben. He was a brave and curious boy',
  'llama-stories': ' boy named Sam. He was a brave and curious boy',
};

for (const [device, model, tokens] of [
  ['cpu', 'gpt2-stories', 10],
  ['cpu', 'llama-stories', 10],
  ['gpu', 'llama-stories', 4],
]) {
  test(`${model} writes on the ${device} what stock Transformers writes`, { timeout: 300_000 }, async () => {
    const found = await greedy(device, model, { prompt: PROMPT, maxTokens: tokens });
    assert.equal(found.pieces, tokens);
    assert.ok(found.text.length > 8 && STOCK[model].startsWith(found.text), found.text);
    assert.equal(found.ending, 'max_tokens');
  });
}

test('leaving the loop or aborting ends a text at the next token, and frees the engine', async () => {
  const left = await greedy('cpu', 'llama-stories', { prompt: PROMPT, stopAfter: 3 });
  assert.deepEqual([left.ids.length, left.ending, left.thrown, left.family], [3, 'stopped', undefined, 'llama']);
  const aborted = await greedy('cpu', 'llama-stories', { prompt: PROMPT, abortAfter: 3 });
  assert.deepEqual([aborted.ids.length, aborted.ending, aborted.thrown], [3, 'stopped', 'AbortError']);
  assert.equal(aborted.family, 'llama');
});

test('what cannot be generated is one sentence', async () => {
  const refused = async (model, options) => {
    try {
      await page.evaluate(
        async ({ model, options }) => {
          const { Coppice } = await import(new URL('coppice.js', location.href).href);
          const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
          const files = await Promise.all(
            names.map(async (name) => new File([await (await fetch(`models/${model}/${name}`)).blob()], name)),
          );
          const { memory, ...rest } = options;
          const coppice = await Coppice.start({ device: 'cpu', memory });
          try {
            for await (const token of coppice.generate(files, rest)) throw new Error(`a token ${token.id}`);
          } finally {
            coppice.close();
          }
        },
        { model, options },
      );
    } catch (error) {
      return error.message;
    }
    return 'nothing was refused';
  };
  assert.match(await refused('bert-sst2', { prompt: PROMPT }), /causal language models.*BertForSequenceClassification/);
  assert.match(await refused('llama-stories', { prompt: PROMPT, maxTokens: 0 }), /max_tokens is 0/);
  assert.match(await refused('llama-stories', { prompt: 'word '.repeat(600) }), /512 positions/);
  assert.match(await refused('llama-stories', { prompt: PROMPT, memory: 1e7 }), /MiB of weights.*may use 9\.5 MiB/);
});

test(
  'dense and pruned write side by side on the page, which is ready for the next run afterwards',
  { timeout: 300_000 },
  async () => {
    await takeDemo(page, 'llama-stories');
    await page.getByTestId('length').fill('64');
    await fill(page, { heads: true, neurons: true, ratio: 30, output: 'sliced', sequences: 4, rows: 0 });
    await page.getByTestId('run').click();
    await page.getByTestId('output-files').waitFor({ timeout: 200_000 });
    await page.getByTestId('prompt').fill(PROMPT);
    await page.getByTestId('max-tokens').fill('12');
    await page.getByTestId('temperature').fill('0');
    await page.evaluate(() => {
      window.seen = [];
      for (const which of ['dense', 'pruned'])
        new MutationObserver(() => {
          window.seen.push([which, document.querySelector(`[data-testid="tokens-${which}"]`).textContent]);
        }).observe(document.querySelector(`[data-testid="text-${which}"]`), { childList: true });
    });
    await page.getByTestId('generate').click();
    await page.getByTestId('generation-status').getByText('Done.').waitFor({ timeout: 60_000 });
    assert.ok((await text('text-dense')).startsWith(PROMPT + STOCK['llama-stories']), await text('text-dense'));
    assert.notEqual(await text('text-dense'), await text('text-pruned'));
    for (const which of ['dense', 'pruned']) {
      assert.equal(await text(`tokens-${which}`), '12');
      assert.ok(Number(await text(`rate-${which}`)) > 0);
      // One by one, not all at the end.
      const counts = await page.evaluate((column) => window.seen.filter(([of]) => of === column).length, which);
      assert.ok(counts >= 12, `${which}: ${counts} changes`);
    }
    await page.getByTestId('evaluation-demo').check();
    await fill(page, { ratio: 20, rows: 500 });
    await runToTheEnd(page, 200_000);
  },
);
