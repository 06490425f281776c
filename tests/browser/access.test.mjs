// The page by keyboard alone, and by the rules that axe knows. The CPU device runs the job.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { facts } from './person.mjs';
import { accessible, MOCK, open, ready, SITE, takeDemo } from './site.mjs';

describe('by keyboard alone', () => {
  let site;
  let page;

  before(async () => {
    site = await open(SITE);
    page = site.page;
    await ready(page);
  });
  after(() => site.close());

  const focused = () => page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.tagName);

  /** Presses Tab until the element with this test id has the focus, as a person would. */
  async function tabTo(id, back = false) {
    for (let presses = 0; presses < 80; presses += 1) {
      if ((await focused()) === id) return;
      await page.keyboard.press(back ? 'Shift+Tab' : 'Tab');
    }
    assert.fail(`${id} is not reached by Tab; the focus is on ${await focused()}`);
  }

  async function type(id, text) {
    await tabTo(id);
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  }

  test('a model is pruned and its zip downloaded', { timeout: 300_000 }, async () => {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await tabTo('model-folder');
    await tabTo('demo-bert-sst2');
    await page.keyboard.press('Enter');
    await facts(page);
    await type('evaluation-rows', '8');
    await tabTo('unit-heads');
    await page.keyboard.press('Space');
    assert.ok(await page.getByTestId('recipe-advice').isVisible());
    await page.keyboard.press('Space');
    await tabTo('ratio-slider');
    for (let step = 0; step < 20; step += 1) await page.keyboard.press('ArrowLeft');
    assert.equal(await page.getByTestId('ratio').inputValue(), '30');
    await tabTo('output');
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.getByTestId('output').inputValue(), 'sliced');
    await type('sequences', '8');
    await tabTo('device');
    await page.keyboard.type('CPU');
    await ready(page, 'cpu');
    await tabTo('run');
    await page.keyboard.press('Enter');
    assert.equal(await focused(), 'cancel');
    await page.getByTestId('comparison').waitFor({ timeout: 240_000 });
    assert.equal(await page.evaluate(() => document.activeElement.id), 'result-title');
    await tabTo('save-zip');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    assert.equal(download.suggestedFilename(), 'bert-sst2-pruned.zip');
  });

  test('and a second run is cancelled', { timeout: 120_000 }, async () => {
    // Another calibration, since with the same one the run would find most of it done.
    await tabTo('seed', true);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('1');
    await tabTo('run');
    await page.keyboard.press('Enter');
    await page.getByTestId('progress-now').getByText('Measure before').waitFor();
    await page.keyboard.press('Enter');
    await page.getByTestId('status').getByText('cancelled').waitFor();
    assert.equal(await focused(), 'run');
  });
});

describe('by the rules of axe', () => {
  let site;

  before(async () => {
    site = await open(MOCK);
  });
  after(() => site.close());

  for (const colorScheme of ['light', 'dark']) {
    test(`no violation, ${colorScheme}`, async () => {
      const { page } = site;
      await page.emulateMedia({ colorScheme });
      await page.reload();
      await ready(page);
      await takeDemo(page);
      await page.getByTestId('unit-heads').check();
      await page.getByTestId('sequences').fill('20');
      await page.getByTestId('run').click();
      await page.getByTestId('comparison').waitFor();
      for (const summary of await page.locator('summary').all()) await summary.click();
      await page.getByTestId('ratio').fill('');
      await page.getByTestId('run').click();
      await page.getByTestId('alert').locator('p').waitFor();
      await accessible(page);
    });
  }

  test('nothing is wider than a phone', async () => {
    for (const width of [360, 390, 768, 1280]) {
      await site.page.setViewportSize({ width, height: 800 });
      const wide = await site.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
    }
  });

  test('every test id of the page is in docs/TESTIDS.md, and the other way round', async () => {
    const { readFile } = await import('node:fs/promises');
    const text = await readFile(new URL('../../docs/TESTIDS.md', import.meta.url), 'utf8');
    const listed = new Set(
      [...text.matchAll(/`([a-z0-9_-]+)`/g)].map(([, id]) => id).filter((id) => id !== 'data-testid'),
    );
    // Shown in place of the accuracy: for models without a classifier, for decoders, and where nothing was compared.
    for (const id of ['distance', 'perplexity', 'token-accuracy', 'quality'])
      for (const when of ['before', 'after']) assert.ok(listed.delete(`${id}-${when}`));
    // Shown on demand; attempts.test.mjs, side.test.mjs, recipe-json.test.mjs and report.test.mjs do so.
    const asked = ['attempt-show', 'attempt-speed', 'attempts-undo', 'differences', 'recipe-drop', 'report'];
    asked.push(...['print', 'close', 'caveats', 'command'].map((part) => `report-${part}`));
    for (const id of [...asked, 'classes', 'class-dense', 'class-pruned', 'changes-table'])
      assert.ok(listed.delete(id));
    // Of the other language, and asked before something is lost; language.test.mjs shows them.
    for (const id of ['language-en', 'ask', 'ask-yes', 'ask-no']) assert.ok(listed.delete(id));
    const there = new Set(
      await site.page.evaluate(() => Array.from(document.querySelectorAll('[data-testid]'), (e) => e.dataset.testid)),
    );
    assert.deepEqual(
      [...there].filter((id) => !listed.has(id)),
      [],
      'not listed',
    );
    assert.deepEqual(
      [...listed].filter((id) => !there.has(id)),
      [],
      'not there',
    );
  });
});
