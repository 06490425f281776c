// The page without a network: kept at the first load, demo models where a person asks, a newer version at the next load, all of it
// shown and cleared in the footer. The server is stopped, not only the connection.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fill, runToTheEnd } from './person.mjs';
import { accessible, alertText, MOCK, open, ready, SITE, takeDemo, text } from './site.mjs';

const of = (page, id, group) => page.locator(`[data-testid="${id}"][data-group="${group}"]`);
const size = async (page, group) => (await of(page, 'storage-size', group).textContent()).replaceAll('\u00a0', ' ');
const said = (page, sentence) => page.getByTestId('storage-status').getByText(sentence).waitFor({ timeout: 60_000 });

/** Opens the panel once the page has kept itself. */
async function panel(page) {
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.getByTestId('storage-show').click();
  await page.waitForFunction(() => {
    const cell = document.querySelector('[data-testid="storage-size"][data-group="page"]');
    return /B$/.test(cell.textContent);
  });
}

/** What the origin holds, asked past the page. */
const held = (page) =>
  page.evaluate(async () => ({
    caches: (await caches.keys()).sort(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));

async function goOffline(site) {
  await site.page.context().setOffline(true);
  await site.stop();
}

describe('on the stand-in engine', () => {
  let site;
  let page;

  beforeEach(async () => {
    site = await open(MOCK, { expectErrors: true });
    page = site.page;
    await ready(page);
  });
  afterEach(() => site.close());

  test('after one load the page, its later parts and the page of methods open without a network', async () => {
    await panel(page);
    await goOffline(site);
    await page.reload();
    await ready(page);
    await page.getByTestId('learn-lab').click();
    await page.getByTestId('learn').waitFor();
    const [methods] = await Promise.all([page.waitForEvent('popup'), page.getByTestId('methods').click()]);
    await methods.locator('#methods h2').first().waitFor();
    await methods.goto(`${site.origin}/methods`);
    await methods.locator('#methods h2').first().waitFor();
    await methods.goto(`${site.origin}/?a=1#model`);
    await ready(methods);
    await methods.close();
    assert.deepEqual(
      site.faults.filter((fault) => !/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED/.test(fault)),
      [],
    );
  });

  test('a demo model that was not kept is told in one sentence', async () => {
    await panel(page);
    await goOffline(site);
    await page.reload();
    await ready(page);
    await page.getByTestId('demo-gpt2-stories').click();
    assert.match(await alertText(page), /gpt2-stories\/\S+ could not be fetched: .* keep the demo models .*footer/);
  });

  test('loading a demo model keeps nothing; asking keeps it, to the last byte', async () => {
    await panel(page);
    await takeDemo(page);
    assert.equal(await size(page, 'bert-sst2'), 'not kept');
    assert.equal((await held(page)).caches.length, 1);
    await of(page, 'storage-keep', 'bert-sst2').click();
    await said(page, 'Kept for use without a network: BERT, film reviews.');
    assert.equal(await size(page, 'bert-sst2'), '34.6 MB');
    assert.equal(
      await page.evaluate(() => document.activeElement.dataset.testid),
      'storage-clear',
      'the focus goes to the button that takes the place',
    );
    await goOffline(site);
    await page.reload();
    await ready(page);
    await takeDemo(page);
    await page.getByTestId('sequences').fill('1');
    await runToTheEnd(page, 30_000);
    const parts = await page.evaluate(async () => {
      const part = async (range) => {
        const response = await fetch('models/bert-sst2/model.safetensors', { headers: { range } });
        const bytes = new Uint8Array(await response.arrayBuffer());
        return [response.status, response.headers.get('content-range'), bytes.length, [...bytes.slice(0, 4)]];
      };
      return [await part('bytes=8-107'), await part('bytes=-4'), await part('bytes=99999999-')];
    });
    const weights = await readFile(`${MOCK}/models/bert-sst2/model.safetensors`);
    assert.deepEqual(parts, [
      [206, `bytes 8-107/${weights.length}`, 100, [...weights.subarray(8, 12)]],
      [206, `bytes ${weights.length - 4}-${weights.length - 1}/${weights.length}`, 4, [...weights.subarray(-4)]],
      [416, `bytes */${weights.length}`, 0, []],
    ]);
  });

  test('all demo models are kept with one button, and cleared one by one', async () => {
    await panel(page);
    assert.match(await text(page, 'storage-keep-demos'), /\(71\.1 MB\)/);
    await page.getByTestId('storage-keep-demos').click();
    await said(page, 'All 3 demo models are kept');
    assert.equal((await held(page)).caches.length, 4);
    await accessible(page, 'footer');
    await of(page, 'storage-clear', 'gpt2-stories').click();
    await said(page, 'Cleared: Demo: GPT-2');
    assert.equal(await size(page, 'gpt2-stories'), 'not kept');
    assert.equal((await held(page)).caches.length, 3);
    assert.match(await text(page, 'storage-show'), /5\d\.\d MB$/);
    assert.match(await text(page, 'storage-total'), /The browser counts .* of .* it allows/);
  });

  test('clearing everything ends the service worker, and this visit keeps nothing again', async () => {
    await panel(page);
    await of(page, 'storage-keep', 'llama-stories').click();
    await said(page, 'Kept for use');
    await page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const folder = await root.getDirectoryHandle('coppice-scratch', { create: true });
      const stream = await (await folder.getFileHandle('left', { create: true })).createWritable();
      await stream.write(new Uint8Array(5000));
      await stream.close();
    });
    // Opening the panel looks again.
    await page.getByTestId('storage-show').click();
    await page.getByTestId('storage-show').click();
    await of(page, 'storage-size', 'scratch').getByText('5.00 kB').waitFor();
    await page.getByTestId('storage-clear-all').click();
    await said(page, 'Everything is cleared');
    assert.equal(await size(page, 'scratch'), 'none');
    assert.match(await text(page, 'storage-show'), /: 0 bytes$/);
    await page.getByTestId('learn-walk').click();
    await takeDemo(page);
    await page.getByTestId('sequences').fill('1');
    await runToTheEnd(page, 30_000);
    assert.deepEqual(await held(page), { caches: [], workers: 0 });
    const files = await page.evaluate(async () => Array.fromAsync((await navigator.storage.getDirectory()).keys()));
    assert.deepEqual(files, []);
    await of(page, 'storage-keep', 'page').click();
    await said(page, 'The page is kept');
    assert.equal((await held(page)).caches.length, 1);
    await page.reload();
    await ready(page);
    await panel(page);
  });

  test('a person who wants nothing kept is remembered by an empty note, and can change it', async () => {
    await panel(page);
    await page.getByTestId('storage-later').uncheck();
    await said(page, 'Nothing is kept from now on');
    await page.reload();
    await ready(page);
    await page.getByTestId('storage-show').click();
    assert.equal(await page.getByTestId('storage-later').isChecked(), false);
    assert.equal(await size(page, 'note'), 'no bytes');
    const left = await held(page);
    assert.equal(left.workers, 0);
    assert.match(left.caches.join(), /^coppice \/ keeps nothing$/);
    await page.getByTestId('storage-later').check();
    await said(page, 'The page is kept');
    const after = await held(page);
    assert.equal(after.workers, 1);
    assert.match(after.caches.join(), /^coppice \/ page [0-9a-f]{16}$/);
  });

  test('the panel holds at every width, light and dark', async () => {
    await panel(page);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const width of [360, 390, 768, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
      }
      await accessible(page, 'footer');
    }
  });

  test('it is installable: manifest and icons are there', async () => {
    const session = await page.context().newCDPSession(page);
    const { errors, data } = await session.send('Page.getAppManifest');
    assert.deepEqual(errors, []);
    const manifest = JSON.parse(data);
    const sizes = await page.evaluate(
      (icons) =>
        Promise.all(
          icons.map(async ({ src }) => {
            const { width, height } = await createImageBitmap(await (await fetch(src)).blob());
            return `${width}x${height}`;
          }),
        ),
      manifest.icons,
    );
    assert.deepEqual(
      sizes,
      manifest.icons.map((icon) => icon.sizes),
    );
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    assert.deepEqual(
      installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito'),
      [],
    );
  });
});

/** Makes another version of a built site in its place: all of its scripts and styles have other names, and the document is marked. */
async function renew(page, folder) {
  const names = (await readdir(join(folder, 'assets'))).filter((name) => /\.(js|css)$/.test(name));
  const renamed = new Map(
    names.map((name, index) => [name, name.replace(/.{8}(\.\w+)$/, `${String(index).padStart(8, 'A')}$1`)]),
  );
  const renew = (text) => [...renamed].reduce((sum, [from, to]) => sum.replaceAll(from, to), text);
  const edit = async (path, change) =>
    writeFile(join(folder, path), change(await readFile(join(folder, path), 'utf8')));
  for (const path of ['index.html', 'methods.html', 'coppice.js', ...names.map((name) => `assets/${name}`)])
    await edit(path, renew);
  for (const [from, to] of renamed) await rename(join(folder, 'assets', from), join(folder, 'assets', to));
  await edit('index.html', (text) => text.replace('<html', '<html data-newer'));
  const list = await readFile(join(folder, 'service-worker.js'), 'utf8');
  const entries = [...renew(list).matchAll(/(path:.)([^`"',]+)(.,bytes:)\d+(,digest:.)[0-9a-f]{64}/g)];
  assert.ok(entries.length > names.length);
  let newer = renew(list);
  for (const [entry, start, path, middle, end] of entries) {
    if (/^(models|data)\//.test(path)) continue;
    const bytes = await readFile(join(folder, path));
    const digest = createHash('sha256').update(bytes).digest('hex');
    newer = newer.replace(entry, `${start}${path}${middle}${bytes.length}${end}${digest}`);
  }
  const version = (await held(page)).caches.join().match(/page ([0-9a-f]{16})/)[1];
  const other = version.replace(/.{8}$/, 'ffffffff');
  assert.ok(newer.includes(version));
  await writeFile(join(folder, 'service-worker.js'), newer.replaceAll(version, other));
  return { version: other };
}

const isNewer = (page) => page.evaluate(() => document.documentElement.hasAttribute('data-newer'));

describe('where the site lies in a folder and is replaced', () => {
  let root;
  let site;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'coppice-site-'));
    await cp(MOCK, join(root, 'sub', 'page'), { recursive: true });
    site = await open(root, { path: 'sub/page/', expectErrors: true });
    await ready(site.page);
  });
  afterEach(async () => {
    await site.close();
    await rm(root, { recursive: true });
  });

  const comesFrom = (page) =>
    page.evaluate(() => document.querySelector('script[type="module"]').src.split('/').at(-1));

  test('the new version comes in the background, whole, and the next load uses it', async () => {
    const { page } = site;
    await panel(page);
    const before = await held(page);
    assert.match(before.caches.join(), /^coppice \/sub\/page\/ page /);
    const script = await comesFrom(page);
    const { version } = await renew(page, join(root, 'sub', 'page'));

    await page.reload();
    await ready(page);
    assert.equal(await isNewer(page), false, 'this load is of one version');
    assert.equal(await comesFrom(page), script);
    await page.getByTestId('storage-show').click();
    await said(page, 'A newer version of the page is here');
    // The old page's later parts are gone from the server, and still there for this page.
    await page.getByTestId('learn-lab').click();
    await page.getByTestId('learn').waitFor();

    await goOffline(site);
    await page.reload();
    await ready(page);
    assert.equal(await isNewer(page), true);
    assert.notEqual(await comesFrom(page), script);
    await page.getByTestId('learn-lab').click();
    await page.getByTestId('learn').waitFor();
    const { caches } = await held(page);
    assert.deepEqual(caches, [`coppice /sub/page/ page ${version}`], 'the old version is gone');
  });

  test('a version of which a file is missing or another is not taken', async () => {
    const { page } = site;
    await panel(page);
    await renew(page, join(root, 'sub', 'page'));
    // A deployment caught half-way: the list is the new one, a document is not yet.
    await writeFile(join(root, 'sub', 'page', 'index.html'), '<title>half-way</title>');
    await page.reload();
    await ready(page);
    const update = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update();
      const coming = registration.installing;
      if (coming) await new Promise((resolve) => coming.addEventListener('statechange', resolve));
      return coming?.state ?? 'none';
    });
    assert.ok(['redundant', 'none'].includes(update), update);
    await goOffline(site);
    await page.reload();
    await ready(page);
    assert.equal(await isNewer(page), false);
    assert.equal((await held(page)).caches.length, 1);
  });
});

test('where a page may keep nothing, the panel says so', async () => {
  const site = await open(MOCK, { expectErrors: true });
  const { page } = site;
  await page.addInitScript(() => {
    Object.defineProperty(window, 'isSecureContext', { value: false });
  });
  await page.reload();
  await ready(page);
  await page.getByTestId('storage-show').click();
  await page.getByTestId('storage').getByText('needs https or localhost').waitFor();
  assert.equal(await page.getByTestId('storage-keep').count(), 0);
  assert.ok(await page.getByTestId('storage-later').isHidden());
  await site.close();
});

test('the core prunes a kept demo model without a network', { timeout: 300_000 }, async () => {
  const site = await open(SITE, { expectErrors: true });
  const { page } = site;
  await ready(page, 'cpu');
  await panel(page);
  await of(page, 'storage-keep', 'llama-stories').click();
  await said(page, 'Kept for use');
  await goOffline(site);
  await page.reload();
  await ready(page, 'cpu');
  await takeDemo(page, 'llama-stories');
  await fill(page, { ratio: 30, output: 'sliced', sequences: 4, rows: 512 });
  await page.getByTestId('length').fill('64');
  await runToTheEnd(page, 240_000);
  assert.ok(Number.parseFloat(await text(page, 'perplexity-after')) > 1);
  await site.close();
});
