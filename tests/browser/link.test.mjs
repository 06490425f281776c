// A link restores recipe and view, holds no data, and may have been written by anybody.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { inflateRawSync, deflateRawSync } from 'node:zlib';
import { accessible, alertText, open, ready, SITE, takeDemo } from './site.mjs';

let site;
let page;

before(async () => {
  site = await open(SITE, { context: { permissions: ['clipboard-read', 'clipboard-write'] } });
  page = site.page;
});
after(() => site.close());

beforeEach(async () => {
  await page.goto('about:blank');
  await page.goto(`${site.origin}/`);
  await ready(page, 'cpu');
});

const byId = (id) => page.getByTestId(id);
const recipe = async () => JSON.parse(await byId('recipe-json').inputValue());

async function copyLink() {
  await byId('link-copy').click();
  await byId('recipe-status').getByText('The link is copied.').waitFor();
  const link = await byId('link-text').inputValue();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  return link;
}

/** Opens an address in a page of its own, as who is sent it would. */
async function follow(link) {
  await page.goto('about:blank');
  await page.goto(link);
}

const contentOf = (link) =>
  JSON.parse(inflateRawSync(Buffer.from(link.split('#coppice=1z.')[1], 'base64url')).toString());
const linkOf = (content, packed = true) => {
  const text = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  const bytes = packed ? deflateRawSync(text) : text;
  return `${site.origin}/#coppice=1${packed ? 'z' : ''}.${bytes.toString('base64url')}`;
};

const restored = () => byId('recipe-status').getByText('Recipe and view are those of the link').waitFor();

test('recipe, model, texts, device and what is open come back', async () => {
  await takeDemo(page, 'llama-stories');
  await byId('kind').selectOption('low_rank');
  await byId('output').selectOption('factored');
  await byId('ratio').fill('33.3');
  await byId('joint').check();
  await byId('sequences').fill('19');
  await byId('length').fill('200');
  await byId('evaluation-rows').fill('4321');
  await byId('evaluation-window').fill('99');
  await byId('memory').selectOption('4');
  await ready(page, 'cpu');
  await byId('command-show').click();
  await page.locator('#open-map details summary').click();
  await page.locator('#run').scrollIntoViewIfNeeded();
  await page.evaluate(() => document.querySelector('#run').scrollIntoView());
  const wanted = await recipe();
  // Clicking scrolls to the button; the view is taken as the page stands then.
  await page.evaluate(() => document.querySelector('[data-testid="link-copy"]').click());
  await byId('recipe-status').getByText('The link is copied.').waitFor();
  const link = await byId('link-text').inputValue();

  const hits = site.requests.length;
  await follow(link);
  await restored();
  assert.deepEqual(await recipe(), wanted);
  assert.ok((await byId('model-facts').innerText()).includes('LlamaForCausalLM'));
  assert.deepEqual([await byId('device').inputValue(), await byId('memory').inputValue()], ['cpu', '4']);
  assert.match(await byId('device-chip').textContent(), /^CPU/);
  assert.ok(await byId('command').isVisible());
  assert.equal(await byId('recipe-json').isVisible(), false);
  assert.ok(await byId('model-map-table').isVisible());
  const top = await page.evaluate(() => document.querySelector('#run').getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 400, `the run's section is ${top} pixels from the top`);
  // Nothing of the link was asked of the server.
  assert.ok(site.requests.slice(hits).every((address) => !address.includes('coppice=1')));
  // The engine takes what came.
  await byId('estimate').getByText('Will need about').waitFor({ timeout: 60_000 });
  await accessible(page, '#recipe');
});

test('the panel to learn with is opened again', async () => {
  await byId('learn-lab').click();
  await byId('learn-view-lab').waitFor();
  const link = await copyLink();
  assert.deepEqual(contentOf(link).open, ['lab']);
  await follow(link);
  await restored();
  await byId('learn-view-lab').waitFor();
  assert.match(await byId('recipe-status').textContent(), /without a model; choose yours/);
});

test('a link holds no names of files and no texts', async () => {
  await byId('model-folder').setInputFiles(new URL('../../www/models/bert-sst2', import.meta.url).pathname);
  await byId('model-facts').getByText('Architecture').waitFor();
  const file = { name: 'secret-notes.tsv', mimeType: 'text/plain', buffer: Buffer.from('a secret\t1\n') };
  for (const group of ['calibration', 'evaluation']) {
    await byId(`${group}-own`).check();
    await byId(`${group}-file`).setInputFiles(file);
  }
  assert.equal((await recipe()).calibration.source, 'secret-notes.tsv');
  await page.evaluate(() => (document.querySelector('#sentence').value = 'a secret sentence'));
  const link = await copyLink();
  const content = contentOf(link);
  assert.ok(!/secret|bert-sst2|source/.test(JSON.stringify(content)), JSON.stringify(content));
  assert.deepEqual(content.texts, { calibration: 'own', evaluation: 'own' });
  await follow(link);
  await byId('recipe-status').getByText('without the text of its own').waitFor();
  assert.ok(await byId('calibration-own').isChecked());
});

test('what has no field goes along, and a plan that is too long is told', async () => {
  const method = { kind: 'sparse', allocation: 'owl', range: 0.05 };
  await byId('recipe-show').click();
  await byId('recipe-json').fill(JSON.stringify({ version: 1, method }));
  await byId('recipe-apply').click();
  await byId('recipe-status').getByText('The form has').waitFor();
  const link = await copyLink();
  await follow(link);
  await restored();
  assert.equal((await recipe()).method.range, 0.05);
  assert.ok(await byId('recipe-also').isVisible());

  // Units without a pattern, which do not pack.
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const layers = Array.from({ length: 24 }, () => ({
    heads: [0],
    neurons: Array.from({ length: 4096 }, (_, unit) => unit).filter(() => random() < 0.5),
  }));
  // The text is open already: that is part of the view.
  await byId('recipe-json').fill(
    JSON.stringify({ version: 1, method: { kind: 'plan', plan: { version: 1, layers } } }),
  );
  await byId('recipe-apply').click();
  await byId('recipe-also').getByText('a plan that keeps').waitFor();
  await byId('link-copy').click();
  await byId('recipe-status').getByText('too long for a link').waitFor();
  assert.equal(await byId('link-text').isVisible(), false);
});

const GOOD = {
  recipe: { version: 1, method: { kind: 'structured', units: ['neurons'], ratio: 0.25 } },
  texts: { calibration: 'demo', evaluation: 'none' },
  open: [],
  device: 'cpu',
  memory: '',
};

test('a plain link is taken as a packed one is', async () => {
  await follow(linkOf(GOOD, false));
  await restored();
  assert.equal((await recipe()).method.ratio, 0.25);
});

const HTML = '<img src=x onerror="window.hostile=1">';
const BROKEN = [
  ['cut off', () => linkOf(GOOD).slice(0, -9), /cut off or changed/],
  ['of another version', () => `${site.origin}/#coppice=2.e30`, /another version/],
  ['nothing', () => `${site.origin}/#coppice=`, /cut off/],
  ['letters of no link', () => `${site.origin}/#coppice=1.%3Cscript%3E`, /cut off/],
  ['too long', () => `${site.origin}/#coppice=1.${'A'.repeat(20_000)}`, /cut off/],
  ['made to fill memory', () => linkOf(' '.repeat(9_000_000) + JSON.stringify(GOOD)), /cut off/],
  ['no JSON', () => linkOf('{'), /cut off/],
  ['deep', () => linkOf('['.repeat(200_000)), /cut off/],
  ['an array', () => linkOf([1]), /cut off/],
  ['null', () => linkOf(null), /cut off/],
  ['of a strange demo', () => linkOf({ ...GOOD, demo: '../secret' }), /cut off/],
  ['of the demo __proto__', () => linkOf('{"demo": "__proto__"}'), /cut off/],
  ['of a strange device', () => linkOf({ ...GOOD, device: HTML }), /cut off/],
  ['of a strange section', () => linkOf({ ...GOOD, step: 'alert' }), /cut off/],
  ['of strange parts', () => linkOf({ ...GOOD, open: [HTML] }), /cut off/],
  ['of strange texts', () => linkOf({ ...GOOD, texts: { calibration: HTML, evaluation: 'none' } }), /cut off/],
  [
    'with a wrong recipe',
    () => linkOf({ ...GOOD, recipe: { version: 1, method: { kind: HTML } } }),
    /method\.kind is "<img/,
  ],
  ['with a strange field', () => linkOf({ ...GOOD, recipe: { ...GOOD.recipe, [HTML]: 1 } }), /unknown field "<img/],
  [
    'with a deep recipe',
    () =>
      linkOf(
        `{"recipe":{"version":1,"method":${'{"a":'.repeat(20000)}1${'}'.repeat(20000)}},"texts":{"calibration":"demo","evaluation":"none"},"open":[],"device":"cpu","memory":""}`,
      ),
    /Nothing of this link was taken/,
  ],
  [
    'with a plan by name',
    () => linkOf({ ...GOOD, recipe: { version: 1, method: { kind: 'plan', plan: HTML } } }),
    /plan names the file/,
  ],
];

test('a broken or hostile link is one sentence and an ordinary page', async () => {
  const ordinary = await recipe();
  for (const [what, link, sentence] of BROKEN) {
    const hits = site.requests.length;
    await follow(link());
    assert.match(await alertText(page), sentence, what);
    await ready(page, 'cpu');
    assert.deepEqual(await recipe(), ordinary, what);
    assert.equal(await page.evaluate(() => window.hostile), undefined);
    assert.equal(await page.locator('img[onerror]').count(), 0, what);
    assert.ok(!site.requests.slice(hits).some((address) => /models\/|secret/.test(address)), what);
  }
  // And one can go on from there.
  await takeDemo(page);
});

test('a link that is pasted in the same tab is taken too, but not during a run', async () => {
  await takeDemo(page);
  const link = new URL(linkOf({ ...GOOD, demo: 'gpt2-stories' }));
  await byId('run').click();
  await byId('cancel').waitFor();
  await page.evaluate((hash) => (location.hash = hash), link.hash);
  assert.match(await alertText(page), /A run is under way/);
  await byId('cancel').click();
  await byId('run').waitFor();
  await page.evaluate(() => (location.hash = ''));
  await page.evaluate((hash) => (location.hash = hash), link.hash);
  await restored();
  assert.ok((await byId('model-facts').innerText()).includes('GPT2LMHeadModel'));
  assert.equal(await byId('alert').textContent(), '');
});
