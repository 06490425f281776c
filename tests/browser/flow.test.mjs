// What a person does: drop the folder, choose LIAR at 50 % on WebGPU, run, read the accuracies, download.
// What was downloaded stays in out/browser/ for the oracle: stock Transformers judges it (tools/oracle.sh).
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { unzipSync } from './chromium.mjs';
import { drop, facts, fill, pickFiles, pickFolder, runToTheEnd, share } from './person.mjs';
import { DEMO, FULL, open, OUT, ready, SITE } from './site.mjs';

const MINUTES = 60_000;
const SENTENCES = FULL ? 512 : 64;
const ROWS = FULL ? 872 : 100;

let site;
let page;

before(async () => {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  site = await open(SITE);
  page = site.page;
  await ready(page, 'gpu');
});
after(() => site.close());

test('a dropped folder is understood', async () => {
  await drop(page, [DEMO]);
  const text = await facts(page);
  for (const part of ['bert-sst2', 'BertForSequenceClassification', '16.7 M', '33.5 MB, F16', 'fewer neurons']) {
    assert.ok(text.includes(part), `${part} is in: ${text}`);
  }
});

test('the folder picker and the file picker understand it likewise', async () => {
  for (const pick of [pickFiles, pickFolder]) {
    await page.reload();
    await ready(page, 'gpu');
    await pick(page, DEMO);
    assert.match(await facts(page), /BertForSequenceClassification/);
  }
});

test('the device that runs is on the page, with the reason', async () => {
  assert.match(await page.getByTestId('device-chip').textContent(), /^GPU · ./);
  assert.match(await page.getByTestId('device-info').textContent(), /asked for/);
});

test('LIAR takes half of the encoder on WebGPU', { timeout: 60 * MINUTES }, async () => {
  await fill(page, { heads: true, neurons: true, ratio: 50, output: 'sliced', sequences: SENTENCES, rows: ROWS });
  await runToTheEnd(page, 55 * MINUTES);
  assert.ok(Math.abs((await share(page, 'removed-share')) - 0.5) <= 0.005);
  const [dense, pruned] = [await share(page, 'accuracy-before'), await share(page, 'accuracy-after')];
  assert.ok(dense > 0.85, `dense accuracy ${dense}`);
  assert.ok(pruned > 0.75, `accuracy of the pruned model ${pruned}`);
  assert.match(await page.getByTestId('layers-table').textContent(), /of 12.*of 1,536/);
});

test('the zip holds the whole output folder', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('save-zip').click()]);
  assert.equal(download.suggestedFilename(), 'bert-sst2-pruned.zip');
  const files = unzipSync(await readFile(await download.path()));
  const folder = `${OUT}/gpu-sliced-liar`;
  await mkdir(folder, { recursive: true });
  for (const [path, bytes] of Object.entries(files))
    await writeFile(`${folder}/${path.replace('bert-sst2-pruned/', '')}`, bytes);
  const names = Object.keys(files).map((path) => path.replace('bert-sst2-pruned/', ''));
  for (const name of [
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'recipe.json',
    'plan.json',
    'report.json',
    'README.md',
  ]) {
    assert.ok(names.includes(name), `${name} is among ${names}`);
  }
  const report = JSON.parse(await readFile(`${folder}/report.json`, 'utf8'));
  assert.equal(report.device.kind, 'gpu');
  assert.match(report.ran_on.statistics, /gpu/);
  assert.match(report.ran_on.repair, /gpu/);
  assert.deepEqual(await readFile(`${folder}/tokenizer.json`), await readFile(`${DEMO}/tokenizer.json`));
});

/** Loads a folder through the public module and leaves its logits where the oracle finds them. */
async function leaveLogits(folder, out, rows) {
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  await page.evaluate(() => {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', multiple: true, id: 'for-the-test' });
    document.body.append(input);
  });
  await page.locator('#for-the-test').setInputFiles(names.map((name) => `${folder}/${name}`));
  const answers = await page.evaluate(async (limit) => {
    const { Coppice } = await import('./coppice.js');
    const input = document.querySelector('#for-the-test');
    const coppice = await Coppice.start({ device: 'gpu' });
    const data = await (await fetch('data/sst2-dev.tsv')).text();
    const steps = [];
    const onProgress = ({ fraction }) => steps.push(fraction);
    const { values, width, accuracy, examples } = await coppice.evaluate([...input.files], {
      task: 'classify',
      data,
      limit,
      onProgress,
    });
    coppice.close();
    input.remove();
    return { rows: values.length / width, cols: width, logits: [...values], accuracy, examples, steps: steps.length };
  }, rows);
  assert.equal(answers.rows, rows);
  assert.ok(answers.steps > 0);
  await writeFile(out, JSON.stringify(answers));
  return answers;
}

test('the module gives the logits of the dense and of the pruned model', { timeout: 30 * MINUTES }, async () => {
  const dense = await leaveLogits(DEMO, `${OUT}/gpu-dense.logits.json`, ROWS);
  assert.ok(Math.abs(dense.accuracy - (await share(page, 'accuracy-before'))) < 1e-3);
  const pruned = await leaveLogits(`${OUT}/gpu-sliced-liar`, `${OUT}/gpu-sliced-liar.logits.json`, ROWS);
  assert.ok(Math.abs(pruned.accuracy - (await share(page, 'accuracy-after'))) < 1e-3);
});

test('the worker’s requests are among those that were recorded', () => {
  assert.ok(site.requests.some((address) => address.endsWith('.wasm')));
});
