// GPT-2 and Llama on WebGPU through the public module: the CPU's logits, and pruned from end to end.
// What is left in out/browser/ is judged by stock Transformers (tools/oracle.sh); flow.test.mjs, which empties it, runs before.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { DEMO, FULL, open, OUT, ready, SITE } from './site.mjs';

/** Of the logits' standard deviation. */
const TOLERANCE = 1e-3;
const WINDOW = FULL ? 128 : 64;
const WINDOWS = FULL ? 8 : 2;
const SEQUENCES = FULL ? 64 : 16;
const TIMEOUT = 30 * 60_000;

const stories = (family) => DEMO.replace('bert-sst2', `${family}-stories`);
let site;

before(async () => {
  site = await open(SITE);
  await ready(site.page, 'cpu');
  await mkdir(OUT, { recursive: true });
  await site.page.evaluate(() => {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', multiple: true, id: 'for-the-test' });
    document.body.append(input);
  });
});
after(() => site.close());

/** Hands a folder's files to the page. */
async function give(folder) {
  const names = (await readdir(folder)).filter((name) => !name.endsWith('.txt'));
  await site.page.locator('#for-the-test').setInputFiles(names.map((name) => `${folder}/${name}`));
}

/** Evaluates the folder on a device: what the command would print, and the logits, which the oracle finds in `name`. */
async function answers(folder, text, device, name, windows = WINDOWS, window = WINDOW) {
  await give(folder);
  const found = await site.page.evaluate(
    async ({ text, device, limit, window }) => {
      const { Coppice } = await import('./coppice.js');
      const coppice = await Coppice.start({ device });
      const data = await (await fetch(text)).text();
      const files = [...document.querySelector('#for-the-test').files];
      const task = 'perplexity';
      const { values, width, ...said } = await coppice.evaluate(files, { task, data, limit, window, logits: true });
      const { kind } = coppice.device;
      coppice.close();
      // Through a string of base64: the driver would send an array number by number.
      return { said, kind, width, values: new Uint8Array(values.buffer).toBase64() };
    },
    { text, device, limit: windows * window, window },
  );
  assert.equal(found.kind, device);
  const bytes = Uint8Array.from(Buffer.from(found.values, 'base64'));
  const logits = new Float32Array(bytes.buffer);
  assert.equal(logits.length, windows * window * found.width);
  if (name) {
    await writeFile(`${OUT}/${name}.json`, JSON.stringify(found.said));
    const rows = logits.length / found.width;
    await writeFile(`${OUT}/${name}.logits.json`, JSON.stringify({ rows, cols: found.width, logits: [...logits] }));
  }
  return { said: found.said, logits };
}

/** Largest difference over the standard deviation of the second. */
function distance(ours, others) {
  let [sum, squares, largest] = [0, 0, 0];
  others.forEach((value, index) => {
    sum += value;
    squares += value * value;
    largest = Math.max(largest, Math.abs(ours[index] - value));
  });
  const mean = sum / others.length;
  return largest / Math.sqrt(squares / others.length - mean * mean);
}

for (const family of ['gpt2', 'llama']) {
  const text = `models/${family}-stories/valid.txt`;

  test(`${family}-stories gives the CPU's logits on WebGPU`, { timeout: TIMEOUT }, async (t) => {
    const gpu = await answers(stories(family), text, 'gpu', `gpu-${family}-dense`);
    const cpu = await answers(stories(family), text, 'cpu');
    const far = distance(gpu.logits, cpu.logits);
    t.diagnostic(`largest difference ${far.toExponential(2)} standard deviations`);
    assert.ok(far <= TOLERANCE, `${far}`);
    assert.ok(Math.abs(gpu.said.perplexity / cpu.said.perplexity - 1) <= 1e-4);
  });

  test(`${family}-stories is pruned on WebGPU from end to end`, { timeout: TIMEOUT }, async (t) => {
    await give(stories(family));
    const recipe = {
      version: 1,
      calibration: { source: 'calibration.txt', sequences: SEQUENCES, length: WINDOW },
      method: { kind: 'structured', units: ['heads', 'neurons'], ratio: 0.3, error_aware: true },
      output: { kind: 'sliced' },
      evaluation: { source: 'valid.txt', limit: WINDOWS * WINDOW, window: WINDOW },
    };
    const pruned = await site.page.evaluate(
      async ({ recipe, folder }) => {
        const { Coppice } = await import('./coppice.js');
        const coppice = await Coppice.start({ device: 'gpu' });
        const [calibration, evaluation] = await Promise.all(
          ['calibration.txt', 'valid.txt'].map(async (name) => (await fetch(`${folder}/${name}`)).blob()),
        );
        const input = document.querySelector('#for-the-test');
        const { files, report } = await coppice.prune([...input.files], recipe, { calibration, evaluation });
        coppice.close();
        const bytes = async (file) => new Uint8Array(await file.arrayBuffer()).toBase64();
        return { report, files: await Promise.all(files.map(async (file) => [file.name, await bytes(file)])) };
      },
      { recipe, folder: `models/${family}-stories` },
    );
    const { report } = pruned;
    assert.equal(report.device.kind, 'gpu');
    assert.ok(Math.abs(report.ratio.linear - 0.3) <= 0.005, `realised ${report.ratio.linear}`);
    const [dense, after] = [report.quality_before.perplexity, report.quality_after.perplexity];
    t.diagnostic(`perplexity ${dense} before, ${after} after`);
    assert.ok(after > dense && after < 4 * dense, `perplexity ${dense} before, ${after} after`);
    const folder = `${OUT}/gpu-${family}-sliced`;
    await mkdir(folder, { recursive: true });
    for (const [name, bytes] of pruned.files) await writeFile(`${folder}/${name}`, Buffer.from(bytes, 'base64'));
    const weights = await readFile(`${folder}/model.safetensors`);
    assert.ok(weights.length < (await readFile(`${stories(family)}/model.safetensors`)).length);
    const again = await answers(folder, text, 'gpu', `gpu-${family}-sliced`);
    assert.ok(Math.abs(again.said.perplexity / after - 1) < 1e-5, 'what was measured is what was written');
  });
}

if (FULL) {
  // A real pretrained Llama (tools/smollm2.py). One short window: its vocabulary has 49,152 entries.
  test("SmolLM2-135M gives the CPU's logits on WebGPU", { timeout: TIMEOUT }, async (t) => {
    const [folder, text] = [DEMO.replace('www/models/bert-sst2', 'out/smollm2'), 'models/gpt2-stories/valid.txt'];
    const gpu = await answers(folder, text, 'gpu', 'gpu-smollm2-dense', 1, 64);
    const cpu = await answers(folder, text, 'cpu', undefined, 1, 64);
    const far = distance(gpu.logits, cpu.logits);
    t.diagnostic(`largest difference ${far.toExponential(2)} standard deviations`);
    assert.ok(far <= TOLERANCE, `${far}`);
    assert.ok(Math.abs(gpu.said.perplexity / cpu.said.perplexity - 1) <= 1e-4);
  });
}
