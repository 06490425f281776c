// A run as it goes: figures, charts, pause. On the stand-in engine, whose steps last as long as the test wants, and once on the core.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fill } from './person.mjs';
import { accessible, MOCK, open, ready, SITE, takeDemo, text } from './site.mjs';

/** The bar's value twice, half a second apart. */
async function twice(page) {
  const now = () =>
    page.evaluate(() => [
      document.querySelector('[data-testid="progress-now"]').textContent,
      document.querySelector('progress').value,
    ]);
  const first = await now();
  await page.waitForTimeout(500);
  return [first, await now()];
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
    await page.reload();
    await ready(page, 'cpu');
    await takeDemo(page);
    // 60 ms a layer.
    await page.getByTestId('sequences').fill('1200');
    await page.getByTestId('estimate').getByText('allowed on the device').waitFor();
  });

  const start = () => page.getByTestId('run').click();
  const reaches = (phase) => page.getByTestId('progress-now').getByText(phase).waitFor();
  const ends = async () => {
    await page.getByTestId('run').waitFor();
    assert.equal(await text(page, 'status'), 'Done.');
  };

  test('its figures and charts grow, and stay when it has ended', async () => {
    assert.ok(await page.getByTestId('timeline').isHidden());
    // 200 ms a layer, so that it is seen.
    await page.getByTestId('sequences').fill('4000');
    await page.getByTestId('estimate').getByText('4.00 GB of scratch').waitFor();
    await start();
    await reaches(/Calibrate, layer [3-6]/);
    assert.match(await text(page, 'gauge-device'), /^CPU · stand-in$/);
    assert.match(await text(page, 'gauge-memory'), /^\d+ MB, at most \d+ MB$/);
    assert.equal(await text(page, 'gauge-heap'), '50.0 MB');
    assert.match(await text(page, 'gauge-left'), /^about \d/);
    const bars = () => page.getByTestId('timeline-charts').locator('rect').count();
    const early = await bars();
    assert.ok(early > 0);
    await reaches(/Reconstruct, layer [3-6]/);
    const later = await bars();
    assert.ok(later > early, `${early} bars, then ${later}`);
    assert.match(await text(page, 'gauge-rate'), /a second|each|–/);
    await ends();
    assert.ok(await page.getByTestId('progress').isHidden());
    assert.equal(await text(page, 'timeline-title'), 'How the last run went');
    assert.ok(await page.getByTestId('timeline-charts').isHidden(), 'folded');
    await page.getByTestId('timeline-title').click();
    await page.getByTestId('timeline-table-show').click();
    const table = page.getByTestId('timeline-table');
    // Six layers, and whole steps, shares and memory above them.
    assert.equal(await table.locator('tbody tr').count(), 9);
    assert.equal(await table.locator('thead th').count(), 7);
    for (const seconds of await table.locator('tbody tr').nth(5).locator('td').allTextContents())
      assert.ok(Number(seconds) > 0, seconds);
    await accessible(page, '#run');
    await page.setViewportSize({ width: 390, height: 800 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test('it is paused and goes on, by keyboard', async () => {
    await start();
    await reaches('Calibrate');
    await page.getByTestId('cancel').focus();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'pause');
    await page.keyboard.press('Enter');
    assert.equal(await text(page, 'pause'), 'Go on');
    assert.match(await text(page, 'status'), /^Paused/);
    assert.match(await text(page, 'progress-left'), /^Paused/);
    // What was under way may still be told.
    await page.waitForTimeout(200);
    const [before, after] = await twice(page);
    assert.deepEqual(before, after);
    await accessible(page, '#run');
    await page.keyboard.press('Enter');
    assert.equal(await text(page, 'pause'), 'Pause');
    await ends();
    assert.ok(await page.getByTestId('pause').isHidden());
    // The next run is not paused.
    await start();
    await ends();
  });

  test('a paused run is cancelled', async () => {
    await start();
    await reaches('Calibrate');
    await page.getByTestId('pause').click();
    await page.waitForTimeout(200);
    await page.getByTestId('cancel').click();
    await page.getByTestId('status').getByText('cancelled').waitFor();
    assert.equal(page.workers().length, 1, 'its engine answered, and is kept');
    await start();
    await ends();
  });
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

  test(
    'a paused run stands still, tells its memory, and ends as if nothing had been',
    { timeout: 300_000 },
    async () => {
      await takeDemo(page);
      await fill(page, { ratio: 30, output: 'sliced', sequences: 24, rows: 24 });
      const outcome = async () => {
        await page.getByTestId('run').waitFor({ timeout: 200_000 });
        assert.equal(await text(page, 'status'), 'Done.');
        return [await text(page, 'accuracy-after'), await text(page, 'kl-after'), await text(page, 'bytes-after')];
      };
      await page.getByTestId('run').click();
      const plain = await outcome();
      // Else there would be nothing to collect.
      await page.getByTestId('kept-release').click();
      await page.getByTestId('run').click();
      await page.getByTestId('progress-now').getByText('Calibrate').waitFor({ timeout: 100_000 });
      await page.getByTestId('pause').click();
      // A step that was under way ends first.
      await page.waitForTimeout(1500);
      const [before, after] = await twice(page);
      assert.deepEqual(before, after);
      assert.match(await text(page, 'gauge-memory'), /(bytes|[kM]B), at most .*[kM]B$/);
      await page.getByTestId('pause').click();
      assert.deepEqual(await outcome(), plain);
    },
  );
});
