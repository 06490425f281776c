// A decoder on the page: its demo button brings its own texts, and the result is told in perplexity.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { unzipSync } from './chromium.mjs';
import { facts, fill, pickFolder, runToTheEnd, share } from './person.mjs';
import { alertText, DEMO, open, ready, SITE, takeDemo } from './site.mjs';

const LLAMA = DEMO.replace('bert-sst2', 'llama-stories');

let root;
let site;
let page;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'coppice-'));
  site = await open(SITE);
  page = site.page;
  await ready(page, 'cpu');
});
after(async () => {
  await site.close();
  await rm(root, { recursive: true });
});

const recipe = async () => JSON.parse(await page.getByTestId('recipe-json').inputValue());
const figure = async (id) => Number(await page.getByTestId(id).textContent());

test('the demo of a decoder brings its own texts and a set that suits it', async () => {
  await takeDemo(page, 'llama-stories');
  const text = await facts(page);
  for (const part of ['LlamaForCausalLM', 'causal language model', 'Key/value heads', 'fewer heads and neurons'])
    assert.ok(text.includes(part), `${part} is in: ${text}`);
  const { calibration, evaluation } = await recipe();
  assert.deepEqual(calibration, { source: 'calibration.txt', sequences: 64, length: 256, seed: 0 });
  assert.deepEqual(evaluation, { source: 'valid.txt', limit: 10000, window: 256 });
});

test('an encoder after it gets its own again', async () => {
  await takeDemo(page);
  const { calibration, evaluation } = await recipe();
  assert.deepEqual(calibration, { source: 'sst2-train.tsv', sequences: 512, length: 128, seed: 0 });
  assert.deepEqual(evaluation, { source: 'sst2-dev.tsv', limit: 872 });
});

test('heads of a stock GPT-2 need another output, and the page says so', async () => {
  await takeDemo(page, 'gpt2-stories');
  await fill(page, { heads: true, neurons: true, output: 'stock', pad: false });
  assert.match(await page.getByTestId('recipe-advice').textContent(), /gpt2.*fewer heads.*sliced.*pad/);
  await fill(page, { heads: false });
});

test('a decoder of the person’s own asks for a text', async () => {
  const folder = join(root, 'mine');
  await cp(LLAMA, folder, { recursive: true });
  await pickFolder(page, folder);
  await page.getByTestId('model-facts').getByText('LlamaForCausalLM').waitFor();
  await page.getByTestId('texts-wanted').waitFor();
  assert.equal(await page.getByTestId('calibration-demo').isVisible(), false);
  assert.equal((await recipe()).evaluation, undefined);
  await page.getByTestId('run').click();
  assert.match(await alertText(page), /No calibration file is chosen/);
});

test('Llama loses 30 % of its layers on the CPU', { timeout: 300_000 }, async () => {
  await takeDemo(page, 'llama-stories');
  await page.getByTestId('length').fill('128');
  await fill(page, { heads: true, neurons: true, ratio: 30, output: 'stock', sequences: 16, rows: 2000 });
  await runToTheEnd(page, 290_000);
  // Heads are few and wide, and a stock config holds the same number in every layer: the share is coarse.
  assert.ok(Math.abs((await share(page, 'removed-share')) - 0.3) <= 0.03);
  const [dense, pruned] = [await figure('perplexity-before'), await figure('perplexity-after')];
  assert.ok(dense > 5 && dense < 15, `dense perplexity ${dense}`);
  assert.ok(pruned > dense && pruned < 10 * dense, `perplexity of the pruned model ${pruned}`);
  const [right, still] = [await share(page, 'token-accuracy-before'), await share(page, 'token-accuracy-after')];
  assert.ok(0.3 < right && right < 0.7, `token accuracy ${right}`);
  assert.ok(0.1 < still && still < right, `token accuracy of the pruned model ${still}`);
  assert.ok((await figure('kl-after')) > 0);
  assert.match(await page.getByTestId('comparison').textContent(), /lower is better/);
});

test('its zip holds a folder that the page takes again', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('save-zip').click()]);
  assert.equal(download.suggestedFilename(), 'llama-stories-pruned.zip');
  const files = unzipSync(await readFile(await download.path()));
  const report = JSON.parse(Buffer.from(files['llama-stories-pruned/report.json']).toString());
  assert.equal(report.quality_after.task, 'perplexity');
  assert.equal(report.recipe.evaluation.window, 256);
  await page.getByTestId('model-files').setInputFiles(
    Object.entries(files).map(([path, bytes]) => ({
      name: path.split('/').at(-1),
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(bytes),
    })),
  );
  await page.getByTestId('texts-wanted').waitFor();
  assert.match(await facts(page), /LlamaForCausalLM/);
});
