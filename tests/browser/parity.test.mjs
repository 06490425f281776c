// The GPU and the CPU of one browser: plans differ in close calls only, and the same plan gives the same tensors.
// It judges what flow.test.mjs left in out/browser/ and therefore runs after it.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { DEMO, open, OUT, ready, SITE } from './site.mjs';
import { distance, readTensors } from './tensors.mjs';

/**
 * Of a tensor's Frobenius norm. Rounding to F16 alone makes 2e-4 of difference; f32 statistics through a solve of
 * condition 1e4 make up to 8e-4 here, nearly all of it in directions that the inputs hardly use.
 */
const TOLERANCE = 2e-3;

const onGpu = `${OUT}/gpu-sliced-liar`;
const json = async (path) => JSON.parse(await readFile(path, 'utf8'));
let site;
let recipe;
let plan;
let report;

before(async () => {
  [recipe, plan, report] = await Promise.all(
    ['recipe.json', 'plan.json', 'report.json'].map((name) => json(`${onGpu}/${name}`)),
  );
  site = await open(SITE);
  await ready(site.page, 'cpu');
  await site.page.evaluate(() => {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', multiple: true, id: 'for-the-test' });
    document.body.append(input);
  });
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  await site.page.locator('#for-the-test').setInputFiles(names.map((name) => `${DEMO}/${name}`));
});
after(() => site.close());

/** Prunes on the CPU through the public module; gives back the plan, the close calls and the weights. */
async function pruneOnCpu(method) {
  const result = await site.page.evaluate(
    async (given) => {
      const { Coppice } = await import('./coppice.js');
      const coppice = await Coppice.start({ device: 'cpu' });
      const calibration = await (await fetch('data/sst2-train.tsv')).blob();
      const input = document.querySelector('#for-the-test');
      const pruned = await coppice.prune([...input.files], given, { calibration });
      coppice.close();
      const weights = new Uint8Array(await pruned.files.find(({ name }) => name === 'model.safetensors').arrayBuffer());
      // Through a string of base64: the driver would send an array number by number.
      return { plan: pruned.plan, calls: pruned.report.close_calls, weights: weights.toBase64() };
    },
    { ...recipe, method: method ?? recipe.method },
  );
  return { ...result, weights: new Uint8Array(Buffer.from(result.weights, 'base64')) };
}

test('plans differ in close calls only', { timeout: 900_000 }, async (t) => {
  const cpu = await pruneOnCpu();
  const close = new Set(
    [...report.close_calls, ...cpu.calls].map(({ layer, unit, index }) => `${layer} ${unit} ${index}`),
  );
  const differences = [];
  plan.layers.forEach((layer, number) => {
    for (const unit of ['heads', 'neurons']) {
      const [a, b] = [new Set(layer[unit]), new Set(cpu.plan.layers[number][unit])];
      for (const index of [...a, ...b])
        if (a.has(index) !== b.has(index)) differences.push(`${number} ${unit} ${index}`);
    }
  });
  t.diagnostic(`${differences.length} units differ; ${close.size} were close calls`);
  assert.deepEqual(
    differences.filter((unit) => !close.has(unit)),
    [],
  );
});

test('the same plan gives the same tensors', { timeout: 900_000 }, async (t) => {
  const { reconstruction, ridge, error_aware } = recipe.method;
  const cpu = await pruneOnCpu({ kind: 'plan', plan, reconstruction, ridge, error_aware });
  assert.deepEqual(cpu.plan, plan);
  await mkdir(`${OUT}/cpu-same-plan`, { recursive: true });
  await writeFile(`${OUT}/cpu-same-plan/model.safetensors`, cpu.weights);
  const [a, b] = [readTensors(await readFile(`${onGpu}/model.safetensors`)), readTensors(cpu.weights)];
  assert.deepEqual([...a.keys()], [...b.keys()]);
  let worst = ['', 0];
  for (const [name, values] of a) {
    const far = distance(values, b.get(name));
    if (far > worst[1]) worst = [name, far];
  }
  t.diagnostic(`largest difference ${worst[1].toExponential(2)} of the norm, in ${worst[0]}`);
  assert.ok(worst[1] <= TOLERANCE, worst.join(' '));
});
