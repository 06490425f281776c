// The recipe form: fields that go with a method come and go with it, and the engine takes what the form writes.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { alertText, open, ready, SITE, takeDemo } from './site.mjs';

let site;
let page;

before(async () => {
  site = await open(SITE);
  page = site.page;
  await ready(page, 'cpu');
});
after(() => site.close());

beforeEach(async () => {
  await page.reload();
  await ready(page, 'cpu');
  await takeDemo(page);
  await page.getByTestId('output').selectOption('sliced');
});

const choose = (menu, value) => page.getByTestId(menu).selectOption(value);
const recipe = async () => JSON.parse(await page.getByTestId('recipe-json').inputValue());
const visible = (id) => page.getByTestId(id).isVisible();

/** The engine reads the recipe to say what the run needs, and says nothing where it does not understand it. */
async function accepted() {
  // What was said of an earlier recipe does not count.
  await page.getByTestId('estimate').evaluate((line) => {
    line.textContent = '';
    document.querySelector('#recipe-form').dispatchEvent(new Event('input'));
  });
  await page.getByTestId('estimate').getByText('Will need about').waitFor({ timeout: 60_000 });
}

test('options of OPTIN are there with it alone, and the engine takes them', async () => {
  assert.deepEqual([await visible('score-sequences'), await visible('screen')], [false, false]);
  assert.equal((await recipe()).method.screen, undefined);
  await choose('criterion', 'optin');
  await page.getByTestId('score-sequences').fill('4');
  await page.getByTestId('screen').fill('25');
  const { method } = await recipe();
  assert.deepEqual([method.score_sequences, method.screen], [4, 0.25]);
  await accepted();
  await choose('criterion', 'flap');
  assert.deepEqual([await visible('score-sequences'), await visible('screen')], [false, false]);
  assert.equal((await recipe()).method.score_sequences, undefined);
});

test('the floor is there with allocations that give layers widths of their own', async () => {
  assert.equal(await visible('floor'), false);
  for (const allocation of ['global', 'parameters', 'flops', 'latency', 'sensitivity']) {
    await choose('allocation', allocation);
    assert.ok(await visible('floor'), allocation);
  }
  await choose('allocation', 'global');
  await page.getByTestId('floor').fill('20');
  assert.equal((await recipe()).method.floor, 0.2);
  await accepted();
  await choose('allocation', 'uniform');
  assert.equal((await recipe()).method.floor, undefined);
});

test('biases are fitted unless they are unticked, by repairs that can leave them', async () => {
  await choose('reconstruction', 'bias');
  assert.equal(await visible('affine'), false);
  await choose('reconstruction', 'liar');
  assert.equal((await recipe()).method.affine, undefined);
  await page.getByTestId('affine').uncheck();
  assert.equal((await recipe()).method.affine, false);
  await accepted();
  await choose('reconstruction', 'bias');
  assert.equal((await recipe()).method.affine, undefined);
});

test('wrong options are named, and nothing starts', async () => {
  await choose('criterion', 'optin');
  await choose('allocation', 'global');
  for (const [field, value, sentence] of [
    ['screen', '0', /screen must be a percentage above 0/],
    ['score-sequences', '0', /sequences to score on must be a whole number of at least 1/],
    ['floor', '101', /floor must be a percentage at least 0 and at most 100/],
  ]) {
    const input = page.getByTestId(field);
    const old = await input.inputValue();
    await input.fill(value);
    await page.getByTestId('run').click();
    assert.match(await alertText(page), sentence);
    assert.ok(await page.getByTestId('progress').isHidden());
    await input.fill(old);
  }
});

test('the keyboard passes the options in the order in which they are read', async () => {
  await choose('criterion', 'optin');
  await choose('allocation', 'global');
  await page.getByTestId('criterion').focus();
  const passed = [];
  for (let presses = 0; presses < 10; presses += 1) {
    await page.keyboard.press('Tab');
    passed.push(await page.evaluate(() => document.activeElement.dataset.testid));
  }
  assert.deepEqual(passed, [
    'criterion-method',
    'score-sequences',
    'screen',
    'allocation',
    'allocation-method',
    'floor',
    'reconstruction',
    'reconstruction-method',
    'affine',
    'error-aware',
  ]);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  assert.equal((await recipe()).method.affine, false);
});

test('the button chooses the recommended recipe, and leaves alone what goes and how much', async () => {
  await choose('criterion', 'magnitude');
  await choose('reconstruction', 'none');
  await page.getByTestId('ratio').fill('35');
  await page.getByTestId('unit-heads').check();
  const before = await recipe();
  const button = page.getByTestId('recommend');
  await button.focus();
  await page.keyboard.press('Enter');
  const after = await recipe();
  assert.deepEqual(
    [after.method.criterion, after.method.allocation, after.method.reconstruction, after.method.error_aware],
    ['osscar', 'uniform', 'liar', false],
  );
  assert.deepEqual([after.method.units, after.method.ratio], [before.method.units, before.method.ratio]);
  assert.deepEqual(after.calibration, before.calibration);
  await accepted();
  // Decoders drift more, and have the tokens to do something about it.
  await takeDemo(page, 'gpt2-stories');
  await page.getByTestId('model-facts').getByText('GPT2LMHeadModel').waitFor();
  await button.click();
  assert.equal((await recipe()).method.error_aware, true);
});

test('single weights have menus of their own, and the outputs that can hold zeros', async () => {
  await choose('kind', 'sparse');
  assert.deepEqual(
    [await visible('unit-heads'), await visible('reconstruction'), await visible('recommend')],
    [false, false, false],
  );
  const offered = await page
    .getByTestId('output')
    .evaluate((select) => [...select.options].filter((one) => !one.disabled).map((one) => one.value));
  assert.deepEqual(offered, ['stock', 'masked', 'packed']);
  await choose('output', 'packed');
  await page.getByTestId('ratio').fill('60');
  assert.equal(await visible('layer-budgets'), false);
  await choose('sparsity-allocation', 'trim');
  await choose('layer-budgets', 'owl');
  await choose('update', 'sparsegpt');
  const { method, output } = await recipe();
  assert.deepEqual(method, {
    kind: 'sparse',
    criterion: 'wanda',
    pattern: 'unstructured',
    allocation: 'trim',
    layer_budgets: 'owl',
    ratio: 0.6,
    update: 'sparsegpt',
  });
  assert.deepEqual([output.kind, output.pad], ['packed', false]);
  await accepted();
  // A pattern says itself how many zeros there are.
  await choose('sparsity-allocation', 'uniform');
  await choose('pattern', '2:4');
  assert.equal((await recipe()).method.ratio, 0.5);
  await accepted();
  await choose('kind', 'structured');
  assert.ok(await visible('unit-heads'));
  assert.equal((await recipe()).output.kind, 'stock');
});

test('ranks can share a factor, leave some of the budget to single weights, and have a floor', async () => {
  await choose('kind', 'low_rank');
  assert.ok((await visible('joint')) && (await visible('single-share')));
  assert.equal(await visible('floor'), false);
  await choose('output', 'factored');
  await page.getByTestId('ratio').fill('40');
  assert.deepEqual((await recipe()).method, {
    kind: 'low_rank',
    factorisation: 'whitened',
    allocation: 'uniform',
    ratio: 0.4,
  });
  // The same share everywhere has no floor.
  assert.equal(await visible('rank-floor'), false);
  await choose('rank-allocation', 'global');
  await page.getByTestId('rank-floor').fill('25');
  await page.getByTestId('joint').check();
  await page.getByTestId('single-share').fill('20');
  assert.deepEqual((await recipe()).method, {
    kind: 'low_rank',
    factorisation: 'whitened',
    allocation: 'global',
    ratio: 0.4,
    floor: 0.25,
    joint: true,
    sparse: 0.2,
  });
  await accepted();
  for (const [field, value, sentence] of [
    ['rank-floor', '101', /floor must be a percentage at least 0 and at most 100/],
    ['single-share', '100', /share of single weights must be a percentage at least 0 and below 100/],
  ]) {
    const input = page.getByTestId(field);
    const old = await input.inputValue();
    await input.fill(value);
    await page.getByTestId('run').click();
    assert.match(await alertText(page), sentence);
    await input.fill(old);
  }
  // What is chosen for ranks says nothing of whole units.
  await choose('kind', 'structured');
  await choose('allocation', 'uniform');
  assert.equal(await visible('floor'), false);
  assert.equal((await recipe()).method.floor, undefined);
});

test('the keyboard passes the options of ranks in the order in which they are read', async () => {
  await choose('kind', 'low_rank');
  await choose('rank-allocation', 'global');
  await page.getByTestId('factorisation').focus();
  const passed = [];
  for (let presses = 0; presses < 6; presses += 1) {
    await page.keyboard.press('Tab');
    passed.push(await page.evaluate(() => document.activeElement.dataset.testid));
  }
  assert.deepEqual(passed, [
    'factorisation-method',
    'rank-allocation',
    'rank_allocation-method',
    'rank-floor',
    'joint',
    'single-share',
  ]);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  assert.equal((await recipe()).method.joint, true);
});
