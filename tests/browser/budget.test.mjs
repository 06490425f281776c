// The first load stays small: all that is fetched before a model is chosen, compressed, and all that the page keeps for use offline.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstLoad } from './first-load.mjs';
import { SITE } from './site.mjs';

const BUDGET = 2_000_000;

test('the first load is under two megabytes, compressed', { timeout: 120_000 }, async () => {
  const { bytes, sent } = await firstLoad(SITE);
  const paths = sent.map(({ path }) => path);
  assert.ok(paths.includes('/') && paths.some((path) => path.endsWith('.wasm')), paths.join());
  assert.ok(!paths.some((path) => /models|data/.test(path)), paths.join());
  assert.ok(bytes < BUDGET, `${bytes} bytes: ${JSON.stringify(sent)}`);
});

test('so it is with what the page keeps for use without a network', { timeout: 120_000 }, async () => {
  const kept = (page) =>
    page.waitForFunction(() => /B$/.test(document.querySelector('[data-testid="storage-size"]').textContent));
  const { bytes, sent } = await firstLoad(SITE, { serviceWorkers: 'allow', then: kept });
  const paths = sent.map(({ path }) => path);
  assert.ok(paths.includes('/methods.html') && paths.includes('/service-worker.js'), paths.join());
  assert.equal(
    paths.filter((path) => path.endsWith('.wasm')).length,
    1,
    'what was fetched already is not fetched again',
  );
  assert.ok(bytes < BUDGET, `${bytes} bytes: ${JSON.stringify(sent)}`);
});
