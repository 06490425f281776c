// The map of the model: drawn from the headers, lit up by a run, filled with scores, and changed by hand.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fill, runToTheEnd } from './person.mjs';
import { accessible, alertText, MOCK, open, ready, SITE, takeDemo } from './site.mjs';

/** What a map shows: rows of layers, each with the classes of its heads and the share that its lanes are wide. */
const rows = (map) =>
  map.evaluate((grid) =>
    [...grid.querySelectorAll('.map-row:not(.map-end)')].map((row) => ({
      heads: [...row.querySelectorAll('.heads .map-cell')].map(({ className }) => className),
      bins: row.querySelectorAll('.neurons .map-cell').length,
      widths: [...row.querySelectorAll('.map-units')].map(({ style }) => Number.parseFloat(style.width)),
      removed: row.classList.contains('map-removed'),
    })),
  );
const gone = ({ heads }) => heads.filter((classes) => classes.includes('gone')).length;
const head = (page, layer, unit) =>
  page.getByTestId('result-map').locator('.map-row:not(.map-end)').nth(layer).locator('.heads .map-cell').nth(unit);
const spaces = (text) => text.replaceAll('\u00a0', ' ');
const detail = async (page, which = 'result') => spaces(await page.getByTestId(`${which}-map-detail`).textContent());
const changed = async (page) => spaces(await page.getByTestId('map-changed').textContent());
const ownRecipe = async (page) => {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByTestId('save-file').getByText('recipe.json').click(),
  ]);
  return JSON.parse(await readFile(await download.path(), 'utf8'));
};

describe('on the stand-in engine', () => {
  let site;
  let page;

  before(async () => {
    site = await open(MOCK, { expectErrors: true });
    page = site.page;
  });
  after(() => site.close());

  beforeEach(async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.reload();
    await ready(page);
    await takeDemo(page);
  });

  async function prune({ units = ['heads'], kind = 'structured', output = 'sliced', sequences = 10 } = {}) {
    await page.getByTestId('kind').selectOption(kind);
    for (const unit of units) await page.getByTestId(`unit-${unit}`).check();
    await page.getByTestId('output').selectOption(output);
    await page.getByTestId('sequences').fill(String(sequences));
    await page.getByTestId('run').click();
    await page.getByTestId('comparison').waitFor();
  }

  test('a model is drawn as soon as it is open, and its numbers are told', async () => {
    const shown = await rows(page.getByTestId('model-map'));
    assert.equal(shown.length, 6);
    assert.ok(
      shown.every(({ heads, bins, widths }) => heads.length === 12 && bins === 48 && widths.every((w) => w === 100)),
    );
    await page.getByTestId('model-map').locator('.map-name').nth(1).hover();
    // 4 · 384² weights and 4 · 384 biases of attention, 2 · 384 · 1536 and 1536 + 384 of the FFN.
    assert.match(
      await detail(page, 'model'),
      /^Layer 1: 12 heads, 1,536 neurons\. 1\.77 M parameters\. 3\.55 M operations/,
    );
    assert.match(await page.getByTestId('model-map-table').textContent(), /1,772,928/);
    await accessible(page, '#model');
  });

  test('another model takes its place, and one that is none leaves nothing', async () => {
    await page
      .getByTestId('model-files')
      .setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
    await alertText(page);
    assert.equal(await page.getByTestId('model-map').count(), 0);
  });

  test('layers light up while a run passes over them', async () => {
    const live = page.getByTestId('live-map');
    await live.evaluate((map) => {
      map.seen = [];
      const look = () => {
        const rows = [...map.children];
        const shades = rows.map(({ dataset }) => dataset.shade ?? '-').join('');
        map.seen.push(`${shades} ${rows.findIndex(({ classList }) => classList.contains('current'))}`);
      };
      new MutationObserver(look).observe(map, { subtree: true, attributes: true, childList: true });
    });
    await prune({ units: [], sequences: 100 });
    const seen = await live.evaluate((map) => map.seen);
    // Through the second layer of calibration: the first has its shade, the others those of the phase before.
    for (const state of ['------ 0', '111111 0', '211111 1', '222111 3', '333333 0', '666665 5'])
      assert.ok(seen.includes(state), `${state} is in ${seen.join(', ')}`);
    assert.equal(await live.locator('.map-row').count(), 0);
  });

  test('the picture of a run is no stop for the keyboard, and goes with the run', async () => {
    await page.getByTestId('seed').fill('905');
    await page.getByTestId('run').click();
    const live = page.getByTestId('live-map');
    await live.locator('[data-shade="1"]').nth(5).waitFor();
    assert.equal(await live.locator('[tabindex]').count(), 0);
    await accessible(page, '#run');
    await page.getByTestId('cancel').click();
    await page.getByTestId('status').getByText('cancelled').waitFor();
    assert.equal(await live.locator('.map-row').count(), 0);
  });

  test('cells are filled by score, and what goes is told by more than its colour', async () => {
    await prune();
    const shown = await rows(page.getByTestId('result-map'));
    assert.deepEqual(shown.map(gone), [8, 7, 6, 5, 4, 3]);
    const steps = shown.flatMap(({ heads }) => heads.map((classes) => /s[0-6]/.exec(classes)[0]));
    // 72 heads in seven shades of equally many.
    for (const step of ['s0', 's3', 's6']) assert.ok(Math.abs(steps.filter((one) => one === step).length - 72 / 7) < 2);
    const [kept, cut] = await Promise.all(
      ['not(.gone)', 'is(.gone)'].map((which) =>
        page
          .getByTestId('result-map')
          .locator(`.heads .map-cell:${which}`)
          .first()
          .evaluate((cell) => {
            const { backgroundImage, borderStyle } = getComputedStyle(cell);
            return [backgroundImage === 'none', borderStyle, cell.getBoundingClientRect().height];
          }),
      ),
    );
    assert.deepEqual(
      [kept.slice(0, 2), cut.slice(0, 2)],
      [
        [true, 'solid'],
        [false, 'dashed'],
      ],
    );
    assert.ok(cut[2] < kept[2]);
    assert.equal(await page.getByTestId('result-map').locator('.neurons .close').count(), 2);
  });

  test('before and after share one scale', async () => {
    await prune();
    await page.getByTestId('map-after').check();
    const shown = await rows(page.getByTestId('result-map'));
    for (const [layer, { heads, widths }] of shown.entries()) {
      assert.equal(heads.length, 4 + layer);
      assert.ok(Math.abs(widths[0] - (100 * (4 + layer)) / 12) < 0.01);
      assert.ok(Math.abs(widths[1] - (100 * (400 + 60 * layer)) / 1536) < 0.01);
    }
    await accessible(page, '#result');
  });

  test('figures of layers add up to the report’s', async () => {
    await prune({ units: ['heads', 'hidden', 'layers'] });
    await page.locator('#result summary').getByText('table').click();
    const table = await page
      .getByTestId('layers-table')
      .evaluate((element) =>
        [...element.querySelectorAll('tbody tr')].map((row) => [...row.children].map(({ textContent }) => textContent)),
      );
    const column = (place) =>
      table.map((cells) => cells[place].split(' → ').map((text) => Number(text.replaceAll(',', ''))));
    const sum = (place, which) => column(place).reduce((all, pair) => all + (pair[which] ?? pair[0]), 0);
    const told = async (id) => Number((await page.getByTestId(id).textContent()).replaceAll(',', ''));
    assert.equal(sum(4, 0), await told('linear-parameters-before'));
    assert.equal(sum(4, 1), await told('linear-parameters-after'));
    assert.equal(sum(5, 0), 2 * (await told('linear-parameters-before')) + 4 * 20 * 6 * 384);
    const shown = await rows(page.getByTestId('result-map'));
    assert.deepEqual(
      shown.map(({ removed }) => removed),
      [false, false, false, true, false, false],
    );
    assert.match(await page.getByTestId('result-map').textContent(), /256 of 384 channels stay/);
    await accessible(page, '#result');
  });

  test('the arrow keys pass heads and neurons and tell their numbers', async () => {
    await prune();
    const map = page.getByTestId('result-map');
    await map.locator('[tabindex="0"]').focus();
    assert.equal(await map.locator('[tabindex="0"]').count(), 1);
    assert.match(
      await detail(page),
      /^Layer 1: 4 of 12 heads, 400 of 1,536 neurons\..*Relative error of attention: 20\.0 % without/,
    );
    await page.keyboard.press('ArrowRight');
    assert.match(
      await detail(page),
      /^Layer 1, head 0: goes\. Score [0-9.e-]+: rank \d+ of 12 in its layer, \d+ of 72/,
    );
    await page.keyboard.press('ArrowDown');
    assert.match(await detail(page), /^Layer 2, head 0/);
    await page.keyboard.press('End');
    assert.match(
      await detail(page),
      /^Layer 2, neurons of rank 1,505 to 1,536: all go\. Scores .* to .*: ranks 1,505 to 1,536/,
    );
    await page.keyboard.press('PageUp');
    assert.match(await detail(page), /^Embedding: 14,965 tokens × 384 channels/);
    await page.keyboard.press('PageDown');
    assert.match(await detail(page), /^Output: A classifier/);
    // One stop of the tab order: the next Tab leaves the map.
    await page.keyboard.press('Tab');
    assert.equal(await map.evaluate((grid) => grid.contains(document.activeElement)), false);
  });

  test('a head is kept or cut by click and by Enter, and undone', async () => {
    await prune();
    const before = await head(page, 0, 0).getAttribute('class');
    assert.ok(before.includes('gone'));
    await head(page, 0, 0).click();
    assert.doesNotMatch(await head(page, 0, 0).getAttribute('class'), /gone/);
    assert.match(
      await changed(page),
      /^Changed: 1 head in one layer\. The layers would keep \d+\.\d % .* the run left/,
    );
    assert.match(await head(page, 0, 0).getAttribute('class'), /changed/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    assert.match(await changed(page), /2 heads in one layer/);
    assert.match(await detail(page), /^Layer 1, head 1: .*Changed by hand/);
    await page.keyboard.press('Enter');
    assert.match(await changed(page), /1 head in one layer/);
    await accessible(page, '#result');
    await page.getByTestId('map-undo').click();
    assert.equal(await head(page, 0, 0).getAttribute('class'), before);
    assert.ok(await page.getByTestId('map-prune').isDisabled());
  });

  test('the last head of a layer stays, and the layer can go whole and come back', async () => {
    await prune();
    await page.getByTestId('map-layer').selectOption('1');
    await page.getByTestId('map-keep-heads').fill('1');
    await page.getByTestId('map-keep-heads').press('Enter');
    await page.getByTestId('result-map').locator('.map-row').nth(2).locator('.heads .map-cell:not(.gone)').click();
    assert.match(await changed(page), /At least one head must stay/);
    const row = async () => (await rows(page.getByTestId('result-map')))[1];
    await page.getByTestId('map-cut-layer').click();
    assert.ok((await row()).removed);
    await page.getByTestId('map-cut-layer').getByText('Keep the layer').click();
    assert.equal(gone(await row()), 7);
  });

  test('neurons are kept best first, in one layer or in every one', async () => {
    await prune();
    await page.getByTestId('map-layer').selectOption('2');
    await page.getByTestId('map-keep-neurons').fill('768');
    await page.getByTestId('map-keep-neurons').press('Enter');
    assert.match(await changed(page), /^Changed: 248 neurons in one layer/);
    const bins = page.getByTestId('result-map').locator('.map-row').nth(3).locator('.neurons .map-cell');
    assert.equal(await bins.nth(23).getAttribute('aria-label'), 'neurons of rank 737 to 768, all stay');
    assert.equal(await bins.nth(24).getAttribute('aria-label'), 'neurons of rank 769 to 800, all go');
    await bins.nth(5).focus();
    await page.keyboard.press('-');
    assert.equal(await bins.nth(23).getAttribute('aria-label'), 'neurons of rank 737 to 768, all go');
    await page.keyboard.press('+');
    assert.match(await changed(page), /^Changed: 248 neurons/);
    await page.getByTestId('map-layer').selectOption('every');
    await page.getByTestId('map-keep-neurons-slider').fill('512');
    const shares = await page.getByTestId('layers-table').textContent();
    assert.equal(shares.match(/512 of 1,536/g).length, 6);
  });

  test('a changed plan is a recipe with the form’s repair, and runs; its scores stay on show', async () => {
    await prune();
    await page.getByTestId('reconstruction').selectOption('bias');
    await head(page, 0, 0).click();
    const save = page.waitForEvent('download');
    await page.getByTestId('map-save').click();
    const plan = JSON.parse(await readFile(await (await save).path(), 'utf8'));
    assert.deepEqual([plan.version, plan.layers.length, plan.layers[0].heads.length], [1, 6, 5]);
    await page.getByTestId('map-prune').click();
    await page.getByTestId('map-changed').getByText('This is the plan of the run').waitFor();
    const { method, output } = await ownRecipe(page);
    assert.deepEqual(method, { kind: 'plan', plan, reconstruction: 'bias', error_aware: false });
    assert.equal(output.kind, 'sliced');
    assert.match(await head(page, 0, 0).getAttribute('class'), /s\d/);
    assert.match(
      await page.locator('#result .map-legend').textContent(),
      /Scores are those of the run that the plan comes from/,
    );
    assert.equal(gone((await rows(page.getByTestId('result-map')))[0]), 7);
  });

  test('what cannot be written is said in the engine’s words, and the changes are still there', async () => {
    await prune({ units: [], output: 'sliced' });
    await page.getByTestId('output').selectOption('stock');
    await page.getByTestId('map-layer').selectOption('0');
    await page.getByTestId('map-keep-neurons').fill('500');
    await page.getByTestId('map-keep-neurons').press('Enter');
    await page.getByTestId('map-prune').click();
    assert.match(await alertText(page), /as many neurons in every layer; choose the output kind "sliced"/);
    assert.match(await changed(page), /^Changed: 100 neurons/);
    assert.ok(await page.getByTestId('map-prune').isEnabled());
  });

  test('units that were not scored can be changed one by one alone', async () => {
    await prune({ units: [] });
    assert.ok(await page.getByTestId('map-keep-heads').isDisabled());
    assert.ok(await page.getByTestId('map-keep-neurons').isEnabled());
    await head(page, 4, 2).click();
    assert.match(await changed(page), /^Changed: 1 head/);
  });

  test('a plan of another model is not run on this one', async () => {
    await prune();
    await head(page, 0, 0).click();
    await page.getByTestId('demo-llama-stories').click();
    await page.getByTestId('model-facts').getByText('LlamaForCausalLM').waitFor();
    await page.getByTestId('map-prune').click();
    assert.match(await alertText(page), /of another model/);
    assert.ok(await page.getByTestId('progress').isHidden());
  });

  for (const [kind, what, bars, titles, sentence] of [
    [
      'sparse',
      'single weights',
      36,
      ['q', 'k', 'v', 'o', 'up', 'down'],
      /^Layer 1, q: .*384 × 384: 110,592 of 147,456 parameters stay \(75\.0 %\)\. Relative error 4\.0 %/,
    ],
    [
      'low_rank',
      'ranks',
      34,
      ['q k v 96', 'o 96', 'up 96', 'down 96', 'q 104', 'k 104'],
      /^Layer 1, q k v: .*query\.weight and .*key\.weight and .*, 1,152 × 384: 148,456 of 442,368 .* Rank 96 of 384 and 1,000 single weights\./,
    ],
  ]) {
    test(`${what} have a bar a matrix, and a table`, async () => {
      await prune({ units: [], kind, output: 'stock' });
      const map = page.getByTestId('result-map');
      assert.equal(await map.locator('.matrix').count(), bars);
      assert.deepEqual((await map.locator('.matrix').allTextContents()).slice(0, 6), titles);
      await map.locator('.matrix').first().hover();
      assert.match(await detail(page), sentence);
      assert.equal(await page.getByTestId('layers-table').locator('tbody tr').count(), bars);
      assert.equal(await page.getByTestId('map-prune').count(), 0);
      await page.locator('#result summary').getByText('table').click();
      await accessible(page, '#result');
    });
  }

  for (const colorScheme of ['light', 'dark']) {
    test(`it fits a phone and a wall, ${colorScheme}`, async () => {
      await page.emulateMedia({ colorScheme });
      await prune();
      for (const width of [360, 390, 768, 1280, 2560]) {
        await page.setViewportSize({ width, height: 900 });
        // Charts that are sized by script follow the window a moment later.
        await page.waitForFunction((most) => document.documentElement.scrollWidth <= most, width, { timeout: 5000 });
        await accessible(page, '#result');
      }
    });
  }
});

describe('on the engine', () => {
  let site;
  let page;

  before(async () => {
    site = await open(SITE);
    page = site.page;
    await ready(page, 'cpu');
  });
  after(() => site.close());

  for (const [demo, most, rowsUsed, output, headsLeft] of [
    ['bert-sst2', 12, 20, 'sliced', 'head'],
    ['llama-stories', 4, 1000, 'sliced', 'key/value head'],
  ]) {
    test(`${demo} is drawn, pruned, changed by hand and pruned by that plan`, { timeout: 300_000 }, async () => {
      await takeDemo(page, demo);
      await page.getByTestId('model-map').waitFor();
      const dense = await rows(page.getByTestId('model-map'));
      assert.ok(dense.every(({ heads }) => heads.length === most));
      await page.getByTestId('length').fill('64');
      await fill(page, { heads: true, neurons: true, ratio: 40, output, sequences: 8, rows: rowsUsed });
      await runToTheEnd(page, 250_000);
      const before = await rows(page.getByTestId('result-map'));
      assert.ok(before.every(({ heads }) => heads.every((classes) => /\bs[0-6]\b/.test(classes))));
      await page.getByTestId('result-map').locator('.map-name').nth(1).focus();
      assert.match(await detail(page), /parameters\. .*operations a token\..*Relative error of/);
      const parameters = async (id) => Number((await page.getByTestId(id).textContent()).replaceAll(',', ''));
      const sizes = await page
        .getByTestId('layers-table')
        .evaluate((table) =>
          [...table.querySelectorAll('tbody tr')].map((row) => row.children[4].textContent.split(' → ')),
        );
      const number = (text) => Number(text.replaceAll(',', ''));
      const sum = (which) => sizes.reduce((all, pair) => all + number(pair[which] ?? pair[0]), 0);
      assert.equal(sum(0), await parameters('linear-parameters-before'));
      assert.equal(sum(1), await parameters('linear-parameters-after'));

      const layer = before.findIndex((row) => gone(row) > 0);
      const unit = before[layer].heads.findIndex((classes) => classes.includes('gone'));
      await head(page, layer, unit).click();
      assert.match(await detail(page), new RegExp(`^Layer ${layer + 1}, ${headsLeft} ${unit}: stays`));
      await page.getByTestId('map-prune').click();
      await page.getByTestId('cancel').waitFor();
      await page.getByTestId('run').waitFor({ timeout: 250_000 });
      assert.equal(await page.getByTestId('alert').textContent(), '');
      const after = await rows(page.getByTestId('result-map'));
      assert.equal(gone(after[layer]), gone(before[layer]) - 1);
      const { method } = await ownRecipe(page);
      assert.deepEqual([method.kind, method.plan.layers[layer].heads.includes(unit)], ['plan', true]);
    });
  }

  test('a stock config that cannot hold the plan says so, and a sliced one can', { timeout: 300_000 }, async () => {
    await page.getByTestId('output').selectOption('stock');
    await page.getByTestId('map-layer').selectOption('0');
    const field = page.getByTestId('map-keep-neurons');
    assert.ok(await field.isEnabled(), 'the scores of the first run are still known');
    await field.fill('16');
    await field.press('Enter');
    await page.getByTestId('map-prune').click();
    assert.match(await alertText(page), /stock llama config .*sliced/);
    assert.match(await changed(page), /^Changed: \d+ neurons/);
    await page.getByTestId('output').selectOption('sliced');
    await page.getByTestId('map-prune').click();
    await page.getByTestId('map-changed').getByText('This is the plan of the run').waitFor({ timeout: 250_000 });
    assert.match(await page.getByTestId('layers-table').textContent(), /16 of 704/);
  });

  test('ranks have bars on the engine too', { timeout: 300_000 }, async () => {
    await page.getByTestId('kind').selectOption('low_rank');
    await page.getByTestId('output').selectOption('factored');
    await page.getByTestId('run').click();
    await page.getByTestId('cancel').waitFor();
    await page.getByTestId('run').waitFor({ timeout: 250_000 });
    const map = page.getByTestId('result-map');
    // Eight layers of q, k, v, o and three matrices of a gated FFN.
    assert.equal(await map.locator('.matrix').count(), 56);
    assert.match(await map.locator('.matrix').first().textContent(), /^q \d+$/);
  });
});
