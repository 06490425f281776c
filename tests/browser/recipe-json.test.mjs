// A recipe as JSON, both ways: what is typed or imported fills the form, and nothing of it is lost. The core checks it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { runToTheEnd } from './person.mjs';
import { accessible, open, ready, SITE, takeDemo } from './site.mjs';

let site;
let page;
let folder;

before(async () => {
  site = await open(SITE);
  page = site.page;
  folder = await mkdtemp(join(tmpdir(), 'coppice-'));
});
after(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  await page.reload();
  await ready(page, 'cpu');
});

const byId = (id) => page.getByTestId(id);
const recipe = async () => JSON.parse(await byId('recipe-json').inputValue());
const said = async () => (await byId('recipe-error').textContent()) || (await byId('recipe-status').textContent());
const also = () => byId('recipe-also').locator('li').allTextContents();

async function show() {
  if (!(await byId('recipe-json').isVisible())) await byId('recipe-show').click();
}

/** Types a text over what stands there, applies it, and gives back what the page says. */
async function apply(value) {
  await show();
  await byId('recipe-json').fill(typeof value === 'string' ? value : JSON.stringify(value));
  await byId('recipe-apply').click();
  await page.waitForFunction(() => {
    const text = (id) => document.querySelector(`[data-testid="${id}"]`).textContent;
    return text('recipe-error') !== '' || text('recipe-status').startsWith('The form has');
  });
  return said();
}

async function importFile(name, text) {
  await writeFile(join(folder, name), text);
  await byId('recipe-import').setInputFiles(join(folder, name));
}

const CALIBRATION = { source: 'sst2-train.tsv', sequences: 77, length: 96, seed: 5 };
const EVALUATION = { source: 'sst2-dev.tsv', limit: 321 };
const OUTPUT = { kind: 'sliced', dtype: 'bf16', pad: false };
const FULL = {
  structured: {
    method: {
      kind: 'structured',
      units: ['heads', 'neurons'],
      criterion: 'optin',
      allocation: 'global',
      ratio: 0.07,
      reconstruction: 'liar',
      ridge: 'auto',
      error_aware: true,
      target: 'output',
      affine: false,
      screen: 0.29,
      score_sequences: 12,
      floor: 0.1,
    },
    output: OUTPUT,
  },
  sparse: {
    method: {
      kind: 'sparse',
      criterion: 'sparsegpt',
      pattern: 'unstructured',
      allocation: 'trim',
      layer_budgets: 'owl',
      ratio: 0.333333,
      update: 'refit',
      ridge: 0.02,
      samples: 64,
      order: 'linear',
      range: 0.1,
      outlier: 7,
      iterations: 20,
    },
    output: { kind: 'packed', dtype: 'same', pad: false },
  },
  low_rank: {
    method: {
      kind: 'low_rank',
      factorisation: 'asvd',
      allocation: 'global',
      ratio: 0.4,
      floor: 0.25,
      sensitivity: 'alone',
      joint: true,
      sparse: 0.2,
    },
    output: { kind: 'factored', dtype: 'f32', pad: false },
  },
};

for (const [kind, parts] of Object.entries(FULL)) {
  test(`every field of a recipe of the kind ${kind} comes back as it was given`, async () => {
    await takeDemo(page);
    const given = { version: 1, calibration: CALIBRATION, evaluation: EVALUATION, ...parts };
    assert.equal(await apply(given), 'The form has the recipe now.');
    assert.deepEqual(await recipe(), given);
    assert.equal(await byId('kind').inputValue(), kind);
    assert.deepEqual([await byId('sequences').inputValue(), await byId('evaluation-rows').inputValue()], ['77', '321']);
    // What has no field is told.
    const names = { structured: [], sparse: ['ridge', 'samples', 'order', 'range', 'outlier', 'iterations'] };
    assert.deepEqual(
      (await also()).map((text) => text.split(' ')[0]),
      (names[kind] ?? ['sensitivity']).map((name) => `method.${name}`),
    );
  });
}

test('what the recipe leaves out has the core’s defaults, and defaults are no request', async () => {
  await takeDemo(page);
  const evaluation = { limit: 20 };
  for (const kind of ['structured', 'sparse', 'low_rank']) {
    assert.match(
      await apply({
        version: 1,
        method: { kind },
        output: { kind: kind === 'structured' ? 'sliced' : 'stock' },
        evaluation,
      }),
      /The form has/,
      kind,
    );
    assert.deepEqual(await also(), [], kind);
  }
  const small = { version: 1, calibration: { sequences: 8, length: 32 }, evaluation };
  const run = (given) =>
    page.evaluate(async (asked) => {
      const { Coppice } = await import('./coppice.js');
      const coppice = await Coppice.start({ device: 'cpu' });
      const files = await Promise.all(
        ['config.json', 'model.safetensors', 'tokenizer.json'].map(
          async (name) => new File([await (await fetch(`models/bert-sst2/${name}`)).blob()], name),
        ),
      );
      const [calibration, text] = ['a fine film\nnot so good\nwhat a story\n', 'a fine film\t1\nnot so good\t0\n'];
      const { report } = await coppice.prune(files, asked, { calibration, evaluation: text });
      coppice.close();
      return report.recipe;
    }, given);
  // The report tells the whole recipe, which is the same whether the form wrote it or the core filled it in.
  for (const kind of ['structured', 'sparse', 'low_rank']) {
    const bare = { ...small, method: { kind }, output: { kind: kind === 'structured' ? 'sliced' : 'stock' } };
    await apply(bare);
    const written = await recipe();
    for (const part of [written.calibration, written.evaluation]) delete part.source;
    assert.deepEqual(await run(written), await run(bare), kind);
  }
});

test('what has no field travels into the run and can be dropped', async () => {
  await takeDemo(page);
  const method = { kind: 'sparse', allocation: 'owl', range: 0.05, outlier: 6, ratio: 0.4 };
  await apply({ version: 1, calibration: { sequences: 8, length: 32 }, method, evaluation: { limit: 20 } });
  assert.deepEqual(
    (await also()).map((text) => text.replace(/ Drop$/, '')),
    ['method.range 0.05', 'method.outlier 6'],
  );
  await accessible(page, '#recipe');
  await byId('recipe-drop').nth(1).focus();
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'recipe-drop');
  assert.deepEqual([(await recipe()).method.range, (await recipe()).method.outlier], [0.05, undefined]);
  // Another kind of method knows nothing of it; the first one does again.
  await byId('kind').selectOption('low_rank');
  assert.deepEqual([await also(), (await recipe()).method.range], [[], undefined]);
  await byId('kind').selectOption('sparse');
  assert.equal((await recipe()).method.range, 0.05);
  await runToTheEnd(page, 120_000);
  await byId('recipe-drop').click();
  assert.equal(await byId('recipe-also').isVisible(), false);
  assert.equal((await recipe()).method.range, undefined);
  // The run that was made with it gives it back.
  await byId('result-recipe').click();
  await byId('recipe-status').getByText('The form has').waitFor();
  assert.equal((await recipe()).method.range, 0.05);
});

const WRONG = [
  ['{"version": 1, "method": {"kind": "structured", }}', /not valid JSON .*(column|position|line)/],
  ['[1]', /JSON object, in braces/],
  ['  ', /nothing to apply/],
  [{ version: 3, method: { kind: 'sparse' } }, /version 3/],
  [{ version: 1, method: { kind: 'structured', ratoi: 0.5 } }, /unknown field "ratoi"; the fields of structured are/],
  [{ version: 1, method: { kind: 'structured', ratio: 2 } }, /method\.ratio is 2/],
  [{ version: 1, method: { kind: 'sparse', iterations: 30 } }, /method\.iterations is for the update refit/],
  [{ version: 1, method: { kind: 'plan', plan: 'plan.json' } }, /method\.plan names the file plan\.json/],
  [{ version: 1, method: { kind: 'plan', plan: { layers: [7] } } }, /"layers" must list an object/],
  [{ version: 1, calibration: { seed: 2 ** 60 }, method: { kind: 'sparse' } }, /calibration\.seed is too large/],
  [{ version: 1, method: { kind: 'sparse' }, output: { kind: 'sliced' } }, /output\.kind is "sliced"/],
  [{ version: 1, calibration: { sequences: 0 }, method: { kind: 'sparse' } }, /calibration sequences must be a whole/],
  [{ version: 1, method: { kind: 'sparse' }, '<img src=x onerror=alert(1)>': 1 }, /unknown field "<img/],
];

test('a wrong recipe is one sentence that says where; what was typed stays, and so does the form', async () => {
  const before = await recipe();
  for (const [given, sentence] of WRONG) {
    assert.match(await apply(given), sentence);
    const typed = await byId('recipe-json').inputValue();
    assert.equal(typed, typeof given === 'string' ? given : JSON.stringify(given));
    assert.equal(await byId('recipe-json').getAttribute('aria-invalid'), 'true');
    await byId('recipe-revert').click();
    assert.deepEqual(await recipe(), before, typed);
  }
  await apply('{');
  await accessible(page, '#recipe');
  // What was typed stays while the form changes under it.
  await byId('seed').fill('9');
  assert.equal(await byId('recipe-json').inputValue(), '{');
  assert.match(await byId('recipe-json-state').textContent(), /form has changed since/);
  await byId('recipe-revert').click();
  assert.equal((await recipe()).calibration.seed, 9);
});

test('a recipe goes out as a file and comes in again, before there is a model', async () => {
  await apply({
    version: 1,
    calibration: { sequences: 33, length: 99 },
    evaluation: { limit: 7, window: 128 },
    ...FULL.low_rank,
  });
  const [download] = await Promise.all([page.waitForEvent('download'), byId('recipe-save').click()]);
  assert.equal(download.suggestedFilename(), 'recipe.json');
  const text = await readFile(await download.path(), 'utf8');
  await page.reload();
  await ready(page, 'cpu');
  await importFile('again.json', text);
  await byId('recipe-status').getByText('The form has').waitFor();
  // A decoder has other sets by default, which are not to take the place of what was imported.
  await takeDemo(page, 'gpt2-stories');
  const { calibration, evaluation, method } = await recipe();
  assert.deepEqual([calibration.sequences, calibration.length], [33, 99]);
  assert.deepEqual([evaluation.limit, evaluation.window], [7, 128]);
  assert.deepEqual(method, FULL.low_rank.method);
});

test('recipes are found in reports, model cards and plans, and other files are refused with a sentence', async () => {
  await takeDemo(page);
  const inside = { version: 1, calibration: { sequences: 21 }, method: { kind: 'sparse', ratio: 0.25 } };
  await importFile('report.json', JSON.stringify({ device: {}, recipe: inside }));
  await page.waitForFunction(() => document.querySelector('[data-testid="sequences"]').value === '21');
  const card = `# A model\n\n\`\`\`json\n{"a": 1}\n\`\`\`\n\n\`\`\`json\n${JSON.stringify({ ...inside, calibration: { sequences: 22 } }, null, 2)}\n\`\`\`\n`;
  await importFile('README.md', card);
  await page.waitForFunction(() => document.querySelector('[data-testid="sequences"]').value === '22');
  // A text that the page does not have is named, and not silently another.
  await importFile('recipe.json', JSON.stringify({ ...inside, calibration: { source: 'a/mine.txt', sequences: 23 } }));
  await byId('recipe-status')
    .getByText('It was made with the calibration text mine.txt; the page takes sst2-train.tsv')
    .waitFor();
  await importFile('NOTES.md', '# Nothing here\n');
  await byId('recipe-status').getByText('NOTES.md holds no recipe').waitFor();
  await importFile('config.json', '{"model_type": "bert"}');
  await byId('recipe-error').getByText('no version').waitFor();
  assert.match(await byId('recipe-json').inputValue(), /model_type/);

  const units = (of) => Array.from({ length: of }, (_, unit) => unit);
  const layers = Array.from({ length: 6 }, () => ({ heads: units(12), neurons: units(700) }));
  await importFile('plan.json', JSON.stringify({ version: 1, layers }));
  await byId('recipe-also').getByText('a plan that keeps 72 heads and 4200 neurons in 6 layers').waitFor();
  assert.equal(await byId('kind').inputValue(), 'plan');
  assert.equal(await byId('ratio').isVisible(), false);
  assert.ok(await byId('reconstruction').isVisible());
  const { method } = await recipe();
  assert.deepEqual([method.kind, method.plan.layers.length, method.reconstruction], ['plan', 6, 'liar']);
  // The engine takes it.
  await byId('estimate').getByText('Will need about').waitFor({ timeout: 60_000 });
  await byId('recipe-drop').click();
  assert.equal((await recipe()).method.kind, 'structured');
  assert.equal(await byId('kind').locator('option[value="plan"]').isDisabled(), true);
});

test('a recipe that is dropped on the section is taken there, and no model is lost', async () => {
  await takeDemo(page);
  const path = join(folder, 'dropped.json');
  await writeFile(path, JSON.stringify({ version: 1, method: { kind: 'sparse', ratio: 0.15 } }));
  const title = page.locator('#recipe-title');
  await title.scrollIntoViewIfNeeded();
  const { x, y } = await title.boundingBox();
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'])
    await session.send('Input.dispatchDragEvent', { type, x: x + 5, y: y + 5, data });
  await byId('recipe-status').getByText('The form has').waitFor();
  assert.equal((await recipe()).method.ratio, 0.15);
  assert.ok((await byId('model-facts').innerText()).includes('BertForSequenceClassification'));
});

test('the command line is the same recipe for a shell, whatever the names', async () => {
  await takeDemo(page);
  await byId('command-show').click();
  for (const [text, folderName] of [
    ['it’s $HOME `id` \\n "q" !x.txt', undefined],
    ['plain.txt', '-a b\'c"$(id)'],
  ]) {
    await byId('calibration-own').check();
    await byId('calibration-file').setInputFiles({ name: text, mimeType: 'text/plain', buffer: Buffer.from('a\n') });
    if (folderName) {
      const model = join(folder, folderName);
      const { cp } = await import('node:fs/promises');
      await cp(new URL('../../www/models/bert-sst2', import.meta.url), model, { recursive: true });
      await byId('model-folder').setInputFiles(model);
      await byId('model-facts').getByText(folderName).waitFor();
    }
    const command = await byId('command').textContent();
    execFileSync('bash', ['-n'], { input: command });
    // In place of the command stands a function that tells its arguments.
    const script = `coppice() { for word; do printf '%s\\0' "$word"; done; }\n${command}`;
    for (const shell of ['sh', 'bash']) {
      const place = await mkdtemp(join(folder, 'shell-'));
      const out = execFileSync(shell, [], { input: script, cwd: place, encoding: 'utf8' });
      const name = folderName ? `./${folderName}` : 'bert-sst2';
      const wanted = ['prune', name, '--recipe', 'coppice-recipe.json', '--out', `${name}-pruned`, '--device', 'cpu'];
      assert.deepEqual(out.split('\0').slice(0, -1), wanted);
      const written = JSON.parse(await readFile(join(place, 'coppice-recipe.json'), 'utf8'));
      assert.deepEqual(written, await recipe());
      assert.equal(written.calibration.source, text);
    }
  }
  await byId('memory').selectOption('4');
  assert.match(await byId('command').textContent(), / --device cpu --memory 4\n$/);
  await ready(page, 'cpu');
});
