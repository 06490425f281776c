// What is wrong is said in one sentence; nothing is written, and the page is ready for the next try.
import assert from 'node:assert/strict';
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { facts, fill, pickFolder, runToTheEnd } from './person.mjs';
import { alertText, DEMO, open, ready, SITE } from './site.mjs';

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

/** A copy of the demo model that `spoil` has changed. */
async function spoiled(name, spoil) {
  const folder = join(root, name);
  await cp(DEMO, folder, { recursive: true });
  await spoil(folder);
  return folder;
}

async function editConfig(folder, change) {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  change(config);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
}

/** One sentence: it begins with a capital or a name, ends with a full stop, and is of one line. */
async function sentence() {
  const text = await alertText(page);
  assert.match(text, /^\S[^\n]*\.$/);
  assert.ok(text.length < 400, text);
  return text;
}

const FOLDERS = {
  'weights that are no safetensors': [
    (folder) => writeFile(join(folder, 'model.safetensors'), 'This is a text, not a model.\n'.repeat(100)),
    /model\.safetensors/,
  ],
  'truncated weights': [
    async (folder) => {
      const bytes = await readFile(join(folder, 'model.safetensors'));
      await writeFile(join(folder, 'model.safetensors'), bytes.subarray(0, bytes.length / 2));
    },
    /model\.safetensors/,
  ],
  'no config': [(folder) => rm(join(folder, 'config.json')), /config\.json/],
  'no weights': [(folder) => rm(join(folder, 'model.safetensors')), /safetensors/],
  'a config that is no JSON': [(folder) => writeFile(join(folder, 'config.json'), '{"model_type":'), /config\.json/],
  'an architecture that is not supported': [
    (folder) => editConfig(folder, (config) => (config.model_type = 'mamba')),
    /mamba/,
  ],
  'shapes that disagree with the config': [
    (folder) => editConfig(folder, (config) => (config.intermediate_size = 1000)),
    /1000|1536/,
  ],
  'a layer without tensors': [(folder) => editConfig(folder, (config) => (config.num_hidden_layers = 7)), /layer\.6/],
};

describe('a folder with', () => {
  for (const [what, [spoil, naming]] of Object.entries(FOLDERS)) {
    test(what, async () => {
      await pickFolder(page, await spoiled(what.replaceAll(' ', '-'), spoil));
      assert.match(await sentence(), naming);
      assert.equal((await page.getByTestId('model-facts').textContent()).trim(), '');
      await page.getByTestId('run').click();
      assert.match(await sentence(), /no model yet/);
    });
  }
});

test('an empty folder', async () => {
  const folder = join(root, 'empty');
  await mkdir(folder);
  await copyFile(join(DEMO, 'tokenizer_config.json'), join(folder, 'notes.json'));
  await pickFolder(page, folder);
  assert.match(await sentence(), /config\.json|safetensors/);
});

describe('a good folder and', () => {
  before(async () => {
    await pickFolder(page, DEMO);
    await facts(page);
  });

  const ask = async (recipe, naming) => {
    await fill(page, {
      heads: false,
      neurons: true,
      ratio: 30,
      output: 'stock',
      pad: false,
      sequences: 4,
      rows: 4,
      ...recipe,
    });
    await page.getByTestId('run').click();
    assert.match(await sentence(), naming);
    await page.getByTestId('run').waitFor();
    assert.equal(await page.getByTestId('comparison').count(), 0);
  };

  test('a ratio out of range', () => ask({ ratio: 100 }, /ratio/));
  test('a ratio that cannot be reached', () => ask({ ratio: 90 }, /ratio|neurons/));
  test('heads, which a stock config cannot leave out', () => ask({ heads: true }, /heads.*(sliced|pad)/s));

  for (const [what, own, text, naming] of [
    ['an empty calibration text', 'calibration', '\n \n', /calibration text/],
    ['labelled data without labels', 'evaluation', 'no label here\n', /Line 1 of the labelled data/],
    ['labels that the model does not have', 'evaluation', 'fine film\t7\n', /label "7"/],
  ]) {
    test(what, async () => {
      await page.getByTestId(`${own}-own`).check();
      await page
        .getByTestId(`${own}-file`)
        .setInputFiles({ name: 'own.tsv', mimeType: 'text/plain', buffer: Buffer.from(text) });
      await ask({}, naming);
      await page.getByTestId(`${own}-demo`).check();
    });
  }

  test('no file where one of my own was asked for', async () => {
    await page.reload();
    await ready(page, 'cpu');
    await pickFolder(page, DEMO);
    await facts(page);
    await page.getByTestId('calibration-own').check();
    await ask({}, /No calibration file is chosen/);
    await page.getByTestId('calibration-demo').check();
  });

  test('after all that, a good run works', { timeout: 300_000 }, async () => {
    await fill(page, { ratio: 30, output: 'stock', sequences: 4, rows: 4 });
    await runToTheEnd(page, 290_000);
  });
});

test(
  'a browser without WebGPU says so when the GPU is asked for, and the CPU works',
  { timeout: 300_000 },
  async () => {
    const bare = await open(SITE, { flags: ['--disable-features=WebGPU'], webgpu: false });
    await ready(bare.page);
    assert.match(await bare.page.getByTestId('device-chip').textContent(), /^CPU/);
    assert.match(await bare.page.getByTestId('device-info').textContent(), /no usable GPU/i);
    await bare.page.getByTestId('device').selectOption('gpu');
    assert.match(await alertText(bare.page), /WebGPU|GPU.*\.$/);
    await ready(bare.page, 'cpu');
    await pickFolder(bare.page, DEMO);
    await facts(bare.page);
    await bare.close();
  },
);
