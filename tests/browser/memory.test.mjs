// Less memory than a run would like: statistics go to memory outside of the wasm heap, then to the private file system, the
// result is the same, and nothing stays behind.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, ready, SITE } from './site.mjs';

const LLAMA = new URL('../../www/models/llama-stories/', import.meta.url).pathname;
const NAMES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const RECIPE = {
  version: 1,
  calibration: { source: 'calibration.txt', sequences: 8, length: 32, seed: 0 },
  method: { kind: 'structured', ratio: 0.3 },
  output: { kind: 'sliced' },
};
let site;

before(async () => {
  site = await open(SITE);
  await ready(site.page, 'cpu');
  await site.page.evaluate(() => {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', multiple: true, id: 'for-the-test' });
    document.body.append(input);
  });
  await site.page.locator('#for-the-test').setInputFiles(NAMES.map((name) => LLAMA + name));
});
after(() => site.close());

/** Estimates and prunes with so much memory (as usual where none is given); `during` lists the scratch while it ran. */
function run(memory) {
  return site.page.evaluate(
    async ({ recipe, memory }) => {
      const { Coppice } = await import('./coppice.js');
      const coppice = await Coppice.start({ device: 'cpu', memory });
      const calibration = await (await fetch('models/llama-stories/calibration.txt')).blob();
      const { files } = document.querySelector('#for-the-test');
      const scratch = async () => {
        const root = await navigator.storage.getDirectory();
        try {
          return await Array.fromAsync((await root.getDirectoryHandle('coppice-scratch')).keys());
        } catch {
          return [];
        }
      };
      let during = 0;
      const onProgress = async ({ phase }) => {
        if (phase === 'reconstruct') during = Math.max(during, (await scratch()).length);
      };
      try {
        const told = await coppice.estimate([...files], recipe, { calibration });
        const { report, files: written } = await coppice.prune([...files], recipe, { calibration, onProgress });
        const weights = await written.find(({ name }) => name === 'model.safetensors').arrayBuffer();
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', weights)).toHex();
        return { told, memory: report.memory, digest, during, left: await scratch() };
      } catch ({ kind, message }) {
        return { kind, message };
      } finally {
        coppice.close();
      }
    },
    { recipe: RECIPE, memory },
  );
}

test('what does not fit goes to memory and to disk, and the result is the same', { timeout: 300_000 }, async () => {
  const roomy = await run();
  assert.deepEqual([roomy.memory.kept.memory, roomy.memory.kept.disk, roomy.during], [0, 0, 0]);
  assert.ok(roomy.told.device_bytes >= roomy.memory.device, `${roomy.told.device_bytes} told, ${roomy.memory.device}`);
  // The CPU's tensors are in the same heap.
  const heap = roomy.told.device_bytes + roomy.told.host_bytes;
  assert.ok(heap >= roomy.memory.heap, `${heap} told, ${roomy.memory.heap}`);
  const tight = await run(roomy.told.device_bytes - 0.75 * roomy.told.kept.device);
  assert.ok(tight.memory.kept.memory > 0 && tight.memory.kept.disk > 0, JSON.stringify(tight));
  assert.ok(tight.memory.device <= tight.memory.budget, JSON.stringify(tight.memory));
  assert.equal(tight.during, 1, 'one scratch file while it runs');
  assert.deepEqual(tight.left, [], 'no scratch file afterwards');
  assert.equal(tight.digest, roomy.digest, 'less memory changed the result');
});

test('what cannot fit is refused before it starts', { timeout: 120_000 }, async () => {
  const refused = await run(5e6);
  assert.equal(refused.kind, 'budget');
  assert.match(refused.message, /needs about \d+ MiB on the device .* and 5 MiB are allowed; allow more memory/);
});

test('what a closed tab left behind is removed at the next start', { timeout: 120_000 }, async () => {
  const left = await site.page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('coppice-scratch', { create: true });
    await folder.getFileHandle('leftover', { create: true });
    const { Coppice } = await import('./coppice.js');
    (await Coppice.start({ device: 'cpu' })).close();
    return Array.fromAsync(folder.keys());
  });
  assert.deepEqual(left, []);
});
