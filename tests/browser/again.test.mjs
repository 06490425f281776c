// Another ratio with the statistics of the last run: on the stand-in engine, and once on the core.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fill, runToTheEnd } from './person.mjs';
import { accessible, alertText, MOCK, open, ready, SITE, takeDemo, text } from './site.mjs';

const said = (page, words, timeout = 20_000) => page.getByTestId('again-status').getByText(words).waitFor({ timeout });
const focused = (page) => page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.id);

/** Moves the slider as a pointer that is let go of does. */
async function slide(page, percent) {
  await page.getByTestId('again-slider').evaluate((slider, value) => {
    slider.value = String(value);
    for (const type of ['input', 'change']) slider.dispatchEvent(new Event(type, { bubbles: true }));
  }, percent);
}

/** Notes every phase that the panel and the run show from now on. */
async function watch(page) {
  await page.evaluate(() => {
    globalThis.seen = [];
    const note = ({ target }) => globalThis.seen.push(target.textContent);
    for (const id of ['again-now', 'progress-now'])
      new MutationObserver((records) => records.forEach(note)).observe(
        document.querySelector(`[data-testid="${id}"]`),
        { childList: true, characterData: true },
      );
  });
  return () => page.evaluate(() => globalThis.seen.splice(0).map((line) => line.replace(/,.*/, '')));
}

describe('on the stand-in engine', () => {
  let site;
  let page;

  before(async () => {
    site = await open(MOCK, { context: { reducedMotion: 'reduce' } });
    page = site.page;
  });
  after(() => site.close());

  beforeEach(async () => {
    await page.reload();
    await ready(page);
    await takeDemo(page);
    await page.getByTestId('sequences').fill('1');
  });

  test('the slider makes a new attempt without calibration, and the form follows', async () => {
    assert.ok(await page.getByTestId('again').isHidden());
    await runToTheEnd(page);
    assert.equal(await page.getByTestId('again-ratio').inputValue(), '50');
    const phases = await watch(page);
    await slide(page, 30);
    await said(page, '30 %: new plan, repair and map in 0.84 s. How good it is, is not measured yet.');
    const seen = await phases();
    assert.ok(seen.includes('Score') && seen.includes('Reconstruct'));
    assert.ok(!seen.includes('Calibrate') && !seen.includes('Measure before'), String(seen));
    assert.equal(await page.getByTestId('ratio').inputValue(), '30');
    assert.equal(await page.getByTestId('attempt').count(), 2);
    assert.match(await text(page, 'result-attempt'), /^flap \+ liar, 30 %/);
    assert.equal(await text(page, 'quality-after'), 'not measured');
  });

  test('by keyboard, many presses are one attempt, and the focus stays', async () => {
    await runToTheEnd(page);
    await page.getByTestId('again-slider').focus();
    for (let press = 0; press < 5; press += 1) await page.keyboard.press('ArrowLeft');
    await said(page, '45 %: new plan');
    assert.equal(await focused(page), 'again-slider');
    assert.equal(await page.getByTestId('attempt').count(), 2);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('12.5');
    await page.keyboard.press('Enter');
    await page.getByTestId('attempt').nth(2).waitFor();
    await said(page, 'new plan');
    assert.equal(await page.getByTestId('ratio').inputValue(), '12.5');
    assert.equal(await focused(page), 'again-ratio');
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'again-measure');
    await page.keyboard.press('Enter');
    await said(page, /^Measured in/);
    assert.equal(await focused(page), 'again-slider');
  });

  test('an attempt is measured afterwards, also once another was made', async () => {
    await runToTheEnd(page);
    await slide(page, 30);
    await said(page, '30 %: new plan');
    const phases = await watch(page);
    await page.getByTestId('again-measure').click();
    await said(page, /^Measured in/);
    assert.ok(!(await phases()).includes('Score'));
    assert.equal(await text(page, 'accuracy-after'), '88.9 %');
    assert.equal(await text(page, 'kl-after'), '0.0312');
    assert.ok(await page.getByTestId('again-measure').isHidden());
    assert.equal(await page.getByTestId('attempt').count(), 2);
    await slide(page, 20);
    await said(page, '20 %: new plan');
    await slide(page, 10);
    await said(page, '10 %: new plan');
    await page.locator('[data-testid="attempt-show"][data-attempt="3"]').click();
    assert.equal(await page.getByTestId('again-ratio').inputValue(), '20');
    await phases();
    await page.getByTestId('again-measure').click();
    await said(page, /^Measured in/);
    // The engine keeps the last result alone, so this one is made again, with the statistics.
    assert.ok(!(await phases()).includes('Calibrate'));
    assert.match(await text(page, 'result-attempt'), /20 %/);
    assert.equal(await page.getByTestId('attempt').count(), 4);
  });

  test('a recipe with error-aware repair is tried plain, and refined when asked', async () => {
    await page.getByTestId('error-aware').check();
    await runToTheEnd(page);
    assert.ok(await page.getByTestId('again-refine').isHidden());
    await slide(page, 30);
    await said(page, /with statistics that had to be collected first/);
    assert.match(await text(page, 'result-attempt'), /^flap \+ liar, 30 %/);
    await page.getByTestId('again-refine').click();
    await said(page, '30 % with error-aware repair in');
    assert.match(await text(page, 'result-attempt'), /^flap \+ liar \(error-aware\), 30 %/);
    assert.ok(await page.getByTestId('again-refine').isHidden());
  });

  test('the newest ratio wins, and one can be stopped', async () => {
    await page.getByTestId('sequences').fill('2000');
    await page.getByTestId('seed').fill('3');
    await runToTheEnd(page, 60_000);
    await slide(page, 30);
    await page.getByTestId('again-now').getByText('Score').waitFor();
    assert.ok(await page.getByTestId('run').isDisabled());
    await slide(page, 20);
    await said(page, '20 %: new plan');
    assert.equal(await page.getByTestId('attempt').count(), 2);
    await slide(page, 70);
    await page.getByTestId('again-stop').click();
    await said(page, /^Stopped/);
    assert.equal(await page.getByTestId('again-ratio').inputValue(), '20');
    assert.equal(await page.getByTestId('attempt').count(), 2);
    assert.ok(await page.getByTestId('run').isEnabled());
  });

  test('what goes wrong is said, and the slider goes back', async () => {
    await runToTheEnd(page);
    await slide(page, 66);
    assert.match(await alertText(page), /does not take a ratio of 0\.66/);
    assert.equal(await page.getByTestId('again-ratio').inputValue(), '50');
    await page.getByTestId('again-ratio').fill('99');
    await page.getByTestId('again-ratio').press('Enter');
    await page.getByTestId('alert').getByText('from 0 to below 95 percent').waitFor();
    await slide(page, 40);
    await said(page, '40 %: new plan');
    assert.equal(await page.getByTestId('alert').textContent(), '');
  });

  test('what is kept is told, used by the next run, and let go of', async () => {
    assert.ok(await page.getByTestId('kept').isHidden());
    await runToTheEnd(page);
    assert.match(await text(page, 'kept'), /^Statistics of the last run are used as far as they go; 123 MB are kept\./);
    const phases = await watch(page);
    await page.getByTestId('ratio').fill('35');
    await runToTheEnd(page);
    assert.ok(!(await phases()).includes('Calibrate'));
    await page.getByTestId('seed').fill('7');
    assert.match(await text(page, 'kept'), /other settings of calibration/);
    await page.getByTestId('seed').fill('0');
    await page.getByTestId('kept-release').click();
    assert.ok(await page.getByTestId('kept').isHidden());
    await runToTheEnd(page);
    assert.ok((await phases()).includes('Calibrate'));
    // A slider that finds nothing kept collects it, and says so.
    await page.getByTestId('kept-release').click();
    await slide(page, 20);
    await said(page, /collected first/);
  });

  test('a plan that was changed by hand uses it too', async () => {
    await page.getByTestId('output').selectOption('sliced');
    await runToTheEnd(page);
    const phases = await watch(page);
    await page.getByTestId('map-layer').selectOption('1');
    await page.getByTestId('map-cut-layer').click();
    await page.getByTestId('map-prune').click();
    await page.getByTestId('status').getByText('Done.').waitFor();
    await page.getByTestId('attempt').nth(1).waitFor();
    // The stand-in has statistics by criterion, and a plan has none.
    assert.ok(!(await phases()).includes('Measure before'));
    assert.ok(await page.getByTestId('again').isHidden(), 'a plan has no ratio');
  });

  for (const [what, leave] of [
    ['model', () => takeDemo(page, 'gpt2-stories')],
    ['text', () => page.getByTestId('evaluation-none').check()],
    ['device', () => page.getByTestId('device').selectOption('gpu')],
  ]) {
    test(`another ${what} lets go of what is kept`, async () => {
      await runToTheEnd(page);
      assert.ok(await page.getByTestId('kept').isVisible());
      await leave();
      await page.getByTestId('kept').waitFor({ state: 'hidden' });
      if (what === 'model') {
        await page.getByTestId('again').waitFor({ state: 'hidden' });
      } else if (what === 'text') {
        await slide(page, 30);
        assert.match(await alertText(page), /texts in step 2 are not those/);
      } else {
        await ready(page, 'gpu');
        await slide(page, 30);
        await said(page, /collected first/);
      }
    });
  }

  test('an engine that is lost takes them along, and the next try opens the model anew', async () => {
    await runToTheEnd(page);
    await page.getByTestId('seed').fill('903');
    await page.getByTestId('run').click();
    assert.match(await alertText(page), /GPU was lost/);
    assert.ok(await page.getByTestId('kept').isHidden());
    await slide(page, 30);
    await said(page, /collected first/);
  });

  test('axe finds nothing, in two widths', async () => {
    await runToTheEnd(page);
    await slide(page, 30);
    await said(page, '30 %');
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 800 });
      await accessible(page);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} pixels too wide`);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });
});

test('on the core, the slider gives what a run from scratch gives', { timeout: 400_000 }, async () => {
  const site = await open(SITE);
  const { page } = site;
  await ready(page, 'cpu');
  await takeDemo(page, 'gpt2-stories');
  await page.getByTestId('length').fill('64');
  await fill(page, { ratio: 40, output: 'sliced', sequences: 8, rows: 300 });
  await runToTheEnd(page, 200_000);
  const phases = await watch(page);
  await slide(page, 20);
  await said(page, '20 %: new plan', 100_000);
  assert.ok(!(await phases()).includes('Calibrate'));
  await page.getByTestId('again-measure').click();
  await said(page, /^Measured in/, 100_000);
  const figures = ['removed-share', 'bytes-after', 'linear-parameters-after', 'perplexity-after', 'kl-after'];
  const shown = async () => {
    const table = await page.getByTestId('layers-table').evaluate((element) => element.textContent);
    return [table, ...(await Promise.all(figures.map((id) => text(page, id))))];
  };
  const tried = await shown();
  await page.getByTestId('kept-release').click();
  await runToTheEnd(page, 200_000);
  assert.ok((await phases()).includes('Calibrate'));
  assert.match(await text(page, 'result-attempt'), /20 % \(2\)/);
  assert.deepEqual(await shown(), tried);
  await site.close();
});
