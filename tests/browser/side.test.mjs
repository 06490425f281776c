// Dense and pruned side by side: words that differ are marked, a sentence is classified by both, and changed predictions are listed.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fill } from './person.mjs';
import { accessible, alertText, MOCK, open, ready, SITE, takeDemo, text } from './site.mjs';

async function prune(page, timeout) {
  await page.getByTestId('run').click();
  await page.getByTestId('run').waitFor({ timeout });
  assert.equal(await text(page, 'status'), 'Done.');
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
    await ready(page);
  });

  test('words are marked where the texts differ, and only there', async () => {
    await takeDemo(page, 'gpt2-stories');
    await page.getByTestId('sequences').fill('1');
    await prune(page);
    await page.getByTestId('max-tokens').fill('8');
    await page.getByTestId('generation-seed').fill('907');
    await page.getByTestId('generate').click();
    await page.getByTestId('generation-status').getByText('Done.').waitFor();
    const marked = (which) => page.getByTestId(`text-${which}`).locator('mark').allTextContents();
    assert.deepEqual(
      [await marked('dense'), await marked('pruned')],
      [
        ['word3', 'word6'],
        ['other3', 'other6'],
      ],
    );
    assert.match(await text(page, 'generation-status'), /2 words of the dense text and 2 of the pruned one are marked/);
    // Not by colour alone.
    const line = await page
      .getByTestId('text-dense')
      .locator('mark')
      .first()
      .evaluate((one) => getComputedStyle(one).textDecorationLine);
    assert.equal(line, 'underline');
    assert.match(await text(page, 'text-pruned'), / word1 word2 other3 word4 word5 other6 word7 word8$/);
    await accessible(page, '#try');
  });

  test('any attempt stands on the pruned side', async () => {
    await takeDemo(page);
    await page.getByTestId('sequences').fill('1');
    assert.ok(await page.getByTestId('try-attempt').isHidden());
    await prune(page);
    await prune(page);
    const menu = page.getByTestId('try-attempt');
    assert.deepEqual(await menu.locator('option').count(), 2);
    assert.equal(await menu.inputValue(), '2');
    await page.getByTestId('sentence-ask').click();
    await page.getByTestId('classes').waitFor();
    await menu.selectOption('1');
    assert.equal(await page.getByTestId('classes').count(), 0, 'what another attempt said is gone');
  });

  test('a sentence is classified, first by the dense model alone', async () => {
    await takeDemo(page);
    await page.getByTestId('sentence').fill('a\tsentence\nof two lines');
    await page.getByTestId('sentence').press('Enter');
    await page.getByTestId('classes').waitFor();
    assert.equal(await page.getByTestId('class-pruned').count(), 0);
    assert.match(await text(page, 'sentence-status'), /^The dense model says “(negative|positive)”; prune it/);
    await page.getByTestId('sequences').fill('1');
    await prune(page);
    await page.getByTestId('sentence-ask').click();
    await page.getByTestId('classes').waitFor();
    // Softmax of logits one and minus one.
    const shares = await page.getByTestId('class-pruned').allTextContents();
    assert.deepEqual(shares.map((share) => Number.parseFloat(share)).sort(), [11.9, 88.1]);
    await accessible(page, '#try');
    await page.getByTestId('sentence').fill(' ');
    await page.getByTestId('sentence-ask').click();
    assert.match(await alertText(page), /There is no sentence/);
  });

  test('predictions that changed are listed, and told where there was no text', async () => {
    await takeDemo(page);
    await page.getByTestId('sequences').fill('1');
    await page.getByTestId('evaluation-rows').fill('200');
    await prune(page);
    await page.getByTestId('sentence-changed').click();
    await page.getByTestId('changes-table').waitFor();
    const [, changed, of, right, wrong] =
      /^(\d+) of (\d+) predictions changed: (\d+) became right, (\d+) became wrong/.exec(
        await text(page, 'sentence-status'),
      );
    assert.equal(of, '200');
    assert.equal(Number(right) + Number(wrong), Number(changed), 'there are two classes');
    assert.equal(await page.getByTestId('changes-table').locator('tbody tr').count(), Math.min(Number(changed), 50));
    await accessible(page, '#try');
    await page.getByTestId('evaluation-none').check();
    await prune(page);
    await page.getByTestId('sentence-changed').click();
    assert.match(await alertText(page), /was not compared on labelled lines/);
  });
});

test('the core’s classifiers agree with its report on what changed', { timeout: 300_000 }, async () => {
  const site = await open(SITE);
  const { page } = site;
  await ready(page, 'cpu');
  await takeDemo(page);
  await fill(page, {
    heads: true,
    neurons: true,
    ratio: 70,
    reconstruction: 'none',
    output: 'sliced',
    sequences: 8,
    rows: 48,
  });
  await prune(page, 200_000);
  await page.getByTestId('sentence').fill('a wonderful film , warm and funny .');
  await page.getByTestId('sentence-ask').click();
  await page.getByTestId('classes').waitFor({ timeout: 60_000 });
  assert.match(await text(page, 'sentence-status'), /positive/);
  await page.getByTestId('sentence-changed').click();
  await page.getByTestId('sentence-status').getByText('predictions changed').waitFor({ timeout: 100_000 });
  const [, right, wrong] = /(\d+) became right, (\d+) became wrong/.exec(await text(page, 'sentence-status')) ?? [
    0, 0, 0,
  ];
  const share = async (id) => Number.parseFloat(await text(page, id)) / 100;
  // Shares are shown with three digits.
  const gained = ((await share('accuracy-after')) - (await share('accuracy-before'))) * 48;
  assert.ok(
    Math.abs(gained - (Number(right) - Number(wrong))) < 0.1,
    `${gained}, but ${right} right and ${wrong} wrong`,
  );
  await site.close();
});
