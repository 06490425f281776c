// The attempts of a visit: kept, named, shown again, compared, deleted, saved as CSV, drawn. On the stand-in engine, and once on the core.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { unzipSync } from './chromium.mjs';
import { fill } from './person.mjs';
import { accessible, MOCK, open, ready, SITE, takeDemo, text } from './site.mjs';

/** An element of one attempt. */
const of = (page, id, attempt) => page.locator(`[data-testid="${id}"][data-attempt="${attempt}"]`);

/** Runs the recipe as the form has it, to its end. */
async function run(page, ratio, timeout) {
  if (ratio !== undefined) await page.getByTestId('ratio').fill(String(ratio));
  await page.getByTestId('run').click();
  await page.getByTestId('run').waitFor({ timeout });
  assert.equal(await page.getByTestId('alert').textContent(), '');
  assert.equal(await page.getByTestId('status').textContent(), 'Done.');
}

/** The rows of a CSV by RFC 4180. */
function parse(csv) {
  const rows = [[]];
  for (const [, quoted, plain = '', end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1).push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ',') rows.push([]);
  }
  assert.deepEqual(rows.pop(), [], 'the last row ends with a line break');
  const [names, ...values] = rows;
  return values.map((row) => {
    assert.equal(row.length, names.length);
    return Object.fromEntries(row.map((value, index) => [names[index], value]));
  });
}

async function csv(page) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('attempts-csv').click()]);
  assert.equal(download.suggestedFilename(), 'coppice-attempts.csv');
  return readFile(await download.path(), 'utf8');
}

describe('on the stand-in engine', () => {
  let site;
  let page;

  before(async () => {
    site = await open(MOCK);
    page = site.page;
  });
  after(() => site.close());

  beforeEach(async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.reload();
    await ready(page);
    await takeDemo(page);
    await page.getByTestId('sequences').fill('1');
  });

  const name = (attempt) => of(page, 'attempt-name', attempt).inputValue();
  const focused = () =>
    page.evaluate(() => [document.activeElement.dataset.testid, document.activeElement.dataset.attempt]);

  test('nothing is kept before the first run, and a run that was cancelled is not', async () => {
    assert.match(await page.getByTestId('attempts').textContent(), /Each run that ends is kept here/);
    await page.getByTestId('seed').fill('905');
    await page.getByTestId('run').click();
    await page.getByTestId('progress-now').getByText('Calibrate').waitFor();
    await page.getByTestId('cancel').click();
    await page.getByTestId('run').waitFor();
    assert.equal(await page.getByTestId('attempts-table').count(), 0);
  });

  test('each run has a name by its recipe, which a person can change', async () => {
    await run(page, 50);
    await run(page, 50);
    await page.getByTestId('reconstruction').selectOption('none');
    await run(page, 20);
    const names = [await name(1), await name(2), await name(3)].map((one) => one.replaceAll('\u00a0', ' '));
    assert.deepEqual(names, ['flap + liar, 50 %', 'flap + liar, 50 % (2)', 'flap, 20 %']);
    await of(page, 'attempt-name', 2).fill('the best, so far');
    await of(page, 'attempt-name', 2).press('Enter');
    assert.match(await page.getByTestId('try-attempt').textContent(), /2\. the best, so far/);
    // An empty name is none.
    await of(page, 'attempt-name', 2).fill(' ');
    await of(page, 'attempt-name', 2).press('Enter');
    assert.equal(await name(2), 'the best, so far');
  });

  test('the result section shows an attempt again', async () => {
    await run(page, 50);
    const first = await text(page, 'removed-share');
    await page.getByTestId('unit-heads').check();
    await run(page, 50);
    assert.notEqual(await text(page, 'removed-share'), first);
    assert.match(await text(page, 'result-attempt'), /^flap \+ liar, 50 % \(2\), on bert-sst2$/);
    await of(page, 'attempt-show', 1).click();
    assert.equal(await text(page, 'removed-share'), first);
    assert.match(await text(page, 'result-attempt'), /^flap \+ liar, 50 %, on/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'result-title');
    assert.equal(await page.getByTestId('try-attempt').inputValue(), '1');
    assert.equal(await of(page, 'attempt-show', 1).count(), 0);
    assert.equal(await of(page, 'attempt', 1).getAttribute('aria-current'), 'true');
  });

  test('two attempts that are ticked are compared in what differs', async () => {
    await run(page, 50);
    await page.getByTestId('reconstruction').selectOption('none');
    await run(page, 20);
    assert.equal(await page.getByTestId('differences').count(), 0);
    await of(page, 'attempt-choose', 1).check();
    assert.match(await text(page, 'attempts-differences'), /Tick two attempts/);
    await of(page, 'attempt-choose', 2).check();
    const rows = await page
      .getByTestId('differences')
      .locator('tr')
      .evaluateAll((lines) =>
        lines.map((line) => Array.from(line.cells, (cell) => cell.textContent.replaceAll('\u00a0', ' '))),
      );
    const row = (title) => rows.find(([head]) => head === title)?.slice(1);
    assert.deepEqual(row('Ratio'), ['50 %', '20 %']);
    assert.deepEqual(row('Repair'), ['liar', 'none']);
    assert.deepEqual(row('Accuracy'), ['88.9 %', '88.9 %'], 'where all are alike none is best');
    assert.equal(row('Criterion'), undefined, 'what is the same is left out');
    await of(page, 'attempt-choose', 1).uncheck();
    assert.equal(await page.getByTestId('differences').count(), 0);
  });

  test('a deleted attempt is gone, and can be taken back', async () => {
    await run(page, 50);
    await run(page, 20);
    await of(page, 'attempt-delete', 2).click();
    assert.equal(await of(page, 'attempt', 2).count(), 0);
    assert.equal(await page.getByTestId('comparison').count(), 0, 'the result section showed it');
    assert.equal(await page.getByTestId('try-attempt').inputValue(), '1');
    assert.deepEqual((await focused())[0], 'attempts-undo');
    await page.keyboard.press('Enter');
    assert.deepEqual(await focused(), ['attempt-delete', '2']);
    await page.getByTestId('comparison').waitFor();
    await of(page, 'attempt-delete', 1).click();
    await of(page, 'attempt-delete', 2).click();
    assert.equal(await page.getByTestId('attempts-table').isVisible(), false);
    // A number is never given twice.
    await run(page, 20);
    assert.equal(await of(page, 'attempt', 3).count(), 1);
  });

  test('attempts on different models are kept apart', async () => {
    await run(page, 50);
    assert.equal(await page.getByTestId('attempts-model').isVisible(), false);
    await takeDemo(page, 'gpt2-stories');
    await run(page, 50);
    assert.equal(await of(page, 'attempt', 1).count(), 0);
    assert.equal(await of(page, 'attempt', 2).count(), 1);
    await page.getByTestId('attempts-model').selectOption({ label: 'bert-sst2' });
    assert.equal(await of(page, 'attempt', 2).count(), 0);
    await of(page, 'attempt-show', 1).click();
    assert.match(await text(page, 'result-attempt'), /on bert-sst2$/);
    // The model that is chosen has attempts of its own.
    assert.equal(await page.getByTestId('try-attempt').inputValue(), '2');
    // The same demo again is the same model.
    await takeDemo(page, 'bert-sst2');
    await page.getByTestId('try-attempt').waitFor();
    assert.equal(await page.getByTestId('try-attempt').inputValue(), '1');
    assert.equal(parse(await csv(page)).length, 2, 'the table has all of them');
  });

  test('the CSV has the columns of the command’s sweep, in its order, quoted as RFC 4180 says', async () => {
    await run(page, 50);
    await of(page, 'attempt-name', 1).fill('a "good" one, with\ttab');
    await of(page, 'attempt-name', 1).press('Enter');
    const table = await csv(page);
    assert.match(table, /\r\n"a ""good"" one, with\ttab",BertForSequenceClassification,structured,neurons,/);
    const [row] = parse(table);
    assert.equal(row.name, 'a "good" one, with\ttab');
    for (const [column, value] of [
      ['criterion', 'flap'],
      ['ratio', '0.5'],
      ['reconstruction', 'liar'],
      ['error_aware', 'false'],
      ['calibration', 'sst2-train.tsv'],
      ['sequences', '1'],
      ['accuracy_before', '0.898'],
      ['accuracy_after', '0.889'],
      ['kl', '0.0312'],
      ['perplexity_after', ''],
      ['excess_loss', ''],
      ['close_calls', '2'],
      ['seconds_total', '12.3'],
      ['speed_ratio', ''],
    ])
      assert.equal(row[column], value, column);
    const rust = await readFile(new URL('../../src/job/sweep/row.rs', import.meta.url), 'utf8');
    const list = rust.slice(rust.indexOf('const COLUMNS'), rust.indexOf('];', rust.indexOf('const COLUMNS')));
    const command = [...list.matchAll(/^ {4}\("(\w+)"/gm)].map(([, column]) => column);
    assert.ok(command.length > 50);
    const shared = command.filter((column) => !['key', 'error'].includes(column));
    assert.deepEqual(Object.keys(row).slice(0, shared.length), shared);
  });

  test('the chart is read by keyboard, and Enter shows an attempt', async () => {
    await run(page, 50);
    await page.getByTestId('unit-heads').check();
    await run(page, 50);
    await page.getByTestId('chart-size').focus();
    await page.keyboard.press('Tab');
    const read = () => text(page, 'chart-readout');
    const [at] = [(await focused())[1]];
    assert.match(await read(), /Accuracy 8\d\.\d %, Parameters [\d,]+$/);
    await page.keyboard.press('Home');
    assert.equal((await focused())[1], '2', 'the smallest is the first');
    await page.keyboard.press('ArrowRight');
    assert.equal((await focused())[1], '1');
    await page.keyboard.press('End');
    assert.equal((await focused())[1], 'dense');
    assert.equal(await read(), 'Dense model: Accuracy 89.8 %, Parameters 16,733,570');
    assert.ok(at);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    assert.match(await text(page, 'result-attempt'), /^flap \+ liar, 50 %, on/);
    await page.getByTestId('chart-table-show').click();
    assert.equal(await page.getByTestId('chart-table').locator('tbody tr').count(), 3);
    for (const [quality, size] of [
      ['kl', 'bytes'],
      ['accuracy', 'flops'],
    ]) {
      await page.getByTestId('chart-quality').selectOption(quality);
      await page.getByTestId('chart-size').selectOption(size);
      assert.equal(await page.getByTestId('chart-point').count(), 3);
    }
    await page.getByTestId('chart-size').selectOption('time');
    assert.equal(await page.getByTestId('chart-point').count(), 0);
    assert.match(await text(page, 'chart-note'), /No attempt has a measured speed/);
  });

  test('qualities on different texts do not share a chart', async () => {
    await run(page, 50);
    await page.getByTestId('evaluation-rows').fill('100');
    await run(page, 50);
    assert.equal(await page.getByTestId('chart-point').count(), 2, 'the newest, and the dense model');
    assert.match(await text(page, 'chart-note'), /One attempt lacks/);
    await page.getByTestId('chart-text').selectOption({ index: 1 });
    assert.equal(await page.locator('[data-testid="chart-point"][data-attempt="1"]').count(), 1);
  });

  for (const [model, what] of [
    ['gpt2-stories', 'tokens'],
    ['bert-sst2', 'sentences'],
  ]) {
    test(`the speed of an attempt is measured in ${what}, and is an axis then`, async () => {
      await takeDemo(page, model);
      await page.getByTestId('sequences').fill('1');
      await run(page, 50);
      await of(page, 'attempt-measure', 1).click();
      assert.deepEqual((await focused())[0], 'attempts-measure-stop');
      await of(page, 'attempt-speed', 1).waitFor();
      assert.match(await text(page, 'attempts-status'), /as fast as the dense|of the dense model’s speed/);
      const [row] = parse(await csv(page));
      assert.equal(row.speed_of, what);
      assert.ok(Number(row.speed_dense) > 0 && Number(row.speed_pruned) > 0 && Number(row.speed_ratio) > 0);
      // The stand-in's tokens say ten milliseconds each.
      if (what === 'tokens') assert.deepEqual([row.speed_dense, row.speed_ratio], ['100', '1']);
      await page.getByTestId('chart-size').selectOption('time');
      assert.equal(await page.getByTestId('chart-point').count(), 2);
      assert.ok(await page.getByTestId('run').isEnabled());
    });
  }

  test('measuring can be stopped', async () => {
    await takeDemo(page, 'gpt2-stories');
    await page.getByTestId('sequences').fill('1');
    await run(page, 50);
    await page.getByTestId('attempts-measure').click();
    await page.getByTestId('attempts-status').getByText('round 1').waitFor();
    assert.ok(await page.getByTestId('run').isDisabled());
    await page.getByTestId('attempts-measure-stop').click();
    await page.getByTestId('attempts-status').getByText('Stopped').waitFor();
    assert.equal(await of(page, 'attempt-speed', 1).count(), 0);
    assert.ok(await page.getByTestId('run').isEnabled());
    assert.deepEqual((await focused())[0], 'attempts-measure');
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`no violation of axe’s rules, ${colorScheme}, and nothing wider than the window`, async () => {
      await page.emulateMedia({ colorScheme });
      await run(page, 50);
      await page.getByTestId('unit-heads').check();
      await run(page, 20);
      for (const attempt of [1, 2]) await of(page, 'attempt-choose', attempt).check();
      await of(page, 'attempt-measure', 2).click();
      await of(page, 'attempt-speed', 2).waitFor();
      await page.getByTestId('chart-table-show').click();
      await accessible(page, '#attempts');
      for (const width of [390, 768, 1280, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        if (width === 390) await accessible(page, '#attempts');
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
      }
    });
  }
});

describe('on the core', () => {
  let site;
  let page;

  before(async () => {
    site = await open(SITE);
    page = site.page;
    await ready(page, 'cpu');
  });
  after(() => site.close());

  async function zip() {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('save-zip').click()]);
    const files = unzipSync(await readFile(await download.path()));
    return Object.entries(files).find(([path]) => path.endsWith('.safetensors'))[1];
  }

  test('files of an attempt outlive the next run and its engine', { timeout: 300_000 }, async () => {
    await takeDemo(page, 'gpt2-stories');
    await page.getByTestId('length').fill('32');
    await fill(page, { ratio: 30, output: 'sliced', sequences: 4, rows: 300 });
    await run(page, 30, 200_000);
    const before = await zip();
    await run(page, 60, 200_000);
    const other = await zip();
    assert.notEqual(other.length, before.length);
    // Another amount of memory means another engine: the worker that made the files is gone.
    await page.getByTestId('memory').selectOption('1');
    await ready(page, 'cpu');
    await of(page, 'attempt-show', 1).click();
    assert.ok(Buffer.from(await zip()).equals(Buffer.from(before)));
  });

  test('both are measured in tokens a second', { timeout: 300_000 }, async () => {
    await page.getByTestId('attempts-measure').click();
    await of(page, 'attempt-speed', 1).waitFor({ timeout: 120_000 });
    await of(page, 'attempt-speed', 2).waitFor({ timeout: 120_000 });
    const rows = parse(await csv(page));
    for (const row of rows) {
      assert.equal(row.speed_of, 'tokens');
      assert.ok(Number(row.speed_dense) > 0 && Number(row.speed_ratio) > 0);
      assert.ok(Number(row.excess_loss) > 0 && Number(row.flops_per_token_after) > 0 && Number(row.tokens) > 0);
      // With so little text some repairs do no better than weaker ones.
      assert.match(row.fallbacks, /^\d+$/);
    }
  });
});
