// States of the page that a healthy engine never shows, on the stand-in engine.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { alertText, MOCK, open, ready, takeDemo } from './site.mjs';

let site;
let page;

before(async () => {
  site = await open(MOCK, { expectErrors: true });
  page = site.page;
  await ready(page);
});
after(() => site.close());

beforeEach(async () => {
  await page.reload();
  await ready(page);
  await takeDemo(page);
  await page.getByTestId('sequences').fill('400');
});

async function finishes() {
  await page.getByTestId('seed').fill('0');
  await page.getByTestId('sequences').fill('20');
  await page.getByTestId('run').click();
  await page.getByTestId('comparison').waitFor();
}

async function cancelIn(phase) {
  await page.getByTestId('progress-now').getByText(phase).waitFor();
  await page.getByTestId('cancel').click();
  await page.getByTestId('run').waitFor();
  assert.match(await page.getByTestId('status').textContent(), /cancelled/);
}

test('an engine that answers a cancel is kept', async () => {
  await page.getByTestId('seed').fill('905');
  await page.getByTestId('run').click();
  await cancelIn('Calibrate');
  assert.equal(page.workers().length, 1);
  await finishes();
});

test('an engine that hangs is replaced, and the next run works', async () => {
  await page.getByTestId('seed').fill('901');
  await page.getByTestId('run').click();
  const [gone] = page.workers();
  const ended = new Promise((resolve) => gone.once('close', resolve));
  await cancelIn('Calibrate');
  await ended;
  await finishes();
});

test('the page answers while the engine hangs', async () => {
  await page.getByTestId('seed').fill('901');
  await page.getByTestId('run').click();
  await page.getByTestId('progress-now').getByText('Calibrate').waitFor();
  // The engine never comes back by itself: what answers here is a page that does not wait for it.
  await page.getByTestId('recipe-show').click();
  await page.getByTestId('recipe-json').waitFor();
  await cancelIn('Calibrate');
});

for (const [seed, what, sentence] of [
  ['902', 'a crash of the worker', /stopped unexpectedly \(.*out of luck\)/],
  ['903', 'a lost device', /The GPU was lost/],
  ['904', 'a trap of WebAssembly', /unreachable/],
]) {
  test(`${what} is one sentence, and the next run works`, async () => {
    await page.getByTestId('seed').fill(seed);
    await page.getByTestId('run').click();
    assert.match(await alertText(page), sentence);
    await finishes();
  });
}

test('what a run will need is told before it starts, and again when the recipe changes', async () => {
  const line = page.getByTestId('estimate');
  await line.getByText('400 MB of scratch on disk').waitFor();
  assert.match(await line.textContent(), /about 600\sMB of the 2\.15\sGB allowed on the device, 300\sMB in memory/);
  await page.getByTestId('sequences').fill('90');
  await line.getByText('90.0 MB of scratch on disk').waitFor();
  await page.getByTestId('seed').fill('906');
  await line.getByText('This run needs about 3 GiB on the device').waitFor();
});

test('another amount of memory starts another engine', async () => {
  const [before] = page.workers();
  const ended = new Promise((resolve) => before.once('close', resolve));
  await page.getByTestId('memory').selectOption('4');
  await ended;
  await finishes();
  assert.match(await page.getByTestId('memory-used').textContent(), /600\sMB/);
});

test('fields that are wrong are named, and nothing starts', async () => {
  for (const [field, value, sentence] of [
    ['ratio', '', /ratio must be a number/],
    ['sequences', '1.5', /sequences must be a whole number/],
    ['seed', '-1', /seed must be a whole number/],
  ]) {
    const input = page.getByTestId(field);
    const old = await input.inputValue();
    await input.fill(value);
    await page.getByTestId('run').click();
    assert.match(await alertText(page), sentence);
    assert.ok(await page.getByTestId('progress').isHidden());
    await input.fill(old);
  }
  await page.getByTestId('unit-neurons').uncheck();
  await page.getByTestId('run').click();
  assert.match(await alertText(page), /Nothing is chosen/);
});

test('a folder is written into a new folder, and one that exists is left alone', async () => {
  await finishes();
  await page.evaluate(async () => {
    const folder = await navigator.storage.getDirectory();
    await folder.getDirectoryHandle('bert-sst2-pruned', { create: true });
    // A headless browser never settles the picker.
    window.showDirectoryPicker = () => Promise.resolve(folder);
  });
  await page.getByTestId('save-folder').click();
  await page.getByTestId('save-status').getByText('bert-sst2-pruned-2').waitFor();
  const written = await page.evaluate(async () => {
    const folder = await navigator.storage.getDirectory();
    const sizes = {};
    for await (const [name, handle] of await folder.getDirectoryHandle('bert-sst2-pruned-2')) {
      sizes[name] = (await handle.getFile()).size;
    }
    let untouched = 0;
    for await (const name of (await folder.getDirectoryHandle('bert-sst2-pruned')).keys()) untouched += name.length;
    return { sizes, untouched };
  });
  assert.equal(written.untouched, 0);
  assert.equal(written.sizes['model.safetensors'], 1003);
  assert.deepEqual(Object.keys(written.sizes).sort(), ['README.md', 'config.json', 'model.safetensors', 'recipe.json']);
});

test('of model, text and result nothing is kept in the browser', async () => {
  await finishes();
  const kept = await page.evaluate(async () => {
    const names = await caches.keys();
    const held = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return [
      localStorage.length,
      document.cookie,
      (await indexedDB.databases()).length,
      names.filter((name) => !/^coppice \/ page [0-9a-f]{16}$/.test(name)),
      held.flat().filter(({ url }) => /models|data|safetensors/.test(new URL(url).pathname)),
    ];
  });
  assert.deepEqual(kept, [0, '', 0, [], []]);
});
