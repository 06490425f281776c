// The first load stays small: all that is fetched before a model is chosen, compressed. What the page keeps for use offline is more, since
// parts that are loaded later are among it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstLoad, kept } from './first-load.mjs';
import { SITE } from './site.mjs';

const BUDGET = 2_000_000;
/** Of all files, as tools/site.sh has it. */
const WHOLE = 2_400_000;

test('the first load is under two megabytes, compressed', { timeout: 120_000 }, async () => {
  const { bytes, sent } = await firstLoad(SITE);
  const paths = sent.map(({ path }) => path);
  assert.ok(paths.includes('/') && paths.some((path) => path.endsWith('.wasm')), paths.join());
  assert.ok(!paths.some((path) => /models|data/.test(path)), paths.join());
  assert.ok(bytes < BUDGET, `${bytes} bytes: ${JSON.stringify(sent)}`);
});

test('what the page keeps for use without a network is not fetched twice', { timeout: 120_000 }, async () => {
  const { bytes, sent } = await firstLoad(SITE, { serviceWorkers: 'allow', then: kept });
  const paths = sent.map(({ path }) => path);
  assert.ok(paths.includes('/methods.html') && paths.includes('/service-worker.js'), paths.join());
  assert.equal(
    paths.filter((path) => path.endsWith('.wasm')).length,
    1,
    'what was fetched already is not fetched again',
  );
  assert.ok(bytes < WHOLE, `${bytes} bytes: ${JSON.stringify(sent)}`);
});
