// Texts of the dense and the pruned model: states of the panel, on the stand-in engine, whose tokens come at a known pace.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { axe } from './chromium.mjs';
import { alertText, MOCK, open, ready, takeDemo } from './site.mjs';

let site;
let page;

before(async () => {
  site = await open(MOCK, { expectErrors: true });
  page = site.page;
});
after(() => site.close());

beforeEach(async () => {
  await page.reload();
  await ready(page);
  await takeDemo(page, 'gpt2-stories');
});

const text = (id) => page.getByTestId(id).textContent();
const count = async (which) => Number(await text(`tokens-${which}`));
const press = (id) => page.getByTestId(id).click();
const atLeast = (which, tokens) =>
  page.waitForFunction(
    ([id, least]) => Number(document.querySelector(`[data-testid="${id}"]`).textContent) >= least,
    [`tokens-${which}`, tokens],
  );

async function prune() {
  await page.getByTestId('sequences').fill('1');
  await press('run');
  await page.getByTestId('comparison').waitFor();
}

async function finishes(tokens, ...columns) {
  await page.getByTestId('max-tokens').fill(String(tokens));
  await page.getByTestId('generation-seed').fill('0');
  await press('generate');
  await page.getByTestId('generation-status').getByText('Done.').waitFor();
  for (const which of columns) {
    assert.equal(await count(which), tokens);
    assert.equal(await text(`ending-${which}`), 'As many tokens as were asked for.');
    // Ten milliseconds each, as the engine says, however long they took to come.
    assert.equal(await text(`rate-${which}`), '100.0');
  }
  assert.ok(await page.getByTestId('generate').isVisible());
}

test('a classifier has a sentence to try in place of a prompt', async () => {
  assert.ok(await page.getByTestId('prompt').isVisible());
  assert.ok(await page.getByTestId('sentence').isHidden());
  await takeDemo(page);
  assert.ok(await page.getByTestId('prompt').isHidden());
  assert.ok(await page.getByTestId('sentence').isVisible());
});

test('the dense model writes before anything is pruned', async () => {
  assert.ok(await page.getByTestId('text-pruned').isHidden());
  await page.getByTestId('prompt').fill('A prompt');
  await finishes(3, 'dense');
  assert.equal(await text('text-dense'), 'A prompt word1 word2 word3');
});

test('both write at the same time, by turns', async () => {
  await prune();
  await page.evaluate(() => {
    window.turns = [];
    for (const which of ['dense', 'pruned'])
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes)
          for (const node of addedNodes) if (/^ word/.test(node.data ?? '')) window.turns.push(which);
      }).observe(document.querySelector(`[data-testid="text-${which}"]`), { childList: true });
  });
  await finishes(4, 'dense', 'pruned');
  assert.deepEqual(await page.evaluate(() => window.turns), Array(4).fill(['dense', 'pruned']).flat());
});

test('stopping takes effect at the next token, and the page is ready again', async () => {
  await prune();
  await page.getByTestId('generation-seed').fill('905');
  await press('generate');
  await atLeast('pruned', 3);
  assert.ok(await page.getByTestId('run').isDisabled());
  const before = await page.evaluate(() => {
    const counts = ['dense', 'pruned'].map((which) =>
      Number(document.querySelector(`[data-testid="tokens-${which}"]`).textContent),
    );
    document.querySelector('[data-testid="generate-stop"]').click();
    return counts;
  });
  await page.getByTestId('generation-status').getByText('Stopped.').waitFor();
  const after = [await count('dense'), await count('pruned')];
  for (const [index, tokens] of after.entries()) assert.ok(tokens <= before[index] + 1, `${before} and then ${after}`);
  assert.deepEqual([await text('ending-dense'), await text('ending-pruned')], ['Stopped.', 'Stopped.']);
  assert.ok(await page.getByTestId('run').isEnabled());
  await finishes(2, 'dense', 'pruned');
  await prune();
});

test('a device that is lost is one sentence, and the next text works', async () => {
  await prune();
  await page.getByTestId('generation-seed').fill('903');
  await press('generate');
  assert.match(await alertText(page), /The GPU was lost/);
  await page.getByTestId('generate').waitFor();
  await finishes(2, 'dense', 'pruned');
});

test('another model ends the texts of the one before', async () => {
  await prune();
  await page.getByTestId('generation-seed').fill('905');
  await press('generate');
  await atLeast('dense', 2);
  await takeDemo(page, 'llama-stories');
  await page.getByTestId('generate').waitFor();
  assert.ok(await page.getByTestId('text-pruned').isHidden());
  await finishes(2, 'dense');
});

test('fields that are wrong are named, and nothing starts', async () => {
  for (const [field, value, sentence] of [
    ['max-tokens', '0', /number of tokens must be a whole number of at least 1/],
    ['temperature', '-1', /temperature must be a number of at least 0/],
    ['top-k', '1.5', /Top-k must be a whole number/],
    ['top-p', '1.1', /Top-p must be a number above 0 and at most 1/],
    ['generation-seed', '', /seed must be a whole number/],
  ]) {
    const input = page.getByTestId(field);
    const old = await input.inputValue();
    await input.fill(value);
    await press('generate');
    assert.match(await alertText(page), sentence);
    assert.ok(await page.getByTestId('generate').isVisible());
    await input.fill(old);
  }
});

test('by keyboard, with the focus kept', async () => {
  const focused = () => page.evaluate(() => document.activeElement?.dataset.testid);
  await page.getByTestId('generation-seed').fill('905');
  await page.getByTestId('prompt').focus();
  for (const id of ['max-tokens', 'temperature', 'top-k', 'top-p', 'generation-seed', 'generate']) {
    await page.keyboard.press('Tab');
    assert.equal(await focused(), id);
  }
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'generate-stop');
  await atLeast('dense', 1);
  await page.keyboard.press('Enter');
  await page.getByTestId('generation-status').getByText('Stopped.').waitFor();
  assert.equal(await focused(), 'generate');
});

for (const colorScheme of ['light', 'dark']) {
  test(`no violation of axe's rules, ${colorScheme}, and nothing wider than a phone`, async () => {
    await page.emulateMedia({ colorScheme });
    await prune();
    await finishes(30, 'dense', 'pruned');
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run('#try'));
    assert.deepEqual(
      violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
      [],
    );
    for (const width of [360, 390, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
    }
  });
}
